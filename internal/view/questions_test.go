package view

import (
	"fmt"
	"net/netip"
	"testing"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

var someAddr = netip.MustParseAddrPort("10.2.0.1:80")

func TestWhatAnOperatorMeans(t *testing.T) {
	now := &Snapshot{Virtuals: []Virtual{
		{ID: "tcp:10.1.0.1:80",
			Servers: []Server{{Real: "10.2.0.1:80", Addr: someAddr},
				{Real: "10.2.0.11:80", Addr: someAddr}}},
		{ID: "fwm:3", Refuses: true,
			Servers: []Server{{Real: "10.2.0.1:81", Addr: someAddr, InTable: true, Effective: 1},
				{Real: "web:80"}}},
	}}
	for words, want := range map[[2]string]int{
		{"", "10.2.0.1"}: 2, {"", "10.2.0.1:80"}: 1, {"3", "10.2.0.1"}: 1, {"tcp:10.1.0.1:80", ""}: 2,
		{"fwm:3", "10.2.0.11"}: 0, {"", "web"}: 0, {"fwm:3", ""}: 1,
	} {
		testkit.Equal(t, len(now.Backends(words[0], words[1])), want, "servers", words)
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
		{"the service refuses no clients", serves, "fwm:2",
			"[] true its entry in the table belongs to another server too, or was changed externally"},
		{"another one is drained", serves, "fwm:3", "[] false "},
	} {
		row.server.Real = "10.2.0.1:80"
		now := &Snapshot{Virtuals: []Virtual{
			{ID: "fwm:1", Refuses: true, Error: "no answer", Servers: []Server{row.server}},
			{ID: "fwm:2", Servers: []Server{row.server}},
			{ID: "fwm:3", Refuses: true, Servers: []Server{{Real: "10.2.0.2:80"}}}}}
		order := []lvs.Backend{lvs.At(row.of, row.server.Real)}
		left, why, any := now.Undrained(order)
		if got := fmt.Sprint(now.Refusing(order), " ", any, " ", why); got != row.want || any &&
			left != order[0] {
			t.Errorf("%s: %s, want %s", row.what, got, row.want)
		}
	}
}
