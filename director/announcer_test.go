package director

import (
	"net/netip"
	"testing"
	"time"

	"ldirectord/judge"
	"ldirectord/notify"
	"ldirectord/parser"
)

// An address belongs to another daemon if that has all its virtual services. Then it is not wanted here.
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
		tell := teller{receivers: []Receiver{Words(journal.Emit)}}
		a := &announcer{marks: newMarker(nil, nil),
			services: &services{tell: tell, global: &parser.Global{}},
			moved:    func(all ...*virtual) { moved += len(all) },
		}
		a.aside = newAside(a.put)
		var virtuals []*virtual
		for i, owner := range c.owners {
			cfg := &parser.Virtual{Settings: parser.Settings{Announce: "lvs0"}}
			cfg.Addr = netip.AddrPortFrom(netip.MustParseAddr("192.0.2.10"), uint16(80+i))
			v := virtualOf(cfg)
			v.owner, v.placed = owner, true
			v.Strength = judge.Strength{Known: true, Serves: true, Enough: true}
			virtuals = append(virtuals, v)
		}
		a.enlist(virtuals, time.Now())
		for range 3 { // the current device, then the wanted one, then the addresses wanted since
			a.settle(t.Context())
		}
		one := a.list[0]
		if one.At != c.at || one.Why != c.why || len(a.want) != c.wanted {
			t.Errorf("%q: on %q, since %q, %d wanted; should be %q, %q, %d", c.owners, one.At, one.Why,
				len(a.want), c.at, c.why, c.wanted)
		}
		if told := 2 * c.wanted; moved != told {
			t.Errorf("%q: %d virtual services are notified, want %d", c.owners, moved, told)
		}
		if err := journal.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// Without addresses the kernel isn't asked to report changes of devices.
func TestOnlyAddressesAreFollowed(t *testing.T) {
	a := &announcer{kernel: &devices{changed: make(chan struct{})}}
	if a.follow(t.Context()); a.changes != nil {
		t.Error("changes of devices are reported without an address")
	}
	a.list = []*announcement{{}}
	if a.follow(t.Context()); a.changes == nil {
		t.Error("changes of devices are not reported with an address")
	}
}
