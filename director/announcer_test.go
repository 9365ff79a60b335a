package director

import (
	"net/netip"
	"testing"
	"time"

	"ldirectord/notify"
	"ldirectord/parser"
)

// An address of two virtual services belongs to another daemon when that has both of them. Then it is not wanted here.
func TestAnAddressOfAnotherDaemon(t *testing.T) {
	const free, theirs = "", "www.cf"
	for _, c := range []struct {
		owners  [2]string
		at, why string
		wanted  int
	}{
		{[2]string{free, free}, "lvs0", "", 1},
		{[2]string{theirs, free}, "lvs0", "", 1},
		{[2]string{free, theirs}, "lvs0", "", 1},
		{[2]string{theirs, "mail.cf"}, "", "belongs to www.cf", 0},
	} {
		journal := notify.NewJournal()
		moved := 0
		a := &announcer{role: &role{}, marks: newMarker(nil, nil, nil),
			tell: &teller{receivers: []Receiver{Words(journal.Emit)}},
			of: func(i int) ability {
				return ability{owner: c.owners[i], placed: true, known: true, serves: true}
			},
			moved: func(int) { moved++ },
		}
		a.aside = newAside(a.put)
		cfg := &parser.Config{Virtuals: make([]parser.Virtual, 2)}
		for i := range cfg.Virtuals {
			v := &cfg.Virtuals[i]
			v.Addr = netip.AddrPortFrom(netip.MustParseAddr("192.0.2.10"), uint16(80+i))
			v.Announce = "lvs0"
		}
		a.enlist(cfg, time.Now())
		for range 3 { // where it is, then where it is to be, then what is wanted since
			a.settle(t.Context())
		}
		one := a.list[0]
		if one.at != c.at || one.why != c.why || len(a.want) != c.wanted {
			t.Errorf("%q: on %q, since %q, %d wanted; should be %q, %q, %d", c.owners, one.at, one.why,
				len(a.want), c.at, c.why, c.wanted)
		}
		if told := 2 * c.wanted; moved != told {
			t.Errorf("%q: %d virtual services are told, not %d", c.owners, moved, told)
		}
		if err := journal.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
