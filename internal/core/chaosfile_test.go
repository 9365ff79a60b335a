package core

import (
	"cmp"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

// newFile is a random variation of a file: some of its virtual services differ.
func (c *chaos) newFile(was file) file {
	next := file{}
	for _, a := range virtuals {
		old, had := was[a]
		switch roll := c.rand.IntN(10); {
		case had && roll < 5:
			next[a] = old
		case had && roll < 8:
			next[a] = c.touched(old)
		case roll < 9:
			next[a] = c.newSection()
		}
		if s, in := next[a]; in {
			s.At = a.Addr()
			next[a] = s.allowed()
		}
	}
	return next
}

// allowed is a section without directives that others of it exclude, and with those that others need.
func (s section) allowed() section {
	isOff := s.CheckType == "off"
	s.CheckVIP = s.CheckVIP && !isOff && !slices.ContainsFunc(s.Servers, func(e entry) bool { return e.name != "" })
	s.Weighs = s.Weighs && !isOff && !s.CheckVIP
	if isOff {
		s.AgentPort, s.Also = 0, nil
	}
	if s.CheckType != "negotiate" || s.AgentPort > 0 {
		s.DrainStatus = 0
	}
	if s.Observe == "out" {
		s.HoldDown = cmp.Or(s.HoldDown, "2")
		if s.KeepServing == "0" {
			s.KeepServing = "1"
		}
	}
	return s
}

func (c *chaos) newSection() (s section) {
	of := reflect.ValueOf(&s).Elem()
	for i := range of.NumField() {
		values := strings.Fields(of.Type().Field(i).Tag.Get("of"))
		if len(values) == 0 {
			continue
		}
		if value := values[c.rand.IntN(len(values))]; value != "-" {
			testkit.Must(fmt.Sscan(value, of.Field(i).Addr().Interface()))(c.t)
		}
	}
	for _, further := range furtherChecks {
		if c.rand.IntN(5) == 0 {
			s.Also = append(s.Also, further)
		}
	}
	for _, a := range servers {
		if c.rand.IntN(3) == 0 {
			s.Servers = append(s.Servers, entry{addr: a, weight: uint32(c.rand.IntN(5)), masq: c.coin()})
		}
	}
	for _, host := range hosts {
		if c.rand.IntN(4) == 0 {
			s.Servers = append(s.Servers, entry{addr: c.names.at[host], weight: 1 + uint32(c.rand.IntN(4)),
				masq: c.coin(), name: host})
		}
	}
	c.drawBackups(&s)
	return s
}

// drawBackups decides at random which servers are backup servers. The first server of a section never is.
func (c *chaos) drawBackups(s *section) {
	for i := range s.Servers {
		s.Servers[i].backup = s.BackupBelow != "" && i > 0 && c.rand.IntN(4) == 0
	}
}

// touched is a section with one random change.
func (c *chaos) touched(s section) section {
	s.Servers = slices.Clone(s.Servers)
	of, other := reflect.ValueOf(&s).Elem(), c.newSection()
	switch i := c.rand.IntN(of.NumField() + 4); {
	case i < of.NumField():
		of.Field(i).Set(reflect.ValueOf(other).Field(i))
	case i == of.NumField():
		c.drawBackups(&s)
	case len(s.Servers) > 0:
		e := &s.Servers[c.rand.IntN(len(s.Servers))]
		e.weight = uint32(c.rand.IntN(5))
		if e.name != "" {
			e.weight++
		}
	}
	return s
}

func (c *chaos) coin() bool { return c.rand.IntN(2) == 0 }

// file is a configuration: its sections by the addresses of the virtual services.
type file map[netip.AddrPort]section

// section has a field for each directive, of the same name, and the values that are drawn; - leaves it out, a semicolon
// divides lines. Their times are so short that after a quiet time no server waits.
type section struct {
	Scheduler     string `of:"wrr wlc rr"`
	CheckType     string `of:"connect connect connect connect negotiate negotiate negotiate negotiate off"`
	CheckInterval int    `of:"1 2 3"`
	FailureCount  int    `of:"1 2 3"`
	RiseCount     int    `of:"1 2 3"`
	FastInterval  string `of:"- - 100ms 0.3 1500ms"` // mostly none, and one that is longer than checkinterval
	Quiescent     bool   `of:"true false"`
	Repair        bool   `of:"true false"`
	CleanStop     bool   `of:"true false"`
	CheckVIP      bool   `of:"true false"` // without names that move
	Fallback      string `of:"- 127.0.0.1:80;fallbackcheck=section"`
	OnChange      string `of:"- /bin/true"`
	KeepServing   string `of:"0 0 1 2 50% 100%"`
	DrainTime     int    `of:"0 0 3 60"`
	SlowStart     int    `of:"0 2 10 60"`
	BackupBelow   string `of:"- - 1 50% 100% 50%/100%"` // without it there are no backup servers
	Announce      string `of:"- lvs0 lvs0;lastresort=lvs1"`
	HoldDown      string `of:"- - 2 2,4 1,8"`
	Pace          string `of:"- - 1/1 2/2 50%/3"`
	PaceOut       string `of:"- - 4/2 50%/2"`
	OnFail        string `of:"- - - keep cut 2 3600"`
	AgentPort     int    `of:"0 0 82"`  // each server has an agent, at a port of its own
	DrainStatus   int    `of:"0 0 503"` // without an agent
	Watch         string `of:"- - no yes 2"`
	Observe       string `of:"- yes out out"`
	Comeback      string `of:"- - - - - order"`
	// no directives
	Weighs  bool `of:"true - -" cf:"-"` // a negotiate check at the other port that only weighs
	Limited bool `of:"true - -" cf:"-"` // each server is full with one connection
	Also    []further
	At      netip.Addr // the virtual address
	Servers []entry
}

// further is a line of alsocheck.
type further struct {
	check string
	port  uint16
}

// furtherChecks are two at the port of the servers, one of which equals the section's own check, and one at another
// port.
var furtherChecks = []further{{"connect", 80}, {"negotiate", 80}, {"connect", otherPort}}

func (f further) String() string {
	return fmt.Sprintf("%s %d", map[string]string{"negotiate": "http", "connect": "connect"}[f.check], f.port)
}

type entry struct {
	addr   netip.AddrPort
	weight uint32
	masq   bool
	name   string // for a server whose name may move
	// elsewhere: the name does not lead to this address now
	elsewhere bool
	backup    bool
}

var (
	virtuals   = addresses("10.1.0.", 4)
	servers    = addresses("10.2.0.", 9)
	everyone   = slices.Concat(servers, homes["web1"], homes["web2"])
	otherPorts = atPort(otherPort, everyone)
	sorry      = netip.MustParseAddrPort("127.0.0.1:80")
	foreign    = netip.MustParseAddrPort("10.9.0.1:80") // a virtual service outside the file
	schedulers = []string{"wrr", "wlc", "rr"}
)

func addresses(prefix string, n int) (list []netip.AddrPort) {
	for i := range n {
		list = append(list, netip.MustParseAddrPort(fmt.Sprintf("%s%d:80", prefix, i+1)))
	}
	return list
}

// mark is that of the packets to the last virtual service.
const mark = 7

func keyFor(a netip.AddrPort) lvs.Key {
	if a == virtuals[3] {
		return lvs.Key{Protocol: lvs.Mark, Mark: mark}
	}
	return lvs.Key{Protocol: lvs.TCP, Addr: a}
}

// addrOf is the address of a virtual service.
func addrOf(key lvs.Key) netip.AddrPort {
	if key.Protocol == lvs.Mark {
		return virtuals[3]
	}
	return key.Addr
}

// text is the file as an operator writes it. Checks with different intervals have different timeouts, so the oracle
// can distinguish them.
func (f file) text() string {
	var out strings.Builder
	fmt.Fprintf(&out, "resolve = 30\nsamewait = 3\nmaintenancedir = /maintenance\nwithdrawon = broken\n")
	if f[virtuals[0]].OnChange != "" { // so half of the reloads change the webhook
		fmt.Fprintf(&out, "webhook = https://hooks.example/\n")
	}
	for _, a := range virtuals {
		if s, in := f[a]; in {
			fmt.Fprintf(&out, "virtual = %s\n", keyFor(a).Name())
			if keyFor(a).Mark > 0 {
				fmt.Fprintf(&out, "\tmark = %s tcp 80\n", a.Addr())
			}
			s.write(&out)
		}
	}
	return out.String()
}

func (s section) write(out *strings.Builder) {
	limit, reserve := map[bool]string{true: " u:1"}[s.Limited], false
	for _, e := range s.Servers {
		addr, kind, method := e.addr.String(), "real", "gate"
		if e.name != "" {
			addr = e.name + ":80"
		}
		if e.backup {
			kind, reserve = "backup", true
		}
		if e.masq {
			method = "masq"
		}
		fmt.Fprintf(out, "\t%s = %s %s %d%s\n", kind, addr, method, e.weight, limit)
	}
	for _, f := range s.Also {
		fmt.Fprintf(out, "\talsocheck = %v\n", f)
	}
	if s.Weighs {
		fmt.Fprintf(out, "\talsocheck = http %d weight=50%%\n", otherPort)
	}
	fmt.Fprintf(out, "\tservice = http\n\tchecktimeout = %d\n\tnegotiatetimeout = %[1]d\n", s.CheckInterval+10)
	if !reserve {
		s.BackupBelow = ""
	}
	of := reflect.ValueOf(s)
	for i := range of.NumField() {
		field, value := of.Type().Field(i), fmt.Sprint(of.Field(i))
		if field.Tag.Get("of") == "" || field.Tag.Get("cf") != "" || value == "" || value == "0" {
			continue
		}
		value = strings.NewReplacer("true", "yes", "false", "no", ";", "\n\t").Replace(value)
		fmt.Fprintf(out, "\t%s = %s\n", strings.ToLower(field.Name), value)
	}
}

func (s section) entry(a netip.AddrPort) (entry, bool) { return entryAt(s.Servers, a) }

func entryAt(list []entry, a netip.AddrPort) (entry, bool) {
	for _, e := range list {
		if e.addr == a {
			return e, true
		}
	}
	return entry{}, false
}
