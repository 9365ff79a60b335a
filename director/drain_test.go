package director

import (
	"net/netip"
	"testing"
)

var someAddr = netip.MustParseAddrPort("10.2.0.1:80")

// The guard of drain: the last server of a virtual service is the one without which nobody is left who gets new
// connections, as the table has it, or as the checks have it where the table does not say.
func TestTheLastServerOfAVirtualService(t *testing.T) {
	const id = "tcp:10.1.0.1:80"
	serving := ServerSnapshot{Addr: someAddr, Up: true, Weight: 1, InTable: true, Effective: 1}
	out := ServerSnapshot{Addr: someAddr, Weight: 1}
	byHand := ServerSnapshot{Addr: someAddr, Up: true, Weight: 1, InTable: true} // somebody gave it weight 0
	upOnly := ServerSnapshot{Addr: someAddr, Up: true, Weight: 1}
	for _, c := range []struct {
		what    string
		other   ServerSnapshot
		standby bool
		err     string
		drained bool
		last    bool
	}{
		{what: "another one serves", other: serving},
		{what: "the other one is down", other: out, last: true},
		{what: "the other one got weight 0 by hand", other: byHand, last: true},
		{what: "the other one is drained before the table follows", other: serving, drained: true, last: true},
		{what: "it stands by", other: upOnly, standby: true},
		{what: "it stands by, and the other one is down", other: out, standby: true, last: true},
		{what: "the table refuses changes", other: upOnly, err: "no"},
	} {
		t.Run(c.what, func(t *testing.T) {
			first, second := serving, c.other
			first.Real, second.Real = "10.2.0.1:80", "10.2.0.2:80"
			now := &Snapshot{Standby: c.standby, Virtuals: []VirtualSnapshot{{ID: id, Error: c.err, Servers: []ServerSnapshot{first, second}}}}
			order := []Backend{{id, "10.2.0.1:80"}}
			p, last := now.Last(order, map[Backend]bool{{id, "10.2.0.2:80"}: c.drained})
			if last != c.last || last && p != order[0] {
				t.Errorf("%v %v, want %v", p, last, c.last)
			}
			if _, last := now.Last(now.Backends("", ""), nil); !last {
				t.Error("both at once leave nobody, and that is not seen")
			}
		})
	}
}

// Where all servers are down, each may be drained but the last that could come back.
func TestTheLastServerOfAVirtualServiceThatIsDown(t *testing.T) {
	const id = "tcp:10.1.0.1:80"
	a, b := Backend{id, "10.2.0.1:80"}, Backend{id, "10.2.0.2:80"}
	now := &Snapshot{Virtuals: []VirtualSnapshot{
		{ID: id, Servers: []ServerSnapshot{{Real: a.Real, Addr: someAddr}, {Real: b.Real, Addr: someAddr}}},
		{ID: "tcp:10.1.0.2:80", Servers: []ServerSnapshot{{Real: a.Real, Addr: someAddr}}},
	}}
	for _, c := range []struct {
		what    string
		order   []Backend
		drained map[Backend]bool
		last    bool
	}{
		{"one of two", []Backend{a}, nil, false},
		{"the other one is drained already", []Backend{a}, map[Backend]bool{b: true}, true},
		{"both", []Backend{a, b}, nil, true},
	} {
		if p, last := now.Last(c.order, c.drained); last != c.last || last && p.Virtual != id {
			t.Errorf("%s: %v %v, want %v", c.what, p, last, c.last)
		}
	}
}

func TestServersThatAnOperatorMeans(t *testing.T) {
	now := &Snapshot{Virtuals: []VirtualSnapshot{
		{ID: "tcp:10.1.0.1:80", Name: "10.1.0.1:80", Servers: []ServerSnapshot{{Real: "10.2.0.1:80", Addr: someAddr}, {Real: "10.2.0.11:80", Addr: someAddr}}},
		{ID: "fwm:3", Name: "3", Servers: []ServerSnapshot{{Real: "10.2.0.1:81", Addr: someAddr}, {Real: "web:80"}}},
	}}
	for words, want := range map[[2]string]int{
		{"", "10.2.0.1"}: 2, {"", "10.2.0.1:80"}: 1, {"3", "10.2.0.1"}: 1, {"tcp:10.1.0.1:80", ""}: 2, {"fwm:3", "10.2.0.11"}: 0, {"", "web"}: 0, {"fwm:3", ""}: 1,
	} {
		if got := now.Backends(words[0], words[1]); len(got) != want {
			t.Errorf("%q: %v, want %d", words, got, want)
		}
	}
}

func TestWhoRefusesTheClientsOfADrainedServer(t *testing.T) {
	now := &Snapshot{Virtuals: []VirtualSnapshot{
		{ID: "fwm:1", Refuses: true, Servers: []ServerSnapshot{{Real: "10.2.0.1:80"}, {Real: "10.2.0.2:80"}}},
		{ID: "fwm:2", Refuses: true, Servers: []ServerSnapshot{{Real: "10.2.0.1:80"}}},
		{ID: "fwm:3", Servers: []ServerSnapshot{{Real: "10.2.0.2:80"}}},
	}}
	if got := now.Refusing([]Backend{{"fwm:1", "10.2.0.2:80"}, {"fwm:3", "10.2.0.2:80"}}); len(got) != 1 || got[0] != "fwm:1" {
		t.Errorf("%v, want fwm:1", got)
	}
}
