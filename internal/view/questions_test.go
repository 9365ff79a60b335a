package view

import (
	"fmt"
	"net/netip"
	"testing"

	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
)

var someAddr = netip.MustParseAddrPort("10.2.0.1:80")

// drain refuses to take out the last server that gets new connections. If all servers are down, any may be drained,
// except the last one that could come back.
func TestTheLastServerOfAVirtualService(t *testing.T) {
	const id = "tcp:10.1.0.1:80"
	serves, down, unresolved := Server{Addr: someAddr, Up: true, Serves: true}, Server{Addr: someAddr}, Server{}
	for _, row := range []struct {
		what          string
		first, second Server
		drained       bool // the second
		last          string
	}{
		{"another one serves", serves, serves, false, "both"},
		{"the other one is down", serves, down, false, "first"},
		{"the other one passes with weight 0", serves, Server{Addr: someAddr, Up: true}, false, "first"},
		{"the other one waits as a backup server", serves, Server{Addr: someAddr, Up: true, ServerNames: ServerNames{Backup: "waits"}}, false, "both"},
		{"the other one is drained before the table follows", serves, serves, true, "first"},
		{"all are down", down, down, false, "both"},
		{"all are down, and the other one is drained", down, down, true, "first"},
		{"the other one has no address", down, unresolved, false, "first"},
	} {
		row.first.Real, row.second.Real = "10.2.0.1:80", "10.2.0.2:80"
		now := &Snapshot{Virtuals: []Virtual{{ID: id, Servers: []Server{row.first, row.second}},
			{ID: "fwm:3", Servers: []Server{row.first}}}}
		first, given := lvs.At(id, row.first.Real), orders.All{}
		if row.drained {
			given[lvs.At(id, row.second.Real)] = orders.Order{Kind: orders.Drain}
		}
		for who, order := range map[string][]lvs.Backend{"first": {first}, "both": {first, lvs.At(id, row.second.Real)}} {
			last := now.Last(order, given)
			if want := who == "both" || row.last == "first"; want != (len(last) == 1) || want && last[0].Virtual != id {
				t.Errorf("%s: an order for %s takes out the last: %v", row.what, who, last)
			}
		}
	}
}

func TestWhatAnOperatorMeans(t *testing.T) {
	now := &Snapshot{Virtuals: []Virtual{
		{ID: "tcp:10.1.0.1:80", Name: "10.1.0.1:80", Servers: []Server{{Real: "10.2.0.1:80", Addr: someAddr}, {Real: "10.2.0.11:80", Addr: someAddr}}},
		{ID: "fwm:3", Name: "3", Refuses: true, Servers: []Server{{Real: "10.2.0.1:81", Addr: someAddr, InTable: true, Effective: 1}, {Real: "web:80"}}},
	}}
	for words, want := range map[[2]string]int{
		{"", "10.2.0.1"}: 2, {"", "10.2.0.1:80"}: 1, {"3", "10.2.0.1"}: 1, {"tcp:10.1.0.1:80", ""}: 2, {"fwm:3", "10.2.0.11"}: 0, {"", "web"}: 0, {"fwm:3", ""}: 1,
	} {
		if got := now.Backends(words[0], words[1]); len(got) != want {
			t.Errorf("%q: %v, want %d servers", words, got, want)
		}
	}
}

// Which services refuse the clients of servers that are drained, and which servers are not drained yet.
func TestWhatAnOrderToDrainDoes(t *testing.T) {
	serves := Server{InTable: true, Effective: 1}
	for _, row := range []struct {
		what   string
		server Server
		of     string // an order for it there
		want   string
	}{
		{"it serves", serves, "fwm:1", "[fwm:1] true no answer"},
		{"it has weight 0", Server{InTable: true}, "fwm:1", "[fwm:1] false "},
		{"it is not in the table", Server{Effective: 1}, "fwm:1", "[fwm:1] false "},
		{"the service refuses no clients", serves, "fwm:2", "[] true its entry in the table belongs to another server too, or was changed externally"},
		{"another one is drained", serves, "fwm:3", "[] false "},
	} {
		row.server.Real = "10.2.0.1:80"
		now := &Snapshot{Virtuals: []Virtual{{ID: "fwm:1", Refuses: true, Error: "no answer", Servers: []Server{row.server}},
			{ID: "fwm:2", Servers: []Server{row.server}}, {ID: "fwm:3", Refuses: true, Servers: []Server{{Real: "10.2.0.2:80"}}}}}
		order := []lvs.Backend{lvs.At(row.of, row.server.Real)}
		left, why, any := now.Undrained(order)
		if got := fmt.Sprint(now.Refusing(order), " ", any, " ", why); got != row.want || any && left != order[0] {
			t.Errorf("%s: %s, want %s", row.what, got, row.want)
		}
	}
}
