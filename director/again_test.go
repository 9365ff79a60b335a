package director

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/judge"
)

// A section is decided again at the time that its last decision named, though nothing happens, and not before. That
// holds on standby too, and while the table does not answer. If decisions were made all the time, the fake clock would
// never advance.
func TestASectionIsDecidedWhenItsDecisionSaysSo(t *testing.T) {
	const edit = "-e -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 3"
	for name, row := range map[string]struct {
		standby, silent bool
		want            []string
	}{
		"it serves":           {want: []string{edit}},
		"it stands by":        {standby: true},
		"the table is silent": {silent: true, want: []string{edit}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScenario(t)
				client := &mute{recorder: s.table}
				s.client = client
				s.configs["one"] = "checkinterval = 600\nvirtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n\tchecktype = connect\n"
				s.start("one", row.standby)
				time.Sleep(time.Second)
				s.take()
				s.inside(func(v *virtual) { // as a rule that depends on time does; no event follows
					v.wakeAt(time.Now().Add(3 * time.Second))
					v.servers[0].Ordered(judge.Order{Kind: judge.Weigh, Weight: 3})
				})
				client.silent.Store(row.silent)
				time.Sleep(2900 * time.Millisecond)
				synctest.Wait()
				s.inside(func(v *virtual) {
					if got := s.take(); v.again.IsZero() || len(got) > 0 {
						t.Errorf("it was decided early, with %q", got)
					}
				})
				time.Sleep(200 * time.Millisecond)
				synctest.Wait()
				if client.silent.Load() {
					time.Sleep(30 * time.Second)
					if asked := client.asked.Load(); asked == 0 || asked > 5 {
						t.Errorf("the silent table got %d requests, want 1 to 5", asked)
					}
					client.silent.Store(false)
					time.Sleep(30 * time.Second)
				}
				s.inside(func(v *virtual) {
					got := slices.DeleteFunc(s.take(), func(what string) bool { return what[0] != '-' })
					if !v.again.IsZero() || !slices.Equal(got, row.want) {
						t.Errorf("due again at %v; did %q, want %q", v.again, got, row.want)
					}
				})
				s.stop(ErrHandover)
				time.Sleep(time.Second)
			})
		})
	}
}

// inside runs a function with the virtual service in the director's goroutine, between two events.
func (s *scenario) inside(look func(*virtual)) {
	s.t.Helper()
	err := s.director.orders.submit(s.t.Context(), func(_ context.Context, done chan<- struct{}) {
		look(s.director.virtuals[0])
		close(done)
	})
	if err != nil {
		s.t.Error(err)
	}
}
