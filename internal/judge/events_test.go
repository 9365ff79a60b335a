package judge

import (
	"fmt"
	"net/netip"
	"testing"
)

// Each event alone. Servers are at 1, 2 and so on. Unless a row differs, they pass and are in the table.

func TestAnAddressThatWasFoundKeepsTheTable(t *testing.T) {
	was, now := inService(4), inService(4)
	was.byHand(1)
	was.has(5, 1)
	now.Lost()
	was.Servers[0].Order.Kind, was.Servers[0].File, was.Servers[0].Turned = Drain, true, true
	now.CarryTable(&was.State, false)
	now.Servers[0].CarryOrders(&was.Servers[0])
	if s := &now.Servers[0]; !s.Drained() || !s.File || !s.Turned || tableOf(&now) != tableOf(&was) {
		t.Errorf("%+v, %s", s, tableOf(&now))
	}
}

// With repair, a change by hand at a found address is kept until it is known whether the address belongs to a server.
func TestAnAddressThatWasFoundIsRepaired(t *testing.T) {
	for _, row := range []struct {
		repair, found bool
		want          string
	}{{true, false, "false"}, {true, true, "true"}, {false, false, "true"}} {
		was, now := inService(4), inService(4)
		was.byHand(5)
		was.Found = map[netip.AddrPort]bool{at(5): true}
		now.Found = map[netip.AddrPort]bool{at(5): row.found}
		if now.CarryTable(&was.State, row.repair); fmt.Sprint(now.ByHand[at(5)]) != row.want {
			t.Errorf("%+v: by hand %v", row, now.ByHand)
		}
		if !was.ByHand[at(5)] {
			t.Errorf("%+v: the reload changed the old state", row)
		}
	}
}
