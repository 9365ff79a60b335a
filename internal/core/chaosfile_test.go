package core

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"ldirectord/internal/lvs"
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
			s.at = a.Addr()
			s.vip = s.vip && s.check != "off" &&
				!slices.ContainsFunc(s.servers, func(e entry) bool { return e.name != "" })
			s.agent = s.agent && s.check != "off"
			s.byStatus = s.byStatus && s.check == "negotiate" && !s.agent
			s.weighs = s.weighs && s.check != "off" && !s.vip
			next[a] = s
		}
	}
	return next
}

func (c *chaos) newSection() section {
	s := section{
		scheduler: schedulers[c.rand.IntN(len(schedulers))],
		check:     "connect",
		interval:  1 + c.rand.IntN(3), fall: 1 + c.rand.IntN(maxResults), rise: 1 + c.rand.IntN(maxResults),
		fast:      fastIntervals[c.rand.IntN(len(fastIntervals))],
		quiescent: c.coin(), repair: c.coin(), fallback: c.coin(), cleanStop: c.coin(), onChange: c.coin(),
	}
	if c.coin() {
		s.check = "negotiate"
	}
	s.vip = c.coin()
	s.keep = []string{"0", "0", "1", "2", "50%", "100%"}[c.rand.IntN(6)]
	s.drain = []int{0, 0, 3, 60}[c.rand.IntN(4)]
	s.slow = []int{0, 2, 10, 60}[c.rand.IntN(4)]
	for _, further := range furtherChecks {
		if c.rand.IntN(5) == 0 {
			s.also = append(s.also, further)
		}
	}
	if c.rand.IntN(10) == 0 {
		s.check, s.also = "off", nil
	}
	s.below = []string{"", "", "1", "50%", "100%", "50%/100%"}[c.rand.IntN(6)]
	s.announce = []string{"", "lvs0", "lvs0\n\tlastresort = lvs1"}[c.rand.IntN(3)]
	s.turns = drawTurns(c.rand)
	if s.observe == "out" && s.hold == "" {
		s.hold = "2"
	}
	if s.observe == "out" && s.keep == "0" {
		s.keep = "1"
	}
	for _, a := range servers {
		if c.rand.IntN(3) == 0 {
			s.servers = append(s.servers,
				entry{addr: a, weight: uint32(c.rand.IntN(5)), masq: c.coin(),
					backup: s.drawsBackup(c)})
		}
	}
	for _, host := range hosts {
		if c.rand.IntN(4) == 0 {
			s.servers = append(s.servers,
				entry{c.names.at[host], 1 + uint32(c.rand.IntN(4)), c.coin(), host, false,
					s.drawsBackup(c)})
		}
	}
	return s
}

// drawsBackup decides at random whether a server is a backup server. The first server of a section never is.
func (s section) drawsBackup(c *chaos) bool {
	return s.below != "" && len(s.servers) > 0 && c.rand.IntN(4) == 0
}

// touched is a section with one random change.
func (c *chaos) touched(s section) section {
	other := c.newSection()
	s.servers = slices.Clone(s.servers)
	if c.rand.IntN(8) == 0 {
		s.turns = other.turns
		return s
	}
	switch c.rand.IntN(17) {
	case 16:
		s.below = other.below
	case 15:
		for i := range s.servers {
			s.servers[i].backup = other.drawsBackup(c) && i > 0
		}
	case 14:
		s.slow = other.slow
	case 13:
		s.vip = !s.vip
	case 12:
		s.announce = other.announce
	case 11:
		s.keep = other.keep
	case 9:
		s.drain = other.drain
	case 0:
		s.scheduler = other.scheduler
	case 1:
		s.check, s.also = other.check, other.also
	case 10:
		if s.check != "off" {
			s.also = other.also
		}
	case 2:
		s.interval, s.fast = other.interval, other.fast
	case 3:
		s.fall, s.rise = other.fall, other.rise
	case 4:
		s.quiescent = !s.quiescent
	case 5:
		s.fallback = !s.fallback
	case 6:
		s.servers = other.servers
	case 7:
		s.repair = !s.repair
	default:
		if len(s.servers) > 0 {
			e := &s.servers[c.rand.IntN(len(s.servers))]
			e.weight = uint32(c.rand.IntN(5))
			if e.name != "" {
				e.weight++
			}
		}
	}
	return s
}

func (c *chaos) coin() bool { return c.rand.IntN(2) == 0 }

// file is a configuration: its sections by the addresses of the virtual services.
type file map[netip.AddrPort]section

type section struct {
	scheduler, check     string
	also                 []further
	interval, fall, rise int
	fast                 string // fastinterval; changes when a verdict comes, not which one
	keep                 string // keepserving
	quiescent, repair    bool
	fallback, cleanStop  bool
	onChange             bool
	announce             string
	drain                int
	slow                 int        // slowstart
	below                string     // backupbelow; without it there are no backup servers
	vip                  bool       // checkvip, without names that move
	at                   netip.Addr // the virtual address
	servers              []entry
	turns
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
	// fastIntervals is mostly 0, and has one that is longer than checkinterval.
	fastIntervals = []string{"0", "0", "100ms", "0.3", "1500ms"}
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
	yes := map[bool]string{true: "yes", false: "no"}
	var out strings.Builder
	fmt.Fprintf(&out, "resolve = 30\nsamewait = 3\nmaintenancedir = /maintenance\nwithdrawon = broken\n")
	if f[virtuals[0]].onChange { // true for half of the files, so half of the reloads change the webhook
		fmt.Fprintf(&out, "webhook = https://hooks.example/\n")
	}
	for _, a := range virtuals {
		s, in := f[a]
		if !in {
			continue
		}
		fmt.Fprintf(&out, "virtual = %s\n", keyFor(a).Name())
		if keyFor(a).Mark > 0 {
			write(&out, "mark", a.Addr().String()+" tcp 80")
		}
		reserve := false
		for _, e := range s.servers {
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
			limit := map[bool]string{true: " u:1"}[s.limited]
			write(&out, kind, fmt.Sprint(addr, " ", method, " ", e.weight, limit))
		}
		if s.fallback {
			write(&out, "fallback", sorry, "fallbackcheck", "section")
		}
		if s.onChange {
			write(&out, "onchange", "/bin/true")
		}
		write(&out, "scheduler", s.scheduler, "checktype", s.check, "service", "http")
		for _, f := range s.also {
			write(&out, "alsocheck", f)
		}
		if s.weighs {
			write(&out, "alsocheck", fmt.Sprintf("http %d weight=50%%", otherPort))
		}
		if s.byStatus {
			write(&out, "drainstatus", 503)
		}
		write(&out, "checkinterval", s.interval, "checktimeout", s.interval+10,
			"negotiatetimeout", s.interval+10, "keepserving", s.keep, "announce", s.announce,
			"checkvip", s.vip, "slowstart", s.slow)
		if reserve {
			write(&out, "backupbelow", s.below)
		}
		write(&out, "holddown", s.hold, "pace", s.pace, "paceout", s.out, "onfail", s.onFail, "watch", s.watch)
		if s.comeback {
			write(&out, "comeback", "order")
		}
		if s.agent {
			write(&out, "agentport", agentPort)
		}
		if s.leavesOut() || s.observe == "yes" {
			write(&out, "observe", s.observe)
		}
		write(&out, "draintime", s.drain, "failurecount", s.fall, "risecount", s.rise, "fastinterval", s.fast,
			"quiescent", yes[s.quiescent], "repair", yes[s.repair], "cleanstop", yes[s.cleanStop])
	}
	return out.String()
}

// write adds directives, each a name and a value. What is zero is not written.
func write(out *strings.Builder, directives ...any) {
	for pair := range slices.Chunk(directives, 2) {
		if pair[1] == true {
			pair[1] = "yes"
		}
		if !reflect.ValueOf(pair[1]).IsZero() {
			fmt.Fprintf(out, "\t%s = %v\n", pair...)
		}
	}
}

func (s section) entry(a netip.AddrPort) (entry, bool) { return entryAt(s.servers, a) }

func entryAt(list []entry, a netip.AddrPort) (entry, bool) {
	for _, e := range list {
		if e.addr == a {
			return e, true
		}
	}
	return entry{}, false
}
