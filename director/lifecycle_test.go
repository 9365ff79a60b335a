package director

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/core"
	"ldirectord/lvs"
)

// The virtual services that a director claims grow before one is added, and shrink after one is gone from the table.
func TestADirectorRecordsWhatItHasInTheTable(t *testing.T) {
	const one = "checkinterval = 1\nvirtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n\tchecktype = connect\n"
	const two = one + "virtual = 10.1.0.2:80\n\treal = 10.2.0.1:80 gate\n\tchecktype = connect\n"
	synctest.Test(t, func(t *testing.T) {
		s := newScenario(t)
		s.configs["one"], s.configs["two"] = one, two
		s.journal = s.newJournal()
		var mu sync.Mutex // guards told
		var told [][]lvs.Key
		owned := func() [][]lvs.Key { mu.Lock(); defer mu.Unlock(); return told }
		d := New(Deps{
			Table: s.table, Claims: claimer(func(keys []lvs.Key) {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, keys)
			}), World: core.World{
				Tell: s.receivers(),
			},
		})
		ctx, end := context.WithCancelCause(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- d.Run(ctx, s.plan("two")) }()
		<-d.Settled()
		s.table.broken.Store(true)
		if err := d.Reload(t.Context(), s.plan("one")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		first, second := keyFor(netip.MustParseAddrPort("10.1.0.1:80")), keyFor(netip.MustParseAddrPort("10.1.0.2:80"))
		before := owned()
		if got := before[len(before)-1]; !slices.Equal(got, []lvs.Key{first, second}) {
			t.Errorf("while the second can't be removed, it claims %v", got)
		}
		s.table.broken.Store(false)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		after := owned()
		if got := after[len(after)-1]; !slices.Equal(got, []lvs.Key{first}) || len(after) != len(before)+1 {
			t.Errorf("after the removal it claims %v, in %d calls", got, len(after)-len(before))
		}
		end(ErrHandover)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := s.journal.Close(context.Background()); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second) // checks in flight end
	})
}

// untilCut are mark rules whose change ends only with its context.
type untilCut struct{}

func (untilCut) Sync(ctx context.Context, _ []lvs.MarkRule) ([]string, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestMarkRulesHaveMoreTimeTheMoreTheyAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New(Deps{Marks: untilCut{}})
		for rules, want := range map[int]time.Duration{0: 15 * time.Second, 500: 25 * time.Second} {
			begin := time.Now()
			d.setRules(t.Context(), make([]lvs.MarkRule, rules))
			if took := time.Since(begin); took != want {
				t.Errorf("%d rules had %v, want %v", rules, took, want)
			}
		}
	})
}

// Servers without an address come last in a snapshot.
func TestASnapshotHasServersWithoutAnAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScenario(t)
		s.configs["one"] = "virtual = 10.1.0.1:80\n\treal = web.example:80 gate 3\n\treal = api.example:80 gate\n\treal = 10.2.0.1:80 gate\n\tchecktype = connect\n" +
			"virtual = 10.1.0.2:80\n\treal = 10.2.0.2:80 gate\n\tchecktype = connect\n"
		s.start("one", false)
		<-s.director.Settled()
		now := snapshotOf(t, s.director)
		first, second := now.Virtuals[0].Servers, now.Virtuals[1].Servers
		if len(first) != 3 || first[0].Real != "10.2.0.1:80" || first[1].Real != "web.example:80" || first[1].State != "unknown" || first[1].Weight != 3 || first[2].Real != "api.example:80" ||
			len(second) != 1 || second[0].Real != "10.2.0.2:80" {
			t.Errorf("the servers are %+v and %+v", first, second)
		}
		s.stop(ErrHandover)
		time.Sleep(time.Second) // checks in flight end
	})
}
