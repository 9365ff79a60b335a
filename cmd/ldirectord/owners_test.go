package main

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/lvs"
	"ldirectord/internal/plan"
	"ldirectord/internal/testkit"
	"ldirectord/internal/testkit/plans"
	"ldirectord/ipvsctl"
	"ldirectord/parser"
)

func addrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// servicesOf are the virtual services of a configuration.
func servicesOf(t *testing.T, text string) []*plan.Service {
	t.Helper()
	never := func(checker.Spec) (checker.Checker, error) { return nil, nil }
	return plans.Of(t, text, parser.Options{}, never).Services
}

func tcp(addr string) lvs.Key {
	a := addrPort(addr)
	return lvs.Key{Protocol: lvs.TCP, Addr: a, IPv6: a.Addr().Is6()}
}

func TestOwnerOfAConnection(t *testing.T) {
	services := servicesOf(t, testkit.Read(t, "../../testdata/connections/owners.cf"))
	services[8].Entries[0].Dest.Addr = addrPort("10.2.0.6:0") // of IPv4, through a tunnel
	foreign := tcp("10.9.0.1:80")
	o := newOwners(services, lvs.Table{foreign: {Key: foreign}}, nil, "")
	protocols := map[string]lvs.Protocol{"tcp": lvs.TCP, "udp": lvs.UDP, "mark": lvs.Mark}
	for _, row := range testkit.Table(t, "../../testdata/connections/owners.txt", 6) {
		var ids []string
		for _, b := range o.of(ipvsctl.Connection{Protocol: protocols[row[1]], Client: addrPort(row[2]),
			Virtual: addrPort(row[3]), Dest: addrPort(row[4])}) {
			ids = append(ids, b.Config.ID)
		}
		testkit.Equal(t, strings.Join(ids, " or "), row[5], row[0])
	}
}

// The connection template of a firewall mark has no protocol and no address: the mark is shown.
func TestALineOfAMarksTemplate(t *testing.T) {
	o := newOwners(servicesOf(t, "virtual = 3\n\treal = 10.2.0.1:80 masq\n"), nil, nil, "")
	line, shown := o.line(ipvsctl.Connection{Protocol: lvs.Mark, Client: addrPort("10.0.0.1:0"),
		Virtual: addrPort("0.0.0.3:0"), Dest: addrPort("10.2.0.1:0"), State: "NONE"})
	if !shown || line.Protocol != "mark" || line.To != "" || line.Kind != "template" {
		t.Errorf("shown %t: %+v", shown, line)
	}
}

func TestServerBesideAConnectionIsAsTheTableShowsIt(t *testing.T) {
	key := tcp("10.1.0.1:80")
	services := servicesOf(t, "virtual = 10.1.0.1:80\n\tfallback = 10.2.0.6:80 masq\n"+
		"\treal = 10.2.0.1->10.2.0.4:80 masq\n\treal = 10.2.0.5:80 masq 0\n")
	var dests lvs.Dests
	for addr, weight := range map[string]uint32{"10.2.0.1:80": 1, "10.2.0.2:80": 0, "10.2.0.4:80": 0,
		"10.2.0.5:80": 0, "10.2.0.9:80": 3} {
		dests.Put(lvs.Dest{Addr: addrPort(addr), Weight: weight})
	}
	table := lvs.Table{key: {Key: key, Dests: dests}}
	told := map[lvs.Backend]string{
		{Virtual: "tcp:10.1.0.1:80", Real: "10.2.0.4:80"}: "drained",
		{Virtual: "tcp:10.1.0.1:80", Real: "10.2.0.3:80"}: "maintenance",
		{Virtual: "tcp:10.1.0.2:80", Real: "10.2.0.1:80"}: "down", // a server of another virtual service
	}
	b := newOwners(services, table, told, "").services[0]
	for addr, want := range map[string]string{
		"10.2.0.1:80":  "up",
		"10.2.0.2:80":  "down",
		"10.2.0.3:80":  "maintenance", // as the daemon reports it
		"10.2.0.4:80":  "drained",
		"10.2.0.5:80":  "up",
		"10.2.0.6:80":  "standby",
		"10.2.0.9:80":  "not configured",
		"10.2.0.10:80": "not configured",
		"10.2.0.1:0":   "up", // the port of a template
	} {
		testkit.Equal(t, b.server(addrPort(addr)).ServerState, want, addr)
	}
	dests.Put(lvs.Dest{Addr: addrPort("10.2.0.6:80"), Weight: 1})
	table[key] = lvs.VirtualService{Key: key, Dests: dests}
	b = newOwners(services, table, told, "").services[0]
	testkit.Equal(t, b.server(addrPort("10.2.0.6:80")).ServerState, "fallback", "the fallback server in the table")
}

func TestConnectionsShowNothingRawThatAClientChose(t *testing.T) {
	var out strings.Builder
	text := newConnectionPrinter(&out, false, nil)
	text.connection(connectionLine{Engine: "sip", EngineData: "a\x1b[2J\n\xffb", State: "NONE", Expires: 3599})
	testkit.Contains(t, out.String(), `59:59  sip "a\x1b[2J\n\xffb"`)
}

// The example in docs/doctor.md is the output of connections.
func TestConnectionsAsAPersonSeesThem(t *testing.T) {
	key, mark := tcp("192.0.2.10:80"), lvs.Key{Mark: 3}
	services := servicesOf(t, "virtual = 192.0.2.10:80\n\treal = 192.0.2.21:80 masq\n"+
		"virtual = 3\n\treal = 192.0.2.22:0 masq\n")
	dest := lvs.Dest{Addr: addrPort("192.0.2.21:80"), Weight: 1}
	table := lvs.Table{
		key: {Key: key, Dests: lvs.Dests{dest},
			Counters: map[netip.AddrPort]lvs.Counters{dest.Addr: {Active: 1, Persistent: 1}}},
		mark: {Key: mark,
			Counters: map[netip.AddrPort]lvs.Counters{addrPort("192.0.2.22:0"): {Persistent: 1}}},
	}
	o := newOwners(services, table,
		map[lvs.Backend]string{{Virtual: "fwm:3", Real: "192.0.2.22:0"}: "drained"}, "")
	var b strings.Builder
	text := newConnectionPrinter(&b, false, o.services)
	for _, c := range []ipvsctl.Connection{
		{Protocol: lvs.TCP, Client: addrPort("198.51.100.7:40312"), Virtual: key.Addr, Dest: dest.Addr,
			State: "ESTABLISHED", Expires: 899 * time.Second},
		{Protocol: lvs.TCP, Client: addrPort("198.51.100.7:0"), Virtual: key.Addr, Dest: dest.Addr,
			State: "NONE", Expires: 581 * time.Second},
		{Client: addrPort("198.51.100.0:0"), Virtual: addrPort("0.0.0.3:0"), Dest: addrPort("192.0.2.22:0"),
			State: "ASSURED", Expires: 242 * time.Second},
	} {
		line, ok := o.line(c)
		if !ok {
			t.Errorf("%+v is not shown", c)
		}
		text.connection(line)
	}
	text.end(0)
	doc := testkit.Read(t, "../../docs/doctor.md")
	var example strings.Builder
	for line := range strings.Lines(b.String()) {
		if line != "\n" {
			line = "    " + line
		}
		example.WriteString(line)
	}
	testkit.Contains(t, doc, example.String(), "the example of connections:")
}
