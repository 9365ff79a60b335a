package doctor

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"ldirectord/checker"
	"ldirectord/director"
	"ldirectord/fwmark"
	"ldirectord/parser"
)

const (
	byGate  = "virtual = 192.0.2.10:80\n  real = 192.0.2.21:80 gate\n  quiescent = yes\n  checktype = on\n"
	byMasq  = "virtual = 192.0.2.10:80\n  real = 192.0.2.21:80 masq\n  quiescent = yes\n  checktype = on\n"
	byIPIP  = "virtual = 192.0.2.10:80\n  real = 192.0.2.21:80 ipip\n  quiescent = yes\n  checktype = on\n"
	byGate6 = "virtual6 = [2001:db8::10]:80\n  real6 = [2001:db8::21]:80 gate\n  quiescent = yes\n  checktype = on\n"
)

func addrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func addrOf(s string) netip.Addr { return netip.MustParseAddr(s) }

// healthyFacts are those of a director on which nothing is to be found.
func healthyFacts() facts {
	server := route{device: "eth0", mtu: 1500}
	return facts{
		devices: []device{
			{name: "lo", index: 1, mtu: 65536, up: true, loopback: true, prefixes: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/8")}},
			{name: "eth9", index: 9, mtu: 1500, prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.9/24")}}, // down
			{name: "eth0", index: 2, mtu: 1500, up: true, prefixes: []netip.Prefix{
				netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("192.0.2.10/32"), netip.MustParsePrefix("2001:db8::1/64"),
			}},
		},
		ways: map[way]route{
			{to: addrOf("192.0.2.10")}: {local: true}, {to: addrOf("2001:db8::10")}: {local: true}, {to: addrOf("192.0.2.1")}: {local: true},
			{to: addrOf("192.0.2.21")}: server, {to: addrOf("2001:db8::21")}: server, {to: addrOf("192.0.2.11")}: server,
		},
		settings: map[string]string{
			forward4: "1", forward6: "1", expireTemplate: "0", expireNoDest: "0", connReuse: "1", sloppyTCP: "0", vsConntrack: "0",
			"net.ipv4.conf.all.arp_ignore": "0", "net.ipv4.conf.eth0.arp_ignore": "0",
		},
		listening: listeners{}, loaded: map[string]bool{},
	}
}

func TestEachFaultIsNamedWithWhatMendsIt(t *testing.T) {
	doc, err := os.ReadFile("../docs/doctor.md")
	if err != nil {
		t.Fatal(err)
	}
	answers := func(hardware ...string) func(*facts) {
		return func(f *facts) {
			f.holders = holders{addrOf("192.0.2.21"): {"02:00:00:00:00:21"}, addrOf("192.0.2.10"): hardware}
		}
	}
	for name, c := range map[string]struct {
		config string
		spoil  func(*facts)
		want   string // the faults, a line each
	}{
		"nothing by gate":         {config: byGate},
		"nothing by masq":         {config: byMasq},
		"nothing by gate of IPv6": {config: byGate6},
		"nothing with facts that could not be read": {config: byMasq + "  fallback = 127.0.0.1:80 gate\n", spoil: func(f *facts) {
			*f = facts{ways: map[way]route{{to: addrOf("192.0.2.10")}: {local: true}}}
		}},
		"an address that is not here": {
			config: byGate, spoil: func(f *facts) {
				delete(f.ways, way{to: addrOf("192.0.2.10")})
				f.devices[2].prefixes = f.devices[2].prefixes[:1]
			},
			want: "broken: tcp:192.0.2.10:80: 192.0.2.10 is on no interface of this machine, so its packets don't reach the virtual service; " +
				"to mend it: ip address add 192.0.2.10/32 dev eth0",
		},
		"an address of IPv6 that is not here": {
			config: byGate6, spoil: func(f *facts) { delete(f.ways, way{to: addrOf("2001:db8::10")}) },
			want: "broken: tcp:[2001:db8::10]:80: 2001:db8::10 is on no interface of this machine, so its packets don't reach the virtual service; " +
				"to mend it: ip address add 2001:db8::10/128 dev eth0 nodad",
		},
		"an address of no network here, of two services": {
			config: strings.ReplaceAll(byGate, "192.0.2.10", "198.51.100.1") + strings.ReplaceAll(byGate, "192.0.2.10:80", "198.51.100.1:443"),
			want: "broken: tcp:198.51.100.1:80 and 1 more: 198.51.100.1 is on no interface of this machine, so its packets don't reach the virtual service; " +
				"to mend it: ip address add 198.51.100.1/32 dev lo",
		},
		"addresses of a mark that are not here": {
			config: "virtual = 3\n  mark = 192.0.2.11 tcp 80\n  mark = 198.51.100.0/28 tcp 80\n  mark = 0.0.0.0/0 udp 53\n  real = 192.0.2.21 gate\n  quiescent = yes\n  checktype = on\n",
			want: "broken: fwm:3: 192.0.2.11 is on no interface of this machine, so its packets don't reach the virtual service; to mend it: ip address add 192.0.2.11/32 dev eth0\n" +
				"broken: fwm:3: no address of 198.51.100.0/28 is on an interface of this machine, so its packets don't reach the virtual service; to mend it: ip route add local 198.51.100.0/28 dev lo",
		},
		"an address on an interface with arp_ignore": {
			config: byGate, spoil: func(f *facts) { f.settings["net.ipv4.conf.eth0.arp_ignore"] = "1" },
		},
		"an address of a mark that routing by the mark brings here": {
			config: "virtual = 3\n  mark = 192.0.2.11 tcp 80\n  real = 192.0.2.21 gate\n  quiescent = yes\n  checktype = on\n",
			spoil:  func(f *facts) { f.ways[way{addrOf("192.0.2.11"), 3}] = route{local: true} },
		},
		"a mark that nothing sets": {
			config: "virtual = 3\n  real = 192.0.2.21:80 gate\n  quiescent = yes\n  checktype = on\n", spoil: func(f *facts) { f.marks = &fwmark.Machine{} },
			want: "broken: fwm:3: nothing sets mark 3 here, so the virtual service gets no packets; mark = ADDRESS PROTOCOL PORTS has the daemon set it",
		},
		"a mark by which packets are routed": {
			config: "virtual = 3\n  real = 192.0.2.21:80 gate\n  quiescent = yes\n  checktype = on\n", spoil: func(f *facts) {
				f.marks = &fwmark.Machine{
					Settings: []fwmark.Setting{{Mark: 3, Mask: 0xffffffff}},
					Routing:  []fwmark.RoutingRule{{Priority: 100, Mark: 3, Mask: 0xffffffff, Table: "isp2"}},
				}
			},
			want: "warning: fwm:3: mark 3 is used by ip rule 100, which sends its packets to table isp2",
		},
		"an address on lo with arp_ignore": {
			config: byGate, spoil: func(f *facts) {
				f.devices[2].prefixes = f.devices[2].prefixes[:1]
				f.devices[0].prefixes = append(f.devices[0].prefixes, netip.MustParsePrefix("192.0.2.10/32"))
				f.settings["net.ipv4.conf.all.arp_ignore"] = "1"
			},
			want: "broken: tcp:192.0.2.10:80: the address 192.0.2.10 is on lo and arp_ignore is set, so this machine does not answer for it on eth0; " +
				"to mend it: ip address add 192.0.2.10/32 dev eth0",
		},
		"no forwarding": {
			config: byMasq, spoil: func(f *facts) { f.settings[forward4] = "0" },
			want: "broken: tcp:192.0.2.10:80: answers of masq servers do not get back to clients: this machine does not forward; to mend it: sysctl -w net.ipv4.ip_forward=1",
		},
		"no forwarding by the servers' device": {
			config: byMasq, spoil: func(f *facts) { f.settings["net.ipv4.conf.eth0.forwarding"] = "0" },
			want: "broken: tcp:192.0.2.10:80: answers of masq servers do not get back to clients: this machine does not forward; to mend it: sysctl -w net.ipv4.conf.eth0.forwarding=1",
		},
		"no forwarding by a VLAN": {
			config: byMasq, spoil: func(f *facts) {
				f.ways[way{to: addrOf("192.0.2.21")}] = route{device: "eth0.100", mtu: 1500}
				f.settings[ofDevice("eth0.100", forwards)] = "0"
			},
			want: "broken: tcp:192.0.2.10:80: answers of masq servers do not get back to clients: this machine does not forward; to mend it: sysctl -w net.ipv4.conf.eth0/100.forwarding=1",
		},
		"forwarding by the servers' device alone": {
			config: byMasq, spoil: func(f *facts) { f.settings[forward4], f.settings["net.ipv4.conf.eth0.forwarding"] = "0", "1" },
		},
		"no forwarding by any device": {
			config: byMasq, spoil: func(f *facts) { f.settings[forward4], f.settings["net.ipv4.conf.eth0.forwarding"] = "0", "0" },
			want: "broken: tcp:192.0.2.10:80: answers of masq servers do not get back to clients: this machine does not forward; to mend it: sysctl -w net.ipv4.ip_forward=1",
		},
		"no forwarding of IPv6": {
			config: strings.ReplaceAll(byGate6, "gate", "masq"), spoil: func(f *facts) { f.settings[forward6] = "0" },
			want: "broken: tcp:[2001:db8::10]:80: answers of masq servers do not get back to clients: this machine does not forward; to mend it: sysctl -w net.ipv6.conf.all.forwarding=1",
		},
		"no forwarding by gate": {config: byGate, spoil: func(f *facts) { f.settings[forward4] = "0" }},
		"a server that answers": {
			config: byGate, spoil: answers("02:00:00:00:00:21"),
			want: "broken: tcp:192.0.2.10:80: real server 192.0.2.21 answers for the virtual address 192.0.2.10 on the network, so clients find it in place of this director; " +
				"to mend it: ldirectord '/etc/ld.cf' realserver-script 192.0.2.21 | ssh root@192.0.2.21 sh -s start",
		},
		"a server of another service that answers": {
			config: byGate + strings.ReplaceAll(strings.ReplaceAll(byGate, "10:80", "10:81"), "192.0.2.21", "192.0.2.22"), spoil: func(f *facts) {
				f.holders = holders{addrOf("192.0.2.22"): {"02:00:00:00:00:22"}, addrOf("192.0.2.10"): {"02:00:00:00:00:22"}}
			},
			want: "broken: tcp:192.0.2.10:80 and 1 more: real server 192.0.2.22 answers for the virtual address 192.0.2.10 on the network, so clients find it in place of this director; " +
				"to mend it: ldirectord '/etc/ld.cf' realserver-script 192.0.2.22 | ssh root@192.0.2.22 sh -s start",
		},
		"the active director's answer on one that stands by": {
			config: byGate, spoil: func(f *facts) {
				answers("02:00:00:00:00:99")(f)
				delete(f.ways, way{to: addrOf("192.0.2.10")})
				f.devices[2].prefixes = f.devices[2].prefixes[:1]
			},
			want: "broken: tcp:192.0.2.10:80: 192.0.2.10 is on no interface of this machine, so its packets don't reach the virtual service; " +
				"to mend it: ip address add 192.0.2.10/32 dev eth0",
		},
		"a stranger that answers": {
			config: byGate, spoil: answers("02:00:00:00:00:99"),
			want: "warning: tcp:192.0.2.10:80: a machine that is not a real server (02:00:00:00:00:99) answers for the virtual address 192.0.2.10 as well; find out which; " +
				"to mend it: arping -c 3 -I eth0 192.0.2.10",
		},
		"a server that keeps silent": {config: byGate, spoil: answers()},
		"gate through a router": {
			config: byGate, spoil: func(f *facts) { f.ways[way{to: addrOf("192.0.2.21")}] = route{device: "eth0", gateway: true} },
			want: "broken: tcp:192.0.2.10:80: 192.0.2.21 is behind a router, which gate can't pass: packets keep the virtual address; use ipip for it",
		},
		"a tunnel that is too narrow": {
			config: byIPIP, want: "warning: tcp:192.0.2.10:80: packets of 1500 bytes do not fit into the tunnel on eth0, which takes 1500 with its header: clients whose ICMP is filtered hang; " +
				"raise the MTU where the network allows it, or let the servers offer less (TCPMSS --set-mss 1440); to mend it: ip link set dev eth0 mtu 1520",
		},
		"what comes out of a tunnel is filtered": {
			config: byIPIP, spoil: func(f *facts) {
				f.ways[way{to: addrOf("192.0.2.21")}] = route{device: "eth0", mtu: 1520}
				f.devices = append(f.devices, device{name: "tunl0", up: true})
				f.settings["net.ipv4.conf.all.rp_filter"], f.settings["net.ipv4.conf.tunl0.rp_filter"] = "0", "1"
			},
			want: "warning: tcp:192.0.2.10:80: this machine has tunl0 up and drops what comes out of it: its clients are reached by another interface (rp_filter); " +
				"to mend it: sysctl -w net.ipv4.conf.tunl0.rp_filter=2",
		},
		"what comes out of a tunnel to this very machine is filtered": {
			config: strings.ReplaceAll(byIPIP, "192.0.2.21", "192.0.2.1"), spoil: func(f *facts) {
				f.devices = append(f.devices, device{name: "tunl0", up: true})
				f.settings["net.ipv4.conf.all.rp_filter"], f.listening[addrPort("192.0.2.10:80")] = "1", true
			},
			want: "broken: tcp:192.0.2.10:80: this machine has tunl0 up and drops what comes out of it: its clients are reached by another interface (rp_filter); " +
				"to mend it: sysctl -w net.ipv4.conf.tunl0.rp_filter=2",
		},
		"NAT without conntrack": {
			config: byMasq, spoil: func(f *facts) { f.nat = "-o eth0 -j MASQUERADE" },
			want: "warning: tcp:192.0.2.10:80: rules of NAT do not act on what IPVS forwards, which conntrack does not see: -o eth0 -j MASQUERADE; to mend it: sysctl -w net.ipv4.vs.conntrack=1",
		},
		"NAT with conntrack": {config: byMasq, spoil: func(f *facts) { f.nat, f.settings[vsConntrack] = "-j MASQUERADE", "1" }},
		"NAT by gate":        {config: byGate, spoil: func(f *facts) { f.nat = "-j MASQUERADE" }},
		"clients stay with a quiescent server": {
			config: byGate + "  persistent = 60\n",
			want:   "warning: tcp:192.0.2.10:80: clients stay with a quiescent server until their persistence ends; to mend it: sysctl -w net.ipv4.vs.expire_quiescent_template=1",
		},
		"connections to a server that was removed": {
			config: strings.ReplaceAll(byGate, "quiescent = yes", "quiescent = no"),
			want: "warning: tcp:192.0.2.10:80: without quiescent a failed server is removed, and its open connections hang until they time out instead of ending at once; " +
				"to mend it: sysctl -w net.ipv4.vs.expire_nodest_conn=1",
		},
		"ports that come again": {
			config: byGate, spoil: func(f *facts) { f.settings[connReuse] = "0" },
			want: "warning: tcp:192.0.2.10:80: a client that uses a port again is sent to its old server, even to one of weight 0; to mend it: sysctl -w net.ipv4.vs.conn_reuse_mode=1",
		},
		"ports that come again, with conntrack": {config: byGate, spoil: func(f *facts) { f.settings[connReuse], f.settings[vsConntrack] = "0", "1" }},
		"a take-over": {
			config: byGate + "  scheduler = mh\n",
			want: "warning: tcp:192.0.2.10:80: a director that takes over drops open connections, though mh would send them to the same server; matters with two directors; " +
				"to mend it: sysctl -w net.ipv4.vs.sloppy_tcp=1",
		},
		"modules that the kernel lacks": {
			config: byGate + "  scheduler = sed\n", spoil: func(f *facts) { f.modules = kernelModules{listed: []string{"ip_vs"}, loaded: "/nowhere"} },
			want: "broken: tcp:192.0.2.10:80: this machine's kernel has no module ip_vs_sed: the virtual service cannot be set up, or stays as it is; install the package that has it",
		},
		"a kernel without IPVS": {
			config: byGate + "  scheduler = sed\n", spoil: func(f *facts) {
				f.noIPVS, f.modules = absence{"no module", "modprobe ip_vs"}, kernelModules{listed: []string{"ip_vs_rr"}, loaded: "/nowhere"}
			},
			want: "broken: tcp:192.0.2.10:80: the kernel has no IPVS, so no virtual service can be set up: no module; to mend it: modprobe ip_vs",
		},
		"FTP by masq": {
			config: strings.ReplaceAll(byMasq, "10:80", "10:21"),
			want:   "broken: tcp:192.0.2.10:21: data connections of FTP do not pass masq: ip_vs_ftp is not loaded, and the kernel does not load it by itself; to mend it: modprobe ip_vs_ftp",
		},
		"FTP by masq with its module": {config: strings.ReplaceAll(byMasq, "10:80", "10:21"), spoil: func(f *facts) { f.loaded[ftpModule] = true }},
		"masq to a loopback address": {
			config: strings.ReplaceAll(byMasq, "192.0.2.21", "127.0.0.1"),
			want:   "broken: tcp:192.0.2.10:80: 127.0.0.1:80 is never reached: the kernel drops what comes from outside for a loopback address; use gate for it",
		},
		"a server on the director that listens on its own address alone": {
			config: strings.ReplaceAll(byGate, "192.0.2.21", "192.0.2.1"), spoil: func(f *facts) { f.listening[addrPort("192.0.2.1:80")] = true },
			want: "broken: tcp:192.0.2.10:80: real server 192.0.2.1:80 is this machine, where nothing listens on 192.0.2.10:80: what comes for the virtual service keeps its address and port; " +
				"have it listen there or on every address",
		},
		"a server on the director that listens": {
			config: strings.ReplaceAll(byGate, "192.0.2.21", "192.0.2.1"), spoil: func(f *facts) { f.listening[addrPort("[::]:80")] = true },
		},
		"a sorry server on the director": {
			config: byGate + "  fallback = 127.0.0.1:80 gate\n",
			want: "warning: tcp:192.0.2.10:80: sorry server 127.0.0.1:80 is this machine, where nothing listens on 192.0.2.10:80: what comes for the virtual service keeps its address and port; " +
				"have it listen there or on every address",
		},
		"a sorry server that is away": {
			config: byMasq + "  fallback = 192.0.2.22:8080 masq\n", spoil: func(f *facts) {
				f.refused = map[netip.AddrPort]error{addrPort("192.0.2.22:8080"): syscall.ECONNREFUSED}
			},
			want: "warning: tcp:192.0.2.10:80: sorry server 192.0.2.22:8080 accepts no connection: connection refused; start it",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := healthyFacts()
			if c.spoil != nil {
				c.spoil(&f)
			}
			var lines []string
			for _, found := range examine(servicesOf(t, c.config), f, "/etc/ld.cf") {
				lines = append(lines, found.String())
				if !strings.Contains(string(doc), "`"+found.Kind+"`") {
					t.Errorf("docs/doctor.md does not know %s", found.Kind)
				}
			}
			if got := strings.Join(lines, "\n"); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// servicesOf are the virtual services of a configuration.
func servicesOf(t *testing.T, config string) []director.Service {
	t.Helper()
	cfg, found := parser.Parse(t.Context(), "ld.cf", []byte(config), parser.Options{})
	if found.HasErrors() {
		t.Fatal(found)
	}
	plan, found := director.NewPlan(cfg, func(s checker.Spec) (checker.Checker, error) { return checker.New(s, &checker.Env{}) })
	if plan == nil {
		t.Fatal(found)
	}
	return plan.Services("")
}

func TestWhatBreaksTrafficComesFirst(t *testing.T) {
	f := healthyFacts()
	f.settings[forward4] = "0"
	found := examine(servicesOf(t, byGate+"  persistent = 60\n"+strings.ReplaceAll(byMasq, "10:80", "10:81")), f, "ld.cf")
	if len(found) != 2 || found[0].Kind != "forwarding" || found[1].Kind != "sticky-quiescent" {
		t.Errorf("%v", found)
	}
}

func TestNeighboursAreAskedForVirtualAddressesAndServers(t *testing.T) {
	f := healthyFacts()
	for i := range f.devices {
		f.devices[i].hardware = []byte{2, 0, 0, 0, 0, 1}
	}
	f.ways[way{to: addrOf("192.0.2.99")}] = route{device: "eth0", gateway: true}
	routed := strings.ReplaceAll(strings.ReplaceAll(byGate, "10:80", "10:81"), "192.0.2.21", "192.0.2.99")
	asked := f.questions(servicesOf(t, byGate+byGate6+routed+strings.ReplaceAll(byMasq, "10:80", "11:80")))
	var got []string
	for _, questions := range asked {
		for _, q := range questions {
			got = append(got, q.device.name+" "+q.source.String()+" "+q.addr.String())
		}
	}
	slices.Sort(got)
	const want = "eth0 192.0.2.1 192.0.2.10\neth0 192.0.2.1 192.0.2.21\neth0 2001:db8::1 2001:db8::10\neth0 2001:db8::1 2001:db8::21"
	if strings.Join(got, "\n") != want || len(f.unread) > 0 {
		t.Errorf("got\n%s\nwant\n%s\nnot looked at %v", strings.Join(got, "\n"), want, f.unread)
	}
	f.devices[2].up = false
	if asked := f.questions(servicesOf(t, byGate)); len(asked) > 0 || len(f.unread) != 1 {
		t.Errorf("on an interface that is down: %v, not looked at %v", asked, f.unread)
	}
}

func TestAnswersOfNeighboursAreRead(t *testing.T) {
	reply := []byte{0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 0x21, 192, 0, 2, 10, 2, 0, 0, 0, 0, 1, 192, 0, 2, 1}
	if addr, hardware, ok := parseARP(reply); !ok || addr != addrOf("192.0.2.10") || hardware != "02:00:00:00:00:21" {
		t.Error(addr, hardware, ok)
	}
	target := addrOf("2001:db8::10").AsSlice()
	advertisement := slices.Concat([]byte{136, 0, 0, 0, 0x60, 0, 0, 0}, target, []byte{14, 1, 0, 0, 0, 0, 0, 0}, []byte{2, 1, 2, 0, 0, 0, 0, 0x21})
	if addr, hardware, ok := parseAdvertisement(advertisement); !ok || addr != addrOf("2001:db8::10") || hardware != "02:00:00:00:00:21" {
		t.Error(addr, hardware, ok)
	}
	for n := range reply {
		if _, _, ok := parseARP(reply[:n]); ok {
			t.Errorf("an ARP packet of %d bytes is read", n)
		}
	}
	request := arpRequest(question{device: device{hardware: []byte{2, 0, 0, 0, 0, 1}}, source: addrOf("192.0.2.1"), addr: addrOf("192.0.2.10")})
	if _, _, ok := parseARP(request); ok || len(request) != arpLength {
		t.Error("a request is taken for a reply")
	}
	for n := range advertisement {
		if _, _, ok := parseAdvertisement(advertisement[:n]); ok {
			t.Errorf("an advertisement of %d bytes is read", n)
		}
	}
	advertisement[25] = 0 // an option of no length
	if _, _, ok := parseAdvertisement(advertisement); ok {
		t.Error("an endless option is read")
	}
}

func FuzzAnswersOfNeighbours(f *testing.F) {
	f.Add([]byte{0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 0x21, 192, 0, 2, 10, 2, 0, 0, 0, 0, 1, 192, 0, 2, 1})
	f.Add(slices.Concat([]byte{136, 0, 0, 0, 0x60, 0, 0, 0}, make([]byte, 16), []byte{2, 1, 2, 0, 0, 0, 0, 0x21}))
	f.Fuzz(func(t *testing.T, packet []byte) {
		for _, parse := range []func([]byte) (netip.Addr, string, bool){parseARP, parseAdvertisement} {
			if addr, hardware, ok := parse(packet); ok && (!addr.IsValid() || len(hardware) != 17) {
				t.Errorf("%s %q", addr, hardware)
			}
		}
	})
}

func TestListeningSocketsAreRead(t *testing.T) {
	l := listeners{}
	err := l.read(strings.NewReader(`  sl  local_address rem_address   st tx_queue rx_queue
   0: 0A0200C0:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   1: 0B0200C0:0050 00000000:0000 01 00000000:00000000 00:00000000 00000000     0        0 1 1
   2: 00000000:0051 00000000:0000 0A
   3: B80D0120000000000000000010000000:0052 00000000000000000000000000000000:0000 0A
   4: 0000000000000000FFFF00000A0200C0:0053 00000000000000000000000000000000:0000 0A
   5: zz:0054 0 0A
   6: 00:0054 0 0A
   7:
`))
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]bool{
		"192.0.2.10:80": true, "192.0.2.11:80": false, "192.0.2.10:81": true, "[2001:db8::10]:81": false,
		"[2001:db8::10]:82": true, "192.0.2.10:83": true, "192.0.2.10:84": false,
	} {
		if got := l.takes(addrPort(addr)); got != want {
			t.Errorf("%s: %v, want %v", addr, got, want)
		}
	}
}
