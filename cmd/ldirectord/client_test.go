package main

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
	"ldirectord/ipvsctl"
)

// hashOwners is a service with two servers, of weights 3 and 0, and these settings.
func hashOwners(t *testing.T, set lvs.Settings) *owners {
	t.Helper()
	key := tcp("10.1.0.1:80")
	all := lvs.Dests{{Addr: addrPort("10.2.0.1:80"), Weight: 3}, {Addr: addrPort("10.2.0.2:80"), Upper: 5}}
	table := lvs.Table{key: {Key: key, Settings: set.Stored(false), Dests: all}}
	if set.Scheduler == "" {
		table = nil
	}
	text := "virtual = 10.1.0.1:80\n\treal = 10.2.0.1->10.2.0.2:80 masq\n"
	return newOwners(servicesOf(t, text), table, nil, "")
}

func TestWhereAClientGoesNext(t *testing.T) {
	settings := map[string]lvs.Settings{
		"sh":                {Scheduler: "sh"},
		"sh-fallback":       {Scheduler: "sh", Flags: lvs.Sched1},
		"sh-port":           {Scheduler: "sh", Flags: lvs.Sched2},
		"wrr":               {Scheduler: "wrr"},
		"persistent":        {Scheduler: "wrr", Flags: lvs.Persistent, Netmask: ^uint32(0)},
		"persistent by /24": {Scheduler: "wrr", Flags: lvs.Persistent, Netmask: 0xffffff00},
		"persistent by sip": {Scheduler: "wrr", Flags: lvs.Persistent, PEName: "sip", Netmask: ^uint32(0)},
	}
	for _, row := range testkit.Table(t, "../../testdata/connections/next.txt", 6) {
		o, client := hashOwners(t, settings[row[1]]), addrPort(row[2])
		if from, to, ok := strings.Cut(row[3], " "); ok {
			o.note(ipvsctl.Connection{Protocol: lvs.TCP, Client: addrPort(from + ":0"),
				Virtual: addrPort("10.1.0.1:80"), Dest: addrPort(to)}, client)
		}
		b := o.services[0]
		got, err := b.nextOf(t.Context(), client,
			func(context.Context, lvs.Key) ([]lvs.Dest, error) { return b.table.Dests, nil })
		testkit.OK(t, err, row[0])
		testkit.Equal(t, got, nextLine{"tcp:10.1.0.1:80", row[4], row[5]}, row[0])
	}
}

// A full server takes no client.
func TestTheHashPassesAFullServer(t *testing.T) {
	b := hashOwners(t, lvs.Settings{Scheduler: "sh", Flags: lvs.Sched1}).services[0]
	full := addrPort("10.2.0.1:80")
	b.table.Counters = map[netip.AddrPort]lvs.Counters{full: {Active: 2, Inactive: 3}}
	all := []lvs.Dest{{Addr: full, Weight: 1, Upper: 5}, {Addr: addrPort("10.2.0.2:80"), Weight: 1}}
	for _, client := range []string{"10.0.0.1:0", "10.0.0.5:0"} {
		if server, _ := b.hashed(all, addrPort(client)); server != "10.2.0.2:80" {
			t.Errorf("%s goes to %s", client, server)
		}
	}
}

func TestClientIsRead(t *testing.T) {
	for text, want := range map[string]netip.AddrPort{
		"": {}, "192.0.2.1": addrPort("192.0.2.1:0"), "192.0.2.1:7": addrPort("192.0.2.1:7"),
		"::ffff:192.0.2.1": addrPort("192.0.2.1:0"),
		"2001:db8::1":      addrPort("[2001:db8::1]:0"), "[2001:db8::1]:7": addrPort("[2001:db8::1]:7"),
		"fe80::1%eth0": addrPort("[fe80::1]:0"),
	} {
		testkit.Equal(t, testkit.Must(readClient(text))(t), want, text)
	}
	for _, text := range []string{"web1", "192.0.2.1:x", "192.0.2", "192.0.2.1:70000", "192.0.2.0/24"} {
		if got, err := readClient(text); err == nil {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestEntriesOfAClient(t *testing.T) {
	o := hashOwners(t, lvs.Settings{Scheduler: "rr"})
	for client, want := range map[string]bool{"10.0.0.1:0": true, "10.0.0.1:4000": true, "10.0.0.1:4001": false,
		"10.0.0.2:0": false, "[2001:db8::1]:0": false} {
		e := ipvsctl.Connection{Protocol: lvs.TCP, Client: addrPort("10.0.0.1:4000"),
			Virtual: addrPort("10.1.0.1:80")}
		testkit.Equal(t, o.note(e, addrPort(client)), want, client)
	}
}

// A million clients don't fill the memory, and those with more than their share are found.
func TestTheBusiestClientsAreFoundAmongAMillion(t *testing.T) {
	m := most{}
	busy := netip.MustParseAddr("192.0.2.1")
	for i := range 1_000_000 {
		m.add(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
		if i%40_000 == 0 { // 25 times; a millionth of topClients is 16
			m.add(busy)
		}
	}
	if m[busy] == 0 || len(m) > topClients {
		t.Errorf("%d of the busiest client, %d clients", m[busy], len(m))
	}
}
