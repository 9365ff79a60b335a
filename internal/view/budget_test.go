package view

import (
	"fmt"
	"strings"
	"testing"

	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
	"ldirectord/internal/testkit"
)

// What orders leave: for the first server, and for both, beside others. An order that changes nothing always passes. An
// order by the other name of a server is one for the server.
func TestWhatOrdersLeave(t *testing.T) {
	const id = "tcp:10.1.0.1:80"
	serves := Server{Addr: someAddr, State: "up", Up: true, Serves: true}
	rests, moved := Server{Addr: someAddr, State: "up", Up: true}, serves
	rests.Backup, moved.Moved = "waits", true
	servers := map[string]Server{"serves": serves, "rests": rests, "moved": moved,
		"down":    {Addr: someAddr, State: "down", Reason: "refused"},
		"unknown": {Addr: someAddr, State: "unknown"},
		"light":   {Addr: someAddr, State: "up", Up: true},
		"held":    {Addr: someAddr, State: "down", Serves: true, Held: true}}
	a, b, otherA, otherB := lvs.At(id, "a"), lvs.At(id, "b"), lvs.At(id, "A"), lvs.At(id, "B")
	for _, row := range testkit.Table(t, "testdata/budget.txt", 5) {
		states, isDrained := strings.CutSuffix(row[1], ", drained")
		name, other, _ := strings.Cut(states, " ")
		first, second := servers[name], servers[other]
		first.Real, second.Real, first.Alias, second.Alias = "a", "b", "A", "B"
		keeps, enough := 0, &MinServers{}
		testkit.Must(fmt.Sscan(row[2], &keeps, &enough.Low))(t, row)
		now := &Snapshot{Virtuals: []Virtual{{ID: id, Servers: []Server{first, second, first},
			Guard: Guard{Keeps: keeps}, Enough: enough},
			{ID: "fwm:3", Servers: []Server{first}}}}
		later := strings.HasPrefix(row[0], "later: ")
		for i, of := range [][]lvs.Backend{{a}, {a, b}, {otherA}, {otherA, otherB}} {
			got, given := "", orders.All{}
			if isDrained {
				given[[]lvs.Backend{b, otherB}[i/2]] = orders.Order{Kind: orders.Drain, Why: "disk"}
			}
			for _, s := range now.Short(of, given, later) {
				got += strings.Replace(s.String(), id, "WEB", 1)
			}
			testkit.Equal(t, got, row[3+i%2], row[0], "an order for", of)
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
