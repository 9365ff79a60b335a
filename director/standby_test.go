package director

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/core"
	"ldirectord/lvs"
)

// A director crashed while it served. The next one starts as a standby.
func TestStandingByRemovesWhatACrashedDirectorServed(t *testing.T) {
	const file = `virtual = 10.1.0.1:80
	real = 10.2.0.1:80 gate
	checktype = connect
virtual = 10.1.0.2:80
	real = 10.2.0.1:80 gate
	checktype = connect
	cleanstop = no
`
	synctest.Test(t, func(t *testing.T) {
		s := newScenario(t)
		s.configs["one"] = file
		var former []lvs.Key
		for _, virtual := range []string{"10.1.0.1:80", "10.1.0.2:80", "10.1.0.3:80", "10.1.0.4:80"} {
			s.hand([]string{"-A", "-t", virtual, "-s", "wrr"})
			former = append(former, keyFor(netip.MustParseAddrPort(virtual)))
		}
		s.journal = s.newJournal()
		var ours []lvs.Key
		d := New(Deps{
			Table: s.table, Claims: claimer(func(keys []lvs.Key) { ours = keys }), World: core.World{
				Tell: s.receivers(), Standby: true, Former: former[:3],
			},
		})
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- d.Run(ctx, s.plan("one")) }()
		time.Sleep(time.Second)
		synctest.Wait()
		want := []string{"-D -t 10.1.0.1:80", "-D -t 10.1.0.3:80"}
		if got := s.take(); !slices.Equal(got[:min(2, len(got))], want) {
			t.Errorf("the standby did %q, want %q", got, want)
		}
		if !slices.Equal(ours, former[1:2]) {
			t.Errorf("it claims %v, want %v", ours, former[1:2])
		}
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := s.journal.Close(context.Background()); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second) // checks in flight end
	})
}
