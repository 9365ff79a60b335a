package view

import (
	"testing"

	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
	"ldirectord/internal/testkit"
)

// What orders leave: for the first server, and for both, beside others. An order that changes nothing always passes.
func TestWhatOrdersLeave(t *testing.T) {
	const id = "tcp:10.1.0.1:80"
	serves := Server{Addr: someAddr, State: "up", Up: true, Serves: true}
	down, unknown := Server{Addr: someAddr, State: "down", Reason: "refused"},
		Server{Addr: someAddr, State: "unknown"}
	light, rests := Server{Addr: someAddr, State: "up", Up: true}, Server{Addr: someAddr, State: "up", Up: true}
	rests.Backup = "waits"
	held := Server{Addr: someAddr, State: "down", Serves: true, Held: true}
	moved := serves
	moved.Moved = true
	none := "a is the last server of " + id
	for _, row := range []struct {
		what          string
		first, second Server
		drained       bool // the second
		keeps, low    int
		one, both     string // what is wrong with an order for the first, for both
	}{
		{"another one serves", serves, serves, false, 0, 0, "", "b" + none[1:]},
		{"the other one is down", serves, down, false, 0, 0, none + " (out: b: down: refused)", "b" + none[1:]},
		{"the other one has weight 0", serves, light, false, 0, 0, none + " (out: b: up)", "b" + none[1:]},
		{"the other one is a backup server that waits", serves, rests, false, 0, 0, "", "b" + none[1:]},
		{"the other one is about to go", serves, moved, false, 0, 0, none, none},
		{"the table has not followed the order for the other one", serves, serves, true, 0, 0,
			none + " (out: b: drain: disk)", "b" + none[1:]},
		{"it is down", down, serves, false, 2, 2, "", "b" + none[1:]},
		{"all are down", down, down, false, 2, 2, "", ""},
		{"all are down, and the other one is drained", down, down, true, 0, 0, "", ""},
		{"no state is known", unknown, unknown, false, 2, 2, "", "b" + none[1:]},
		{"no state is known, and the other one is drained", unknown, unknown, true, 0, 0,
			none + " (out: b: drain: disk)", "b" + none[1:]},
		{"keepserving requires both", serves, serves, false, 2, 1,
			"without a, " + id + " has 1 server: keepserving requires 2", "b" + none[1:]},
		{"minservers requires both", serves, serves, false, 1, 2,
			"without a, " + id + " has 1 server: minservers requires 2", "b" + none[1:]},
		{"the other one is held", serves, held, false, 1, 0,
			"without a, " + id + " has 0 servers: keepserving requires 1 (out: b: held)", "b" + none[1:]},
		{"it is held", held, serves, false, 2, 2, "", "b" + none[1:]},
	} {
		row.first.Real, row.second.Real = "a", "b"
		now := &Snapshot{Virtuals: []Virtual{{ID: id, Servers: []Server{row.first, row.second, row.first},
			Guard: Guard{Keeps: row.keeps}, Enough: &MinServers{Low: row.low}},
			{ID: "fwm:3", Servers: []Server{row.first}}}}
		a, b := lvs.At(id, "a"), lvs.At(id, "b")
		given := orders.All{}
		if row.drained {
			given[b] = orders.Order{Kind: orders.Drain, Why: "disk"}
		}
		for _, order := range []struct {
			of   []lvs.Backend
			want string
		}{{[]lvs.Backend{a}, row.one}, {[]lvs.Backend{a, b}, row.both}} {
			got := ""
			for _, s := range now.Short(order.of, given) {
				got += s.String()
			}
			testkit.Equal(t, got, order.want, row.what, "an order for", order.of)
		}
	}
}

// While checks are obeyed, keepserving requires nothing.
func TestAnOrderToObeySuspendsTheBudget(t *testing.T) {
	v := Virtual{Guard: Guard{Keeps: 3, Obeys: true}}
	if n, by := v.least(); n != 0 {
		t.Error(n, by)
	}
}
