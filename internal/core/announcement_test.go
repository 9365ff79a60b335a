package core

import (
	"errors"
	"net/netip"
	"testing"

	"ldirectord/internal/announce"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

// It is shown whose an address is that this daemon does not announce.
func TestWhoseAnAddressIs(t *testing.T) {
	addr := netip.MustParseAddr("192.0.2.10")
	a := &announcer{services: &services{},
		list: []*announcement{{Address: judge.Address{Want: lvs.Wanted{Addr: addr}}}}}
	for _, p := range []announce.Place{{Owner: "b.cf, pid 7"}, {Foreign: "lvs0", Up: true}, {}} {
		p.Addr, p.Trouble = addr, errors.New("why")
		a.took([]announce.Place{p}, nil)
		shown := a.describe()[0]
		testkit.Equal(t, shown.Owner, p.Owner)
		testkit.Equal(t, shown.Foreign, p.Foreign)
		testkit.Equal(t, shown.Up, p.Up)
	}
}
