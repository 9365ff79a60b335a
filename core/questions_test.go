package core

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"ldirectord/checker/health"
	"ldirectord/judge"
	"ldirectord/lvs"
	"ldirectord/orders"
	"ldirectord/parser"
	"ldirectord/plan"
	"ldirectord/view"
)

var someAddr = netip.MustParseAddrPort("10.2.0.1:80")

// drain refuses to take out the last server that gets new connections. The table tells which one that is. Where the
// table is not known, the checks do.
func TestTheLastServerOfAVirtualService(t *testing.T) {
	const id = "tcp:10.1.0.1:80"
	serving := view.Server{Addr: someAddr, Up: true, Serves: true}
	out := view.Server{Addr: someAddr}
	upOnly := view.Server{Addr: someAddr, Up: true} // with weight 0
	for _, c := range []struct {
		what    string
		other   view.Server
		drained bool
		last    bool
	}{
		{what: "another one serves", other: serving},
		{what: "the other one is down", other: out, last: true},
		{what: "the other one passes with weight 0", other: upOnly, last: true},
		{what: "the other one is a backup server that waits", other: view.Server{Addr: someAddr, Up: true,
			ServerNames: view.ServerNames{Backup: "waits"}}},
		{what: "the other one is drained before the table follows", other: serving, drained: true, last: true},
	} {
		t.Run(c.what, func(t *testing.T) {
			first, second := serving, c.other
			first.Real, second.Real = "10.2.0.1:80", "10.2.0.2:80"
			now := &view.Snapshot{Virtuals: []view.Virtual{{ID: id, Servers: []view.Server{first, second}}}}
			order := []lvs.Backend{lvs.At(id, "10.2.0.1:80")}
			last := now.Last(order, ordersIf(c.drained, lvs.At(id, "10.2.0.2:80")))
			if slices.Equal(last, order) != c.last || len(last) > 0 != c.last {
				t.Errorf("%v, want %v", last, c.last)
			}
			if last := now.Last(now.Backends("", ""), nil); len(last) != 1 {
				t.Error("an order for both servers is not found to leave none")
			}
		})
	}
}

// ordersIf is an order to drain a server if drained is true, otherwise none.
func ordersIf(drained bool, at lvs.Backend) orders.All {
	if !drained {
		return nil
	}
	return orders.All{at: {Kind: orders.Drain}}
}

// If all servers are down, any may be drained, except the last one that could come back.
func TestTheLastServerOfAVirtualServiceThatIsDown(t *testing.T) {
	const id = "tcp:10.1.0.1:80"
	a, b := lvs.At(id, "10.2.0.1:80"), lvs.At(id, "10.2.0.2:80")
	now := &view.Snapshot{Virtuals: []view.Virtual{
		{ID: id, Servers: []view.Server{{Real: a.Real, Addr: someAddr}, {Real: b.Real, Addr: someAddr}}},
		{ID: "tcp:10.1.0.2:80", Servers: []view.Server{{Real: a.Real, Addr: someAddr}}},
	}}
	for _, c := range []struct {
		what    string
		order   []lvs.Backend
		drained bool
		last    bool
	}{
		{"one of two", []lvs.Backend{a}, false, false},
		{"the other one is drained already", []lvs.Backend{a}, true, true},
		{"both", []lvs.Backend{a, b}, false, true},
	} {
		last := now.Last(c.order, ordersIf(c.drained, b))
		if len(last) > 0 != c.last || c.last && last[0].Virtual != id {
			t.Errorf("%s: %v, want %v", c.what, last, c.last)
		}
	}
}

// A server without an address doesn't count as one that is left, with or without a daemon.
func TestTheLastServerBesideOneWithoutAddress(t *testing.T) {
	a := lvs.At("tcp:10.1.0.1:80", "10.2.0.1:80")
	now := &view.Snapshot{Standby: true, Virtuals: []view.Virtual{{ID: a.Virtual,
		Servers: []view.Server{{Real: a.Real, Addr: someAddr}, {Real: "web1:80"}}}}}
	if last := now.Last([]lvs.Backend{a}, nil); !slices.Equal(last, []lvs.Backend{a}) {
		t.Errorf("the last servers are %v, want the one with an address", last)
	}
}

func TestServersThatAnOperatorMeans(t *testing.T) {
	now := &view.Snapshot{Virtuals: []view.Virtual{
		{ID: "tcp:10.1.0.1:80", Name: "10.1.0.1:80", Servers: []view.Server{{Real: "10.2.0.1:80",
			Addr: someAddr}, {Real: "10.2.0.11:80", Addr: someAddr}}},
		{ID: "fwm:3", Name: "3",
			Servers: []view.Server{{Real: "10.2.0.1:81", Addr: someAddr}, {Real: "web:80"}}},
	}}
	for words, want := range map[[2]string]int{
		{"", "10.2.0.1"}: 2, {"", "10.2.0.1:80"}: 1, {"3", "10.2.0.1"}: 1, {"tcp:10.1.0.1:80", ""}: 2, {"fwm:3",
			"10.2.0.11"}: 0, {"", "web"}: 0, {"fwm:3", ""}: 1,
	} {
		if got := now.Backends(words[0], words[1]); len(got) != want {
			t.Errorf("%q: %v, want %d servers", words, got, want)
		}
	}
}

func TestWhichServicesRefuseTheClientsOfADrainedServer(t *testing.T) {
	now := &view.Snapshot{Virtuals: []view.Virtual{
		{ID: "fwm:1", Refuses: true, Servers: []view.Server{{Real: "10.2.0.1:80"}, {Real: "10.2.0.2:80"}}},
		{ID: "fwm:2", Refuses: true, Servers: []view.Server{{Real: "10.2.0.1:80"}}},
		{ID: "fwm:3", Servers: []view.Server{{Real: "10.2.0.2:80"}}},
	}}
	if got := now.Refusing([]lvs.Backend{lvs.At("fwm:1", "10.2.0.2:80"), lvs.At("fwm:3", "10.2.0.2:80")}); len(got) != 1 ||
		got[0] != "fwm:1" {
		t.Errorf("%v, want fwm:1", got)
	}
}

func TestWhichServerIsNotDrainedYet(t *testing.T) {
	a, b := lvs.At("fwm:1", "10.2.0.1:80"), lvs.At("fwm:1", "10.2.0.2:80")
	for what, c := range map[string]struct {
		first view.Server
		order []lvs.Backend
		left  lvs.Backend
	}{
		"it serves":          {view.Server{InTable: true, Effective: 1}, []lvs.Backend{a}, a},
		"it has weight 0":    {view.Server{InTable: true}, []lvs.Backend{a}, lvs.Backend{}},
		"it is not in":       {view.Server{Effective: 1}, []lvs.Backend{a}, lvs.Backend{}},
		"another one serves": {view.Server{InTable: true, Effective: 1}, []lvs.Backend{b}, lvs.Backend{}},
	} {
		c.first.Real = a.Real
		now := &view.Snapshot{Virtuals: []view.Virtual{{ID: "fwm:1", Error: "no answer",
			Servers: []view.Server{c.first, {Real: b.Real}}}}}
		left, why, any := now.Undrained(c.order)
		if left != c.left || any != (c.left != lvs.Backend{}) || any && why != "no answer" {
			t.Errorf("%s: %v %q, want %v", what, left, why, c.left)
		}
		now.Virtuals[0].Error = ""
		if _, why, any := now.Undrained(c.order); any && why == "" {
			t.Errorf("%s: there is no reason", what)
		}
	}
}

func TestServicesThatAnOperatorMeans(t *testing.T) {
	p := planned(t,
		"virtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate 3\n\treal = 10.2.0.2:80 masq\n\tfallback = "+
			"127.0.0.1:80\n\tchecktype = connect\nvirtual = 3\n\treal = 10.2.0.1:80 gate\n\tchecktype = "+
			"connect\n", neverChecked)
	for word, want := range map[string]int{"": 2, "tcp:10.1.0.1:80": 1, "10.1.0.1:80": 1, "3": 1, "fwm:3": 1,
		"tcp:3": 0} {
		if got := p.ServicesOf(word); len(got) != want {
			t.Errorf("%q: %d virtual services, want %d", word, len(got), want)
		}
	}
	services := p.ServicesOf("")
	web, mark := services[0].Entries, services[1].Entries
	if len(web) != 3 || web[0].Name() != "10.2.0.1:80" || web[0].Fallback || web[0].Dest.Weight != 3 ||
		!web[2].Fallback || web[2].Name() != "127.0.0.1:80" || len(mark) != 1 {
		t.Errorf("the members are %+v and %+v", web, mark)
	}
	if got := SnapshotOf(p, time.Now()).Backends("3", ""); len(got) != 1 || got[0] != (lvs.At("fwm:3", "10.2.0.1:80")) {
		t.Errorf("%v", got)
	}
	if got := SnapshotOf(p, time.Now()).Backends("", "10.2.0.1"); len(got) != 2 {
		t.Errorf("%v", got)
	}
}

// A real server and the fallback server have one address. A change there is one of the fallback server while no real
// server serves there.
func TestChangesOfTheFallbackServer(t *testing.T) {
	fallback := lvs.Dest{Addr: someAddr, Weight: 1}
	s := serverOf(lvs.Dest{Addr: someAddr, Weight: 4})
	for _, c := range []struct {
		what       string
		kind       lvs.OpKind
		weight     uint32
		state      health.State
		drained    bool
		fallbackIn bool
		real       *server
		want       bool
	}{
		{"added, the server is down", lvs.AddDest, 1, health.Down, false, false, s, true},
		{"added, the server is up", lvs.AddDest, 1, health.Up, false, false, s, false},
		{"added, the server is drained", lvs.AddDest, 1, health.Up, true, false, s, true},
		{"added with weight 0", lvs.AddDest, 0, health.Down, false, false, s, false},
		{"removed, the fallback server was in", lvs.DelDest, 0, health.Down, false, true, s, true},
		{"removed, it was not in", lvs.DelDest, 0, health.Down, false, false, s, false},
		{"removed, no server is there", lvs.DelDest, 0, health.Down, false, false, nil, true},
	} {
		v := virtualOf(&parser.Virtual{})
		if c.real != nil {
			v = virtualOf(&parser.Virtual{}, c.real).seated(c.state)
			v.Servers[0].Ordered(plan.Decisive(ordersIf(c.drained, lvs.Backend{})[lvs.Backend{}]))
		}
		v.Fallbacks, v.FallbackIn = []*judge.Member{{Dest: fallback}}, c.fallbackIn
		if got := v.isFallback(lvs.Op{Kind: c.kind, Dest: lvs.Dest{Addr: someAddr, Weight: c.weight}},
			c.real); got != c.want {
			t.Errorf("%s: counts as a change of the fallback server: %v", c.what, got)
		}
		if v.isFallback(lvs.Op{Kind: c.kind}, nil) {
			t.Errorf("%s: a change of another address counts as one of the fallback server", c.what)
		}
	}
}
