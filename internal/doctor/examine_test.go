package doctor

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"ldirectord/checker"
	"ldirectord/checker/icmp"
	"ldirectord/checker/protocol"
	"ldirectord/checker/wire"
	"ldirectord/internal/announce"
	"ldirectord/internal/fwmark"
	"ldirectord/internal/lvs"
	"ldirectord/internal/plan"
	"ldirectord/parser"
)

const (
	byGate  = "virtual = 192.0.2.10:80\n  real = 192.0.2.21:80 gate\n  quiescent = yes\n  checktype = on\n"
	byMasq  = "virtual = 192.0.2.10:80\n  real = 192.0.2.21:80 masq\n  quiescent = yes\n  checktype = on\n"
	byIPIP  = "virtual = 192.0.2.10:80\n  real = 192.0.2.21:80 ipip\n  quiescent = yes\n  checktype = on\n"
	byGate6 = "virtual6 = [2001:db8::10]:80\n  real6 = [2001:db8::21]:80 gate\n  quiescent = yes\n" +
		"  checktype = on\n"
)

const (
	announced     = byGate + "  scheduler = mh\n  schedflags = mh-fallback\n  announce = lvs0\n"
	announcedMark = "virtual = 3\n  mark = 192.0.2.11 tcp 80\n  real = 192.0.2.21 gate\n  quiescent = yes\n" +
		"  checktype = on\n  scheduler = mh\n  schedflags = mh-fallback\n  announce = lvs0\n"
)

// announces prepares a director for an announced address, which is on no device now.
func announces(f *facts) {
	f.settings[sloppyTCP] = "1"
	f.devices[2].prefixes = f.devices[2].prefixes[:1]
	f.settings["net.ipv4.conf.eth0.arp_ignore"] = "1"
	f.routes[routeQuery{to: addrOf("192.0.2.10")}] = route{}
	f.routes[routeQuery{to: client()}] = route{device: "eth0"}
}

// through has the servers of a section checked through the virtual address.
func through(section string) string {
	return strings.ReplaceAll(section, "checktype = on", "checktype = connect") + "  checkvip = yes\n"
}

func addrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func addrOf(s string) netip.Addr { return netip.MustParseAddr(s) }

// healthyFacts are the facts of a director without findings.
func healthyFacts() facts {
	server := route{device: "eth0", mtu: 1500}
	return facts{
		devices: []device{
			{net.Interface{Name: "lo", Index: 1, MTU: 65536, Flags: net.FlagUp | net.FlagLoopback},
				[]netip.Prefix{netip.MustParsePrefix("127.0.0.1/8")}},
			// down
			{net.Interface{Name: "eth9", Index: 9, MTU: 1500},
				[]netip.Prefix{netip.MustParsePrefix("192.0.2.9/24")}},
			{net.Interface{Name: "eth0", Index: 2, MTU: 1500, Flags: net.FlagUp | net.FlagRunning},
				[]netip.Prefix{
					netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("192.0.2.10/32"),
					netip.MustParsePrefix("2001:db8::1/64"),
				}},
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

// asks has doctor check servers at virtual addresses, as clients do.
func asks(f *facts) {
	f.daemon.Reach = func(context.Context, []checker.Spec) (Reached, error) {
		return nil, nil
	}
}

// fromVIP makes the virtual address the source of packets to another address.
func fromVIP(f *facts, to netip.Addr, gateway bool) {
	f.routes[routeQuery{to: to}] = route{device: "eth0", mtu: 1500, gateway: gateway, source: addrOf("192.0.2.10")}
}

// toCheck sets what checks through a virtual address need.
func toCheck(f *facts) {
	f.settings["net.ipv4.conf.all.accept_local"], f.settings["net.ipv4.conf.all.rp_filter"] = "1", "0"
}

// two is a section with two real servers.
var two = strings.ReplaceAll(byGate, "  quiescent", "  real = 192.0.2.11:80 gate\n  quiescent")

// notThrough is the result for a server that answers at its own address, but not at the virtual one.
var notThrough = checker.Result{Way: checker.WayThrough, Cause: checker.Timeout, OwnAnswers: true}

// answered sets the results of checking the servers of a section at the virtual address.
func answered(f *facts, section string, results ...checker.Result) {
	cfg, _ := parser.Parse(context.Background(), "ld.cf", []byte(section), parser.Options{})
	p, _ := plan.New(cfg, func(s checker.Spec) (checker.Checker, error) { return protocol.New(s, nil) })
	f.reached = map[checker.Spec]checker.Result{}
	for i, way := range waysOf(p.Services[0]) {
		f.reached[way] = results[i]
	}
}

// behindFirewall is a director with connections in conntrack.
func behindFirewall(f *facts) { f.settings[connections] = "7" }

// away moves the virtual address to the loopback interface.
func away(f *facts) {
	f.devices[2].prefixes = f.devices[2].prefixes[:1]
	f.devices[0].prefixes = append(f.devices[0].prefixes, netip.MustParsePrefix("192.0.2.10/32"))
}

var update = flag.Bool("update", false, "write the files that hold what is expected")

// examineCase is a configuration, the change of the healthy facts, and the severity and kind of each expected
// finding.
type examineCase struct {
	config string
	spoil  func(*facts)
	want   string
}

func answering(hardware ...string) func(*facts) {
	return func(f *facts) {
		f.neighbours = neighbours{addrOf("192.0.2.21"): {"02:00:00:00:00:21"}, addrOf("192.0.2.10"): hardware}
	}
}

var examineCases = map[string]examineCase{
	"nothing by gate":         {config: byGate},
	"nothing by masq":         {config: byMasq},
	"nothing by gate of IPv6": {config: byGate6},
	"nothing with facts that could not be read": {config: byMasq + "  fallback = 127.0.0.1:80 gate\n",
		spoil: func(f *facts) {
			*f = facts{routes: map[routeQuery]route{{to: addrOf("192.0.2.10")}: {local: true}}}
		}},
	"an address that is not here": {
		config: byGate, spoil: func(f *facts) {
			f.routes[routeQuery{to: addrOf("192.0.2.10")}] = route{}
			f.devices[2].prefixes = f.devices[2].prefixes[:1]
		}, want: "broken virtual-address",
	},
	"an address of IPv6 that is not here": {
		config: byGate6, spoil: func(f *facts) { f.routes[routeQuery{to: addrOf("2001:db8::10")}] = route{} },
		want: "broken virtual-address",
	},
	"an address of no network here, of two services": {
		config: strings.ReplaceAll(byGate, "192.0.2.10", "198.51.100.1") +
			strings.ReplaceAll(byGate, "192.0.2.10:80", "198.51.100.1:443"), want: "broken virtual-address",
	},
	"addresses of a mark that are not here": {
		config: "virtual = 3\n  mark = 192.0.2.11 tcp 80\n  mark = 198.51.100.0/28 tcp 80\n" +
			"  mark = 0.0.0.0/0 udp 53\n  real = 192.0.2.21 gate\n  quiescent = yes\n  checktype = on\n",
		want: "broken virtual-address, broken virtual-address",
	},
	"an address that is announced": {config: "announce = lvs0\n" + byGate, spoil: func(f *facts) {
		f.routes[routeQuery{to: addrOf("192.0.2.10")}] = route{}
		f.devices[2].prefixes = f.devices[2].prefixes[:1]
	}},
	"an address on an interface with arp_ignore": {
		config: byGate, spoil: func(f *facts) { f.settings["net.ipv4.conf.eth0.arp_ignore"] = "1" },
	},
	"an address of a mark that routing by the mark brings here": {
		config: "virtual = 3\n  mark = 192.0.2.11 tcp 80\n  real = 192.0.2.21 gate\n  quiescent = yes\n" +
			"  checktype = on\n",
		spoil: func(f *facts) { f.routes[routeQuery{addrOf("192.0.2.11"), 3}] = route{local: true} },
	},
	"a mark that nothing sets": {
		config: "virtual = 3\n  real = 192.0.2.21:80 gate\n  quiescent = yes\n  checktype = on\n",
		spoil:  func(f *facts) { f.marks = &fwmark.Machine{} }, want: "broken mark-unset",
	},
	"a mark by which packets are routed": {
		config: "virtual = 3\n  real = 192.0.2.21:80 gate\n  quiescent = yes\n  checktype = on\n",
		spoil: func(f *facts) {
			f.marks = &fwmark.Machine{
				Settings: []fwmark.Setting{{Mark: 3, Mask: 0xffffffff}},
				Routing: []fwmark.RoutingRule{{Priority: 100, Mark: 3, Mask: 0xffffffff,
					Table: "isp2"}},
			}
		}, want: "warning mark-routed",
	},
	"an address on lo with arp_ignore": {
		config: byGate, spoil: func(f *facts) {
			f.devices[2].prefixes = f.devices[2].prefixes[:1]
			f.devices[0].prefixes = append(f.devices[0].prefixes, netip.MustParsePrefix("192.0.2.10/32"))
			f.settings["net.ipv4.conf.all.arp_ignore"] = "1"
		}, want: "broken director-silent",
	},
	"a way for checks through the virtual address": {config: through(byGate), spoil: toCheck},
	"a way for checks through an address of IPv6":  {config: through(byGate6)},
	"checks through a virtual address on a loopback": {config: through(byGate),
		spoil: func(f *facts) { toCheck(f); f.settings["net.ipv4.conf.all.rp_filter"] = "2"; away(f) }},
	"answers to checks that would be dropped": {
		config: through(byGate),
		spoil:  func(f *facts) { toCheck(f); f.settings["net.ipv4.conf.all.accept_local"] = "0" },
		want:   "broken check-martian",
	},
	"answers to checks that will be dropped after a promotion": {
		config: through(byGate), spoil: func(f *facts) {
			f.settings["net.ipv4.conf.all.accept_local"] = "0"
			f.routes[routeQuery{to: addrOf("192.0.2.10")}] = route{device: "eth0"}
			f.devices[2].prefixes = f.devices[2].prefixes[:1]
		}, want: "broken virtual-address, broken check-martian",
	},
	"answers to checks that are filtered": {
		config: through(byGate), spoil: func(f *facts) {
			toCheck(f)
			f.settings[ofDevice("eth0",
				reversePath)] = "1"
			away(f)
		}, want: "broken check-filter",
	},
	"answers to checks by the interface of the address": {
		config: through(byGate), spoil: func(f *facts) {
			toCheck(f)
			f.settings[ofDevice("eth0",
				reversePath)] = "1"
		},
	},
	"checks that are sent from a virtual address": {
		config: through(byGate), spoil: func(f *facts) {
			toCheck(f)
			f.routes[routeQuery{to: addrOf("192.0.2.21")}] = route{device: "eth0", mtu: 1500,
				source: addrOf("192.0.2.10")}
		}, want: "broken check-source",
	},
	"checks from a virtual address that the servers have, without checkvip": {
		config: byGate, spoil: func(f *facts) {
			fromVIP(f, addrOf("192.0.2.21"), false)
		}, want: "broken check-source",
	},
	"a virtual address towards masq servers, which do not have it": {
		config: byMasq, spoil: func(f *facts) {
			fromVIP(f, addrOf("192.0.2.21"), false)
		},
	},
	"a virtual address towards the gateway": {
		config: byGate, spoil: func(f *facts) {
			fromVIP(f, client(), true)
		}, want: "warning check-source",
	},
	"servers that nothing looks at through the virtual address": {
		config: byGate, spoil: func(f *facts) {
			toCheck(f)
			asks(f)
			f.settings["net.ipv4.conf.all.accept_local"] = "0"
		}, want: "warning check-martian",
	},
	"servers that nothing looks at, and the virtual address is on another interface": {
		config: byGate, spoil: func(f *facts) {
			toCheck(f)
			asks(f)
			f.settings[ofDevice("eth0", reversePath)] = "1"
			away(f)
		}, want: "warning check-filter",
	},
	"servers that are looked at, also of a standby": {
		config: byGate, spoil: func(f *facts) {
			asks(f)
			f.settings["net.ipv4.conf.all.accept_local"] = "0"
			f.routes[routeQuery{to: addrOf("192.0.2.10")}] = route{device: "eth0"}
			f.devices[2].prefixes = f.devices[2].prefixes[:1]
		}, want: "broken virtual-address",
	},
	"checks of a virtual address without a route": {
		config: through(byGate), spoil: func(f *facts) {
			toCheck(f)
			f.routes[routeQuery{to: addrOf("192.0.2.10")}] = route{}
		}, want: "broken check-route",
	},
	"checks of a virtual address to which the daemon adds a route when it serves": {
		config: "announce = lvs0\n" + through(byGate), spoil: func(f *facts) {
			toCheck(f)
			f.routes[routeQuery{to: addrOf("192.0.2.10")}] = route{}
		}, want: "warning check-route",
	},
	"a server that clients do not reach": {
		config: byGate, spoil: func(f *facts) { answered(f, byGate, notThrough) }, want: "broken server-vip",
	},
	"a server that clients reach": {config: byGate,
		spoil: func(f *facts) { answered(f, byGate, checker.Result{OK: true, Way: checker.WayThrough}) }},
	"a server that is down, at the virtual address too": {
		config: byGate, spoil: func(f *facts) {
			answered(f, byGate,
				checker.Result{Way: checker.WayThrough, Cause: checker.Refused})
		},
	},
	"a server of which nothing can be said": {
		config: byGate, spoil: func(f *facts) {
			answered(f, byGate,
				checker.Result{OK: true, Way: checker.WayVoid})
		},
	},
	"checks that a rule sends elsewhere": {
		config: through(byGate), spoil: func(f *facts) {
			toCheck(f)
			why := "not checked through 192.0.2.10: " + wire.Astray + ": a rule restores marks"
			answered(f, through(byGate),
				checker.Result{OK: true, Way: checker.WayVoid, Warning: why, Detail: "connected"})
		}, want: "broken check-mark",
	},
	"a rule that gives clients the mark of a private service, and one that restores it": {
		config: through(byGate), spoil: func(f *facts) {
			toCheck(f)
			set := fwmark.Setting{BackEnd: fwmark.Legacy, Chain: "PREROUTING", Rule: "-j MARK"}
			set.Mark, set.Mask = 0x4c000000, wholeMark
			restored, low, other := set, set, set
			restored.Restores, low.Mark, other.IPv6 = true, 7, true
			f.marks = &fwmark.Machine{Settings: []fwmark.Setting{set, restored, low, other}}
		}, want: "warning mark-reserved, warning mark-reserved",
	},
	"a reverse path filter of the firewall": {
		config: byGate6, spoil: func(f *facts) {
			behindFirewall(f)
			f.marks = &fwmark.Machine{Filters: []string{"ip6tables -t raw -I PREROUTING -s %s -j ACCEPT"}}
			answered(f, byGate6, notThrough)
		}, want: "broken check-filter",
	},
	"a reverse path filter of IPv6, and a service of IPv4": {
		config: byGate, spoil: func(f *facts) {
			f.marks = &fwmark.Machine{Filters: []string{"ip6tables -t raw -I PREROUTING -s %s -j ACCEPT"}}
			answered(f, byGate, notThrough)
		}, want: "broken server-vip",
	},
	"one server, and a firewall": {
		config: byIPIP, spoil: func(f *facts) { behindFirewall(f); answered(f, byIPIP, notThrough) },
		want: "broken check-firewall, broken server-vip, warning tunnel-mtu",
	},
	"two servers, and a firewall": {
		config: two, spoil: func(f *facts) {
			behindFirewall(f)
			answered(f, two, notThrough,
				notThrough)
		}, want: "broken check-firewall",
	},
	"a firewall that lets one of two through": {
		config: two, spoil: func(f *facts) {
			behindFirewall(f)
			answered(f, two, notThrough,
				checker.Result{Way: checker.WayThrough, Cause: checker.Refused, OwnAnswers: true})
		}, want: "broken server-vip, broken server-vip",
	},
	"a firewall that knows the connections of IPVS": {
		config: two, spoil: func(f *facts) {
			behindFirewall(f)
			f.settings[vsConntrack] = "1"
			answered(f, two, notThrough, notThrough)
		}, want: "broken server-vip, broken server-vip",
	},
	"private services, one of no daemon": {
		config: byGate, spoil: func(f *facts) {
			f.private, f.daemon.Private = []uint32{0x4c000000,
				0x4c000001}, map[uint32]bool{0x4c000000: true}
		},
		want: "warning check-left",
	},
	"a file and a list that are not in force": {
		config: byGate, spoil: func(f *facts) {
			f.daemon.Changed, f.daemon.Lists = "the file has changed since 03:12:00 and is not in force",
				[]string{"list /run/lb/web has changed"}
		},
		want: "warning not-in-force, warning not-in-force",
	},
	"a server that differs from the others, of a section in the file and of one that is no longer": {
		config: byGate, spoil: func(f *facts) {
			const text = "10.2.0.1:80 shows another certificate"
			f.daemon.Differing = map[string][]string{f.services[0].Config.ID: {text},
				"tcp:192.0.2.99:80": {text}}
		},
		want: "warning differs",
	},
	"private services by whose mark packets are routed": {
		config: through(byGate), spoil: func(f *facts) {
			toCheck(f)
			f.private, f.daemon.Private = []uint32{0x4c000000,
				0x4c000001}, map[uint32]bool{0x4c000000: true, 0x4c000001: true}
			f.marks = &fwmark.Machine{Routing: []fwmark.RoutingRule{{Priority: 100, Mark: 1, Mask: 1,
				Table: "isp2"}}}
		}, want: "warning mark-routed",
	},
	"checks whose ports come again": {
		config: through(byGate), spoil: func(f *facts) {
			toCheck(f)
			f.settings[connReuse],
				f.settings[vsConntrack] = "0", "1"
		}, want: "broken port-reuse",
	},
	"no forwarding": {
		config: byMasq, spoil: func(f *facts) { f.settings[forward4] = "0" }, want: "broken forwarding",
	},
	"no forwarding by the servers' device": {
		config: byMasq, spoil: func(f *facts) { f.settings["net.ipv4.conf.eth0.forwarding"] = "0" },
		want: "broken forwarding",
	},
	"no forwarding by a VLAN": {
		config: byMasq, spoil: func(f *facts) {
			f.routes[routeQuery{to: addrOf("192.0.2.21")}] = route{device: "eth0.100", mtu: 1500}
			f.settings[ofDevice("eth0.100", forwards)] = "0"
			f.devices = append(f.devices,
				device{Interface: net.Interface{Name: "eth0.100", Flags: net.FlagUp | net.FlagRunning}})
		}, want: "broken forwarding",
	},
	"forwarding by the servers' device alone": {
		config: byMasq, spoil: func(f *facts) {
			f.settings[forward4],
				f.settings["net.ipv4.conf.eth0.forwarding"] = "0", "1"
		},
	},
	"no forwarding by any device": {
		config: byMasq, spoil: func(f *facts) {
			f.settings[forward4],
				f.settings["net.ipv4.conf.eth0.forwarding"] = "0", "0"
		}, want: "broken forwarding",
	},
	"no forwarding of IPv6": {
		config: strings.ReplaceAll(byGate6, "gate",
			"masq"), spoil: func(f *facts) { f.settings[forward6] = "0" }, want: "broken forwarding",
	},
	"no forwarding by gate": {config: byGate, spoil: func(f *facts) { f.settings[forward4] = "0" }},
	"a server that answers": {
		config: byGate, spoil: answering("02:00:00:00:00:21"), want: "broken server-answers",
	},
	"a server of another service that answers": {
		config: byGate + strings.ReplaceAll(strings.ReplaceAll(byGate, "10:80", "10:81"), "192.0.2.21",
			"192.0.2.22"), spoil: func(f *facts) {
			f.neighbours = neighbours{addrOf("192.0.2.22"): {"02:00:00:00:00:22"},
				addrOf("192.0.2.10"): {"02:00:00:00:00:22"}}
		}, want: "broken server-answers",
	},
	"the active director's answer on one that stands by": {
		config: byGate, spoil: func(f *facts) {
			answering("02:00:00:00:00:99")(f)
			f.routes[routeQuery{to: addrOf("192.0.2.10")}] = route{}
			f.devices[2].prefixes = f.devices[2].prefixes[:1]
		}, want: "broken virtual-address",
	},
	"a stranger that answers": {
		config: byGate, spoil: answering("02:00:00:00:00:99"), want: "warning stranger-answers",
	},
	"a server that keeps silent": {config: byGate, spoil: answering()},
	"marks that can't be set": {
		config: strings.Replace(byGate, "192.0.2.10:80", "3\n  mark = 192.0.2.10 tcp 80", 1),
		spoil: func(f *facts) {
			f.marks = &fwmark.Machine{BackEnd: fwmark.NFT}
			f.unsettable = map[bool]Finding{false: finding("mark-unsettable", "why", "update-alternatives")}
		}, want: "broken mark-unsettable",
	},
	"gate through a router": {
		config: byGate, spoil: func(f *facts) {
			f.routes[routeQuery{to: addrOf("192.0.2.21")}] = route{device: "eth0", gateway: true}
		}, want: "broken gate-routed",
	},
	"a card without a link": {
		config: byGate, spoil: func(f *facts) { f.devices[2].Flags = net.FlagUp }, want: "broken server-card",
	},
	"a card that is not up, and a gateway elsewhere": {
		config: byMasq, spoil: func(f *facts) {
			f.devices[2].Flags = 0
			f.routes[routeQuery{to: addrOf("192.0.2.21")}] = route{device: "lo", gateway: true}
		}, want: "broken server-card",
	},
	"a card that is not up, and no route": {
		config: byMasq, spoil: func(f *facts) {
			f.devices[2].Flags = 0
			f.routes[routeQuery{to: addrOf("192.0.2.21")}] = route{}
		}, want: "broken server-card",
	},
	"a card that is not up, and servers behind a router by another one": {
		config: strings.ReplaceAll(byMasq, "192.0.2.21", "198.51.100.21"), spoil: func(f *facts) {
			f.routes[routeQuery{to: addrOf("198.51.100.21")}] = route{device: "eth0", gateway: true}
		},
	},
	"a card that is gone": {
		config: byMasq, spoil: func(f *facts) { f.devices = f.devices[:2] }, want: "broken server-card",
	},
	"a server without a route": {config: byMasq, spoil: func(f *facts) {
		f.routes[routeQuery{to: addrOf("192.0.2.21")}] = route{}
	}},
	"a server on this machine, and a card that is not up": {
		config: strings.ReplaceAll(byMasq, "192.0.2.21", "192.0.2.1"), spoil: func(f *facts) {
			f.devices[2].Flags = 0
			f.routes[routeQuery{to: addrOf("192.0.2.1")}] = route{local: true, device: "eth0"}
		},
	},
	"what is nearly full": {
		config: byGate, spoil: func(f *facts) {
			f.gauges = []gauge{
				{"conntrack-full", 235930, 262144, trackable}, {"neighbours-full", 922, 1024,
					neighbours4},
				{"neighbours-full", 1024, 1024, neighbours6}, {"connection-table", 40000, 32768, ""},
			}
			f.drops = drops{7, "since the boot"}
		},
		want: "note connection-table, note packets-dropped, warning conntrack-full, warning neighbours-full, " +
			"warning neighbours-full",
	},
	"what is not nearly full": {config: byGate, spoil: func(f *facts) {
		f.gauges = []gauge{{"conntrack-full", 235929, 262144, trackable},
			{"neighbours-full", 921, 1024, neighbours4}, {"neighbours-full", 5, 0, neighbours6}}
	}},
	"a tunnel that is too narrow": {
		config: byIPIP, want: "warning tunnel-mtu",
	},
	"what comes out of a tunnel is filtered": {
		config: byIPIP, spoil: func(f *facts) {
			f.routes[routeQuery{to: addrOf("192.0.2.21")}] = route{device: "eth0", mtu: 1520}
			f.devices = append(f.devices,
				device{Interface: net.Interface{Name: "tunl0", Flags: net.FlagUp}})
			f.settings["net.ipv4.conf.all.rp_filter"], f.settings["net.ipv4.conf.tunl0.rp_filter"] = "0",
				"1"
		}, want: "warning tunnel-filter",
	},
	"what comes out of a tunnel to this very machine is filtered": {
		config: strings.ReplaceAll(byIPIP, "192.0.2.21", "192.0.2.1"), spoil: func(f *facts) {
			f.devices = append(f.devices,
				device{Interface: net.Interface{Name: "tunl0", Flags: net.FlagUp}})
			f.settings["net.ipv4.conf.all.rp_filter"], f.listening[addrPort("192.0.2.10:80")] = "1", true
		}, want: "broken tunnel-filter",
	},
	"NAT without conntrack": {
		config: byMasq, spoil: func(f *facts) { f.nat = "-o eth0 -j MASQUERADE" }, want: "warning conntrack",
	},
	"NAT with conntrack": {config: byMasq,
		spoil: func(f *facts) { f.nat, f.settings[vsConntrack] = "-j MASQUERADE", "1" }},
	"NAT by gate": {config: byGate, spoil: func(f *facts) { f.nat = "-j MASQUERADE" }},
	"clients stay with a quiescent server": {
		config: byGate + "  persistent = 60\n", want: "warning sticky-quiescent",
	},
	"observe without counters": {config: strings.ReplaceAll(byGate, "gate", "masq") +
		"  observe = yes\n", want: "warning blind-observe"},
	"connections to a server that onfail removes": {config: byGate + "  onfail = 30\n",
		want: "warning lost-connections"},
	"clients stay with a server to which onfail gives weight 0": {
		config: strings.ReplaceAll(byGate, "quiescent = yes", "quiescent = no") +
			"  onfail = keep\n  persistent = 60\n", want: "warning sticky-quiescent",
	},
	"onfail keeps connections": {config: strings.ReplaceAll(byGate, "quiescent = yes", "quiescent = no") +
		"  onfail = keep\n"},
	"idle connections": {config: byMasq + "  service = ldap\n",
		spoil: func(f *facts) { f.idle = lvs.Timeouts{900, 120, 300} }, want: "note idle-timeout"},
	"idle connections, remembered": {config: byMasq + "  service = ldap\n",
		spoil: func(f *facts) { f.idle = lvs.Timeouts{7500, 120, 300} }},
	"idle connections of web servers": {config: byMasq,
		spoil: func(f *facts) { f.idle = lvs.Timeouts{900, 120, 300} }},
	"connections to a server that was removed": {
		config: strings.ReplaceAll(byGate, "quiescent = yes",
			"quiescent = no"), want: "warning lost-connections",
	},
	"ports that come again": {
		config: byGate, spoil: func(f *facts) { f.settings[connReuse] = "0" }, want: "warning port-reuse",
	},
	"ports that come again, with conntrack": {config: byGate,
		spoil: func(f *facts) { f.settings[connReuse], f.settings[vsConntrack] = "0", "1" }},
	"a take-over": {
		config: byGate + "  scheduler = mh\n", want: "warning take-over",
	},
	"modules that the kernel lacks": {
		config: byGate + "  scheduler = sed\n",
		spoil: func(f *facts) {
			f.modules = kernelModules{listed: "ipvs/ip_vs.ko:\n",
				loaded: "/nowhere"}
		}, want: "broken missing-module",
	},
	"a kernel without IPVS": {
		config: byGate + "  scheduler = sed\n", spoil: func(f *facts) {
			f.noIPVS, f.modules = finding("no-ipvs", "no module",
				"modprobe ip_vs"), kernelModules{listed: "ipvs/ip_vs_rr.ko:\n", loaded: "/nowhere"}
		}, want: "broken no-ipvs",
	},
	"pings that are forbidden": {
		config: "virtual = 192.0.2.10:53\n  protocol = udp\n  real = 192.0.2.21:53 masq\n  quiescent = yes\n" +
			"  checktype = connect\n",
		spoil: func(f *facts) { f.noPing = true }, want: "warning no-ping",
	},
	"mail without a program": {
		config: byMasq + "  emailalert = root\n",
		spoil:  func(f *facts) { f.noMail = true }, want: "warning no-mail",
	},
	"mail by SMTP without a program": {
		config: byMasq + "  emailalert = root\n  smtp = 192.0.2.25\n",
		spoil:  func(f *facts) { f.noMail = true },
	},
	"pings that are forbidden and not needed": {config: strings.ReplaceAll(byMasq, "= on", "= connect"),
		spoil: func(f *facts) { f.noPing = true }},
	"FTP by masq": {
		config: strings.ReplaceAll(byMasq, "10:80", "10:21"), want: "broken ftp-module",
	},
	"FTP by masq with its module": {config: strings.ReplaceAll(byMasq, "10:80", "10:21"),
		spoil: func(f *facts) { f.ftpLoaded = true }},
	"masq to a loopback address": {
		config: strings.ReplaceAll(byMasq, "192.0.2.21", "127.0.0.1"), want: "broken masq-loopback",
	},
	"a server on the director that listens on its own address alone": {
		config: strings.ReplaceAll(byGate, "192.0.2.21",
			"192.0.2.1"), spoil: func(f *facts) { f.listening[addrPort("192.0.2.1:80")] = true },
		want: "broken own-server",
	},
	"a server on the director that listens": {
		config: strings.ReplaceAll(byGate, "192.0.2.21",
			"192.0.2.1"), spoil: func(f *facts) { f.listening[addrPort("[::]:80")] = true },
	},
	"a fallback server on the director": {
		config: byGate + "  fallback = 127.0.0.1:80 gate\n", want: "warning sorry-server",
	},
	"nothing of an address that is announced, and on no device now": {config: announced, spoil: announces},
	"devices and addresses that are not as they should be": {
		config: announced + "  lastresort = lvs1\n" +
			strings.ReplaceAll(announced, "192.0.2.10", "192.0.2.11") + byGate6, spoil: func(f *facts) {
			announces(f)
			f.faults = []announce.Fault{
				{Device: "lvs0", Text: "device lvs0 is missing",
					Command: "ip link add lvs0 type dummy && ip link set lvs0 up"},
				{Device: "lvs1", Text: "device lvs1 is down", Command: "ip link set lvs1 up"},
				{Device: "lvs2", Text: "device lvs2 is down"},
				{Device: "eth0", Addr: single(addrOf("192.0.2.10")), Text: "is on this device too",
					Command: "ip address del 192.0.2.10/32 dev eth0"},
				{Device: "lvs1", Addr: single(addrOf("192.0.2.12")),
					Text:    "was announced by a daemon that no longer runs",
					Command: "ip address del 192.0.2.12/32 dev lvs1"},
			}
		}, want: "broken announce-device, broken announce-device, warning announce-address, warning " +
			"announce-address",
	},
	"a card in place of a device": {
		config: announced, spoil: func(f *facts) {
			announces(f)
			f.faults = []announce.Fault{{Device: "lvs0", Text: "device lvs0 is not a dummy device"}}
		}, want: "broken announce-device",
	},
	"connections that break with announce": {
		config: announced, spoil: func(f *facts) {
			announces(f)
			f.settings[sloppyTCP] = "0"
		}, want: "broken take-over",
	},
	"nobody to announce": {
		config: announced, spoil: func(f *facts) {
			announces(f)
			f.announcer = false
		}, want: "warning announce-daemon",
	},
	"clients that come by another card than answers go": {
		config: announced, spoil: func(f *facts) {
			announces(f)
			f.announcer, f.routers = false, []netip.Addr{addrOf("10.0.0.254"), addrOf("192.0.2.254"),
				addrOf("2001:db8::fe")}
			f.routes[routeQuery{to: addrOf("10.0.0.254")}] = route{device: "bgp0"}
			f.routes[routeQuery{to: addrOf("192.0.2.254")}] = route{device: "eth0"}
			f.settings["net.ipv4.conf.bgp0.rp_filter"], f.settings["net.ipv4.conf.eth0.rp_filter"] = "1",
				"1"
		}, want: "broken announce-filter",
	},
	"clients that come by another card, loose": {
		config: announced, spoil: func(f *facts) {
			announces(f)
			f.routers = []netip.Addr{addrOf("10.0.0.254")}
			f.routes[routeQuery{to: addrOf("10.0.0.254")}] = route{device: "bgp0"}
			f.settings["net.ipv4.conf.bgp0.rp_filter"], f.settings["net.ipv4.conf.all.rp_filter"] = "1", "2"
		},
	},
	"clients that a rule for a mark takes for this machine": {
		config: announcedMark, spoil: func(f *facts) {
			announces(f)
			f.routes[routeQuery{client(), 3}] = route{local: true}
			f.settings["net.ipv4.conf.all.src_valid_mark"] = "1"
		}, want: "broken announce-mark",
	},
	"a rule for a mark without src_valid_mark": {
		config: announcedMark, spoil: func(f *facts) {
			announces(f)
			f.routes[routeQuery{client(), 3}] = route{local: true}
			f.settings["net.ipv4.conf.all.src_valid_mark"] = "0"
		},
	},
	"a server behind a router, announced": {
		config: announced, spoil: func(f *facts) {
			announces(f)
			f.routes[routeQuery{to: addrOf("192.0.2.21")}] = route{device: "eth0", gateway: true}
		}, want: "broken gate-routed",
	},
	"a fallback server that is away": {
		config: byMasq + "  fallback = 192.0.2.22:8080 masq\n", spoil: func(f *facts) {
			f.refused = map[netip.AddrPort]error{addrPort("192.0.2.22:8080"): syscall.ECONNREFUSED}
		}, want: "warning sorry-server",
	},
}

// Each finding has the expected kind, and is documented. The texts and the commands that fix it are in testdata.
func TestFindings(t *testing.T) {
	doc, err := os.ReadFile("../../docs/doctor.md")
	if err != nil {
		t.Fatal(err)
	}
	var words strings.Builder
	for _, name := range slices.Sorted(maps.Keys(examineCases)) {
		c := examineCases[name]
		var kinds []string
		fmt.Fprintf(&words, "# %s\n", name)
		for _, found := range examine(c.facts(t), "/etc/ld.cf") {
			kinds = append(kinds, found.Severity+" "+found.Kind)
			fmt.Fprintln(&words, found)
			if !strings.Contains(string(doc), "`"+found.Kind+"`") {
				t.Errorf("docs/doctor.md has no %s", found.Kind)
			}
		}
		if got := strings.Join(kinds, ", "); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	const golden = "testdata/findings.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(words.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(golden); err != nil || words.String() != string(want) {
		t.Errorf("%v; got\n%s\nwant what is in %s", err, words.String(), golden)
	}
}

// facts are the healthy facts with the changes of the case.
func (c examineCase) facts(t *testing.T) facts {
	f := healthyFacts()
	f.services = servicesOf(t, c.config)
	for _, q := range routeQueries(f.services) {
		if _, known := f.routes[q]; !known {
			f.routes[q] = route{}
		}
	}
	if c.spoil != nil {
		c.spoil(&f)
	}
	return f
}

// servicesOf are the virtual services of a configuration.
func servicesOf(t *testing.T, config string) []*plan.Service {
	t.Helper()
	cfg, found := parser.Parse(t.Context(), "ld.cf", []byte(config), parser.Options{})
	if found.HasErrors() {
		t.Fatal(found)
	}
	p, found := plan.New(cfg, func(s checker.Spec) (checker.Checker, error) {
		return protocol.New(s, &protocol.Env{Pinger: icmp.NewPinger()})
	})
	if p == nil {
		t.Fatal(found)
	}
	return p.Services
}

func newExamination(services []*plan.Service, facts facts, path string) *examination {
	facts.services = services
	return &examination{facts: facts, path: path}
}

func TestWhatBreaksTrafficComesFirst(t *testing.T) {
	f := healthyFacts()
	f.settings[forward4] = "0"
	f.services = servicesOf(t, byGate+"  persistent = 60\n"+strings.ReplaceAll(byMasq, "10:80", "10:81"))
	found := examine(f, "ld.cf")
	if len(found) != 2 || found[0].Kind != "forwarding" || found[1].Kind != "sticky-quiescent" {
		t.Errorf("%v", found)
	}
}

func TestNeighboursAreAskedForVirtualAddressesAndServers(t *testing.T) {
	f := healthyFacts()
	for i := range f.devices {
		f.devices[i].HardwareAddr = []byte{2, 0, 0, 0, 0, 1}
	}
	f.routes[routeQuery{to: addrOf("192.0.2.99")}] = route{device: "eth0", gateway: true}
	routed := strings.ReplaceAll(strings.ReplaceAll(byGate, "10:80", "10:81"), "192.0.2.21", "192.0.2.99")
	f.services = servicesOf(t, byGate+byGate6+routed+strings.ReplaceAll(byMasq, "10:80", "11:80"))
	var got []string
	for _, q := range f.inquiries() {
		for _, addr := range q.addrs {
			got = append(got, q.device.Name+" "+q.source.String()+" "+addr.String())
		}
	}
	slices.Sort(got)
	const want = "eth0 192.0.2.1 192.0.2.10\neth0 192.0.2.1 192.0.2.21\neth0 2001:db8::1 2001:db8::10\n" +
		"eth0 2001:db8::1 2001:db8::21"
	if strings.Join(got, "\n") != want || len(f.unread) > 0 {
		t.Errorf("got\n%s\nwant\n%s\nnot looked at %v", strings.Join(got, "\n"), want, f.unread)
	}
	f.devices[2].Flags = 0
	f.services = servicesOf(t, byGate)
	if asked := f.inquiries(); len(asked) > 0 || len(f.unread) != 1 {
		t.Errorf("on an interface that is down: %v, not looked at %v", asked, f.unread)
	}
}

func TestWhatBothFamiliesAreAskedOnIsNamedOnce(t *testing.T) {
	var f facts
	f.note("who answers on eth0", nil)
	f.note("who answers on eth0", nil)
	f.note("sockets", nil)
	if want := []string{"who answers on eth0", "sockets"}; !slices.Equal(f.looked, want) {
		t.Errorf("got %q, want %q", f.looked, want)
	}
}

func TestAnswersOfNeighboursAreRead(t *testing.T) {
	reply := []byte{0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 0x21, 192, 0, 2, 10, 2, 0, 0, 0, 0, 1, 192, 0, 2, 1}
	if addr, hardware, ok := (arp{}).read(reply); !ok || addr != addrOf("192.0.2.10") ||
		hardware != "02:00:00:00:00:21" {
		t.Error(addr, hardware, ok)
	}
	target := addrOf("2001:db8::10").AsSlice()
	advertisement := slices.Concat([]byte{136, 0, 0, 0, 0x60, 0, 0, 0}, target, []byte{14, 1, 0, 0, 0, 0, 0, 0},
		[]byte{2, 1, 2, 0, 0, 0, 0, 0x21})
	if addr, hardware, ok := (discovery{}).read(advertisement); !ok || addr != addrOf("2001:db8::10") ||
		hardware != "02:00:00:00:00:21" {
		t.Error(addr, hardware, ok)
	}
	for n := range reply {
		if _, _, ok := (arp{}).read(reply[:n]); ok {
			t.Errorf("an ARP packet of %d bytes is read", n)
		}
	}
	request := inquiry{device: device{Interface: net.Interface{HardwareAddr: []byte{2, 0, 0, 0, 0, 1}}},
		source: addrOf("192.0.2.1")}.request(addrOf("192.0.2.10"))
	if _, _, ok := (arp{}).read(request); ok || len(request) != arpLength {
		t.Error("a request is taken for a reply")
	}
	for n := range advertisement {
		if _, _, ok := (discovery{}).read(advertisement[:n]); ok {
			t.Errorf("an advertisement of %d bytes is read", n)
		}
	}
	advertisement[25] = 0 // an option of length 0
	if _, _, ok := (discovery{}).read(advertisement); ok {
		t.Error("an endless option is read")
	}
}

func FuzzAnswersOfNeighbours(f *testing.F) {
	f.Add([]byte{0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 0x21, 192, 0, 2, 10, 2, 0, 0, 0, 0, 1, 192, 0, 2, 1})
	f.Add(slices.Concat([]byte{136, 0, 0, 0, 0x60, 0, 0, 0}, make([]byte, 16), []byte{2, 1, 2, 0, 0, 0, 0, 0x21}))
	f.Fuzz(func(t *testing.T, packet []byte) {
		for _, parse := range []func([]byte) (netip.Addr, string, bool){arp{}.read, discovery{}.read} {
			if addr, hardware, ok := parse(packet); ok && (!addr.IsValid() || len(hardware) != 17) {
				t.Errorf("%s %q", addr, hardware)
			}
		}
	})
}

func TestListeningSocketsAreRead(t *testing.T) {
	l := listeners{}
	err := readSockets(strings.NewReader(`  sl  local_address rem_address   st tx_queue rx_queue
   0: 0A0200C0:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   1: 0B0200C0:0050 00000000:0000 01 00000000:00000000 00:00000000 00000000     0        0 1 1
   2: 00000000:0051 00000000:0000 0A
   3: B80D0120000000000000000010000000:0052 00000000000000000000000000000000:0000 0A
   4: 0000000000000000FFFF00000A0200C0:0053 00000000000000000000000000000000:0000 0A
   5: zz:0054 0 0A
   6: 00:0054 0 0A
   7:
`), stateListen, l.add)
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]bool{
		"192.0.2.10:80": true, "192.0.2.11:80": false, "192.0.2.10:81": true, "[2001:db8::10]:81": false,
		"[2001:db8::10]:82": true, "192.0.2.10:83": true, "192.0.2.10:84": false,
	} {
		if got := l.accepts(addrPort(addr)); got != want {
			t.Errorf("%s: %v, want %v", addr, got, want)
		}
	}
}
