package doctor

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"ldirectord/checker"
	"ldirectord/checker/icmp"
	"ldirectord/checker/protocol"
	"ldirectord/internal/announce"
	"ldirectord/internal/fwmark"
	"ldirectord/internal/lvs"
	"ldirectord/internal/plan"
	"ldirectord/internal/testkit"
	throughIPVS "ldirectord/internal/viavip"
	"ldirectord/parser"
)

const (
	byGate  = "virtual = 192.0.2.10:80\n  real = 192.0.2.21:80 gate\n  quiescent = yes\n  checktype = on\n"
	byMasq  = "virtual = 192.0.2.10:80\n  real = 192.0.2.21:80 masq\n  quiescent = yes\n  checktype = on\n"
	byGate6 = "virtual6 = [2001:db8::10]:80\n  real6 = [2001:db8::21]:80 gate\n  quiescent = yes\n" +
		"  checktype = on\n"

	announced = "  scheduler = mh\n  schedflags = mh-fallback\n  announce = lvs0\n"
	ofMark    = "virtual = 3\n  real = 192.0.2.21:80 gate\n  quiescent = yes\n  checktype = on\n"
	marked    = "virtual = 3\n  mark = 192.0.2.11 tcp 80\n  real = 192.0.2.21 gate\n  quiescent = yes\n" +
		"  checktype = on\n"
)

// sections are those that the cases name.
var sections = map[string]string{
	"gate": byGate, "masq": byMasq, "gate6": byGate6, "ipip": strings.ReplaceAll(byGate, "gate", "ipip"),
	"two":  strings.ReplaceAll(byGate, "  quiescent", "  real = 192.0.2.11:80 gate\n  quiescent"),
	"mark": ofMark, "marked": marked, "announced": byGate + announced, "announced-mark": marked + announced,
	"connect": strings.ReplaceAll(byGate, "= on", "= connect"),
	"through": through(byGate), "through6": through(byGate6),
}

// through has the servers of a section checked through the virtual address.
func through(section string) string {
	return strings.ReplaceAll(section, "checktype = on", "checktype = connect") + "  checkvip = yes\n"
}

// fileOf is the text of a file. Its sections are divided by " + ", their lines by "; ". The first line may be the name
// of a section, with words to replace in it: gate 10:80->10:81.
func fileOf(cell string) (text string) {
	for section := range strings.SplitSeq(cell, " + ") {
		first, lines, more := strings.Cut(section, "; ")
		words := strings.Fields(first)
		if named, is := sections[words[0]]; is {
			for _, word := range words[1:] {
				old, with, _ := strings.Cut(word, "->")
				named = strings.ReplaceAll(named, old, with)
			}
			text += named
		} else {
			text += first + "\n"
		}
		if more {
			text += "  " + strings.ReplaceAll(lines, "; ", "\n  ") + "\n"
		}
	}
	return text
}

func addrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func addrOf(s string) netip.Addr { return netip.MustParseAddr(s) }

// healthyFacts are the facts of a director without findings.
func healthyFacts() facts {
	server := route{device: "eth0", mtu: 1500}
	return facts{
		devices: []device{
			{net.Interface{Name: "lo", Index: 1, MTU: 65536, Flags: net.FlagUp | net.FlagLoopback},
				[]netip.Prefix{netip.MustParsePrefix("127.0.0.1/8")}, nil},
			// down
			{net.Interface{Name: "eth9", Index: 9, MTU: 1500},
				[]netip.Prefix{netip.MustParsePrefix("192.0.2.9/24")}, nil},
			{net.Interface{Name: "eth0", Index: 2, MTU: 1500, Flags: net.FlagUp | net.FlagRunning},
				[]netip.Prefix{
					netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("2001:db8::1/64"),
					netip.MustParsePrefix("192.0.2.10/32"),
					netip.MustParsePrefix("2001:db8::10/128"),
				}, nil},
		},
		routes: map[routeQuery]route{
			{to: addrOf("192.0.2.10")}: {local: true}, {to: addrOf("2001:db8::10")}: {local: true},
			{to: addrOf("192.0.2.1")}:  {local: true},
			{to: addrOf("192.0.2.21")}: server, {to: addrOf("2001:db8::21")}: server,
			{to: addrOf("192.0.2.11")}: server,
		},
		settings: map[string]string{
			forward4: "1", forward6: "1", expireTemplate: "0", expireNoDest: "0", connReuse: "1",
			sloppyTCP: "0", vsConntrack: "0", connections: "0", estimation: "0",
			"net.ipv4.conf.all.arp_ignore": "0", "net.ipv4.conf.eth0.arp_ignore": "0",
		},
		listening: listeners{}, announcer: true,
	}
}

// factsOf are the healthy facts of a file, as a case changes them.
func factsOf(t *testing.T, file, changes string) facts {
	t.Helper()
	f := healthyFacts()
	p := planOf(t, fileOf(file))
	f.services, f.ordered = p.Services, p.Config.Global.Timeouts
	for _, q := range routeQueries(f.services) {
		if _, known := f.routes[q]; !known {
			f.routes[q] = route{}
		}
	}
	for change := range strings.SplitSeq(changes, ", ") {
		if change != "" {
			f.change(t, change)
		}
	}
	return f
}

// change makes one of the named changes, or one with values:
//
//	net.SETTING=VALUE
//	route ADDRESS[@MARK] [DEVICE] [local] [gateway] [learned] [mtu=BYTES] [from=ADDRESS]
//	reached RESULT...    of each server of the first section at its virtual address
//	idle SECONDS, NAT RULE, router ADDRESS, ADDRESS answers HARDWARE, ADDRESS listens, ADDRESS refuses
func (f *facts) change(t *testing.T, change string) {
	t.Helper()
	if make, is := changes[change]; is {
		make(f)
		return
	}
	words := strings.Fields(change)
	switch setting, value, isSetting := strings.Cut(change, "="); {
	case isSetting && strings.HasPrefix(setting, "net."):
		f.settings[setting] = value
	case words[0] == "route":
		f.lead(words[1], words[2:])
	case words[0] == "reached":
		f.reached = map[checker.Spec]checker.Result{}
		for i, way := range waysOf(f.services[0]) {
			f.reached[way] = results[words[i+1]]
		}
	case words[0] == "idle":
		f.idle = lvs.Timeouts{uint32(number(words[1])), 120, 300}
	case words[0] == "NAT":
		f.nat = strings.TrimPrefix(change, "NAT ")
	case words[0] == "router":
		f.routers = append(f.routers, addrOf(words[1]))
	case words[1] == "answers":
		if f.neighbours == nil {
			f.neighbours = neighbours{}
		}
		f.neighbours[addrOf(words[0])] = []string{"02:00:00:00:00:" + words[2]}
	case words[1] == "listens":
		f.listening[addrPort(words[0])] = true
	case words[1] == "refuses":
		f.refused = map[netip.AddrPort]error{addrPort(words[0]): syscall.ECONNREFUSED}
	default:
		t.Fatalf("no change is called %q", change)
	}
}

// lead sets the route to an address, as its words say. Without words there is none.
func (f *facts) lead(to string, words []string) {
	var r route
	for _, word := range words {
		switch name, value, _ := strings.Cut(word, "="); name {
		case "local":
			r.local = true
		case "gateway":
			r.gateway = true
		case "learned":
			r.learned = true
		case "mtu":
			r.mtu = number(value)
		case "from":
			r.source = addrOf(value)
		default:
			r.device = word
		}
	}
	addr, mark, _ := strings.Cut(to, "@")
	f.routes[routeQuery{addrOf(addr), uint32(number("0" + mark))}] = r
}

func number(word string) int {
	n, err := strconv.Atoi(word)
	if err != nil {
		panic(err)
	}
	return n
}

// results are those of checking a server at the virtual address.
var results = map[string]checker.Result{
	"up":   {OK: true, Way: checker.WayThrough},
	"down": {Way: checker.WayThrough, Cause: checker.Refused},
	"void": {OK: true, Way: checker.WayVoid},
	// it answers at its own address
	"lacks":   {Way: checker.WayThrough, Cause: checker.Timeout, OwnAnswers: true},
	"refuses": {Way: checker.WayThrough, Cause: checker.Refused, OwnAnswers: true},
	"astray": {OK: true, Way: checker.WayVoid, Detail: "connected",
		Warning: "not checked through 192.0.2.10: " + throughIPVS.Astray + ": a rule restores marks"},
}

// changes are those that have a name.
var changes = map[string]func(*facts){
	"nothing is read": func(f *facts) {
		*f = facts{services: f.services,
			routes: map[routeQuery]route{{to: addrOf("192.0.2.10")}: {local: true}}}
	},
	"eth0 lacks it": func(f *facts) { f.devices[2].prefixes = f.devices[2].prefixes[:2] },
	"lo has it": func(f *facts) {
		f.devices[2].prefixes = f.devices[2].prefixes[:2]
		f.devices[0].prefixes = append(f.devices[0].prefixes, netip.MustParsePrefix("192.0.2.10/32"),
			netip.MustParsePrefix("2001:db8::10/128"))
	},
	"a macvlan has it": func(f *facts) {
		f.devices[2].prefixes = f.devices[2].prefixes[:2]
		f.devices = append(f.devices, device{Interface: net.Interface{HardwareAddr: []byte{2, 0, 0, 0, 0, 1}},
			prefixes: []netip.Prefix{netip.MustParsePrefix("2001:db8::10/128")}})
	},
	"a duplicate": func(f *facts) {
		f.devices[2].failed = []netip.Prefix{netip.MustParsePrefix("2001:db8::10/64")}
	},
	"eth0 has no link": func(f *facts) { f.devices[2].Flags = net.FlagUp },
	"eth0 is down":     func(f *facts) { f.devices[2].Flags = 0 },
	"eth0 is gone":     func(f *facts) { f.devices = f.devices[:2] },
	"a VLAN":           func(f *facts) { f.addDevice("eth0.100", net.FlagUp|net.FlagRunning) },
	"a tunnel":         func(f *facts) { f.addDevice("tunl0", net.FlagUp) },
	"no announcer":     func(f *facts) { f.announcer = false },
	"no ping":          func(f *facts) { f.noPing = true },
	"no mail":          func(f *facts) { f.noMail = true },
	"ip_vs_ftp":        func(f *facts) { f.ftpLoaded = true },
	"no IPVS":          func(f *facts) { f.noIPVS = finding("no-ipvs", "no module", "modprobe ip_vs") },
	"a kernel with ip_vs": func(f *facts) {
		f.modules = kernelModules{listed: "ipvs/ip_vs.ko:\n", loaded: "/nowhere"}
	},
	"a kernel with ip_vs_rr": func(f *facts) {
		f.modules = kernelModules{listed: "ipvs/ip_vs_rr.ko:\n", loaded: "/nowhere"}
	},
	"checks arrive": func(f *facts) {
		f.settings["net.ipv4.conf.all.accept_local"], f.settings["net.ipv4.conf.all.rp_filter"] = "1", "0"
	},
	"doctor asks": func(f *facts) { // servers at virtual addresses, as clients do
		f.daemon.Reach = func(context.Context, []checker.Spec) (Reached, error) { return nil, nil }
	},
	"marks are read": func(f *facts) { f.marks = &fwmark.Machine{} },
	"mark 3 is set and routed": func(f *facts) {
		f.marks = &fwmark.Machine{Settings: []fwmark.Setting{{Mark: 3, Mask: wholeMark}},
			Routing: []fwmark.RoutingRule{{Priority: 100, Mark: 3, Mask: wholeMark, Table: "isp2"}}}
	},
	"mark 1 is routed": func(f *facts) {
		f.marks = &fwmark.Machine{
			Routing: []fwmark.RoutingRule{{Priority: 100, Mark: 1, Mask: 1, Table: "isp2"}}}
	},
	"no mark can be set": func(f *facts) {
		f.marks = &fwmark.Machine{BackEnd: fwmark.NFT}
		f.unsettable = map[bool]Finding{false: finding("mark-unsettable", "why", "update-alternatives")}
	},
	"a filter of IPv6": func(f *facts) {
		f.marks = &fwmark.Machine{Filters: []string{"ip6tables -t raw -I PREROUTING -s %s -j ACCEPT"}}
	},
	"rules use private marks": func(f *facts) {
		set := fwmark.Setting{BackEnd: fwmark.Legacy, Chain: "PREROUTING", Rule: "-j MARK",
			Mark: 0x4c000000, Mask: wholeMark}
		restored, low, other := set, set, set
		restored.Restores, low.Mark, other.IPv6 = true, 7, true
		f.marks = &fwmark.Machine{Settings: []fwmark.Setting{set, restored, low, other}}
	},
	"private services": func(f *facts) {
		f.private = []uint32{0x4c000000, 0x4c000001}
		f.daemon.Private = map[uint32]bool{0x4c000000: true, 0x4c000001: true}
	},
	"the second of no daemon": func(f *facts) { delete(f.daemon.Private, 0x4c000001) },
	"the file and a list have changed": func(f *facts) {
		f.daemon.Again = "ldirectord --rundir '/my run' /etc/ld.cf"
		f.daemon.Changed = "the file has changed since 03:12:00 and is not in force"
		f.daemon.Lists = []string{"list /run/lb/web has changed"}
	},
	"servers differ": func(f *facts) {
		text := []string{"10.2.0.1:80 shows another certificate"}
		f.daemon.Differing = map[string][]string{f.services[0].Config.ID: text, "tcp:192.0.2.99:80": text}
	},
	"nearly full": func(f *facts) {
		f.gauges = []gauge{{"conntrack-full", 235930, 262144, trackable},
			{"neighbours-full", 922, 1024, neighbours4}, {"neighbours-full", 1024, 1024, neighbours6},
			{"connection-table", 40000, 32768, ""}}
		f.drops = drops{7, "since the boot"}
	},
	"not nearly full": func(f *facts) {
		f.gauges = []gauge{{"conntrack-full", 235929, 262144, trackable},
			{"neighbours-full", 921, 1024, neighbours4}, {"neighbours-full", 5, 0, neighbours6}}
	},
	"neighbours of both families": func(f *facts) {
		f.gauges = []gauge{{"neighbours-full", 9, 10, neighbours4}, {"neighbours-full", 9, 10, neighbours6},
			{"connection-table", 9, 8, ""}}
	},
	"drops": func(f *facts) { f.drops = drops{3, "within 10s"} },
	// an announced address is on no device now
	"announces": func(f *facts) {
		f.settings[sloppyTCP], f.settings["net.ipv4.conf.eth0.arp_ignore"] = "1", "1"
		f.devices[2].prefixes = f.devices[2].prefixes[:2]
		f.lead("192.0.2.10", nil)
		f.routes[routeQuery{to: client()}] = route{device: "eth0"}
	},
	"a card in place of lvs0": func(f *facts) {
		f.faults = []announce.Fault{{Device: "lvs0", Text: "device lvs0 is not a dummy device"}}
	},
	"faults": func(f *facts) {
		f.faults = []announce.Fault{
			{Device: "lvs0", Text: "device lvs0 is missing",
				Command: "ip link add lvs0 type dummy && ip link set lvs0 up"},
			{Device: "lvs1", Text: "device lvs1 is down", Command: "ip link set lvs1 up"},
			{Device: "lvs2", Text: "device lvs2 is down"},
			{Device: "eth0", Addr: single(addrOf("192.0.2.10")), Text: "is on this device too",
				Command: "ip address del 192.0.2.10/32 dev eth0"},
			{Device: "lvs1", Addr: single(addrOf("192.0.2.12")),
				Text:    "was announced by a daemon that is no longer running",
				Command: "ip address del 192.0.2.12/32 dev lvs1"},
		}
	},
}

func (f *facts) addDevice(name string, flags net.Flags) {
	f.devices = append(f.devices, device{Interface: net.Interface{Name: name, Flags: flags}})
}

// Each finding has the expected kind, and is documented. The texts and the commands that fix it are in testdata.
func TestFindings(t *testing.T) {
	doc := testkit.Read(t, "../../docs/doctor.md")
	cases := map[string][]string{}
	for _, row := range testkit.Table(t, "testdata/cases.txt", 4) {
		cases[row[0]] = row[1:]
	}
	var words strings.Builder
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		c := cases[name]
		var kinds []string
		fmt.Fprintf(&words, "# %s\n", name)
		for _, found := range examine(factsOf(t, c[0], c[1]), "/etc/ld.cf") {
			kinds = append(kinds, found.Severity+" "+found.Kind)
			fmt.Fprintln(&words, found)
			testkit.Contains(t, doc, "`"+found.Kind+"`", "docs/doctor.md")
		}
		testkit.Equal(t, strings.Join(kinds, ", "), c[2], name)
	}
	testkit.Golden(t, "testdata/findings.golden", words.String())
}

// servicesOf are the virtual services of a configuration.
func servicesOf(t *testing.T, config string) []*plan.Service {
	t.Helper()
	return planOf(t, config).Services
}

func planOf(t *testing.T, config string) *plan.Plan {
	t.Helper()
	p, found := plan.New(mustParse(t, config), func(s checker.Spec) (checker.Checker, error) {
		return protocol.New(s, &protocol.Env{Pinger: icmp.NewPinger()})
	})
	if p == nil {
		t.Fatal(found)
	}
	return p
}

func mustParse(t *testing.T, config string) *parser.Config {
	t.Helper()
	cfg, found := parser.Parse(t.Context(), "ld.cf", []byte(config), parser.Options{})
	if found.HasErrors() {
		t.Fatal(found)
	}
	return cfg
}
