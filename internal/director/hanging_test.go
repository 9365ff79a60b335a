package director

import (
	"context"
	"errors"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/core"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/maintenance"
	"ldirectord/internal/orders"
	"ldirectord/internal/schedule"
	"ldirectord/internal/testkit"
	"ldirectord/internal/view"
	"ldirectord/ipvsctl"
)

// These tests are about what hangs: the table, the mark rules, maintenancedir. It delays as little as it can.

// answering is a table whose answers a test gives. It makes no change.
type answering struct {
	ipvsctl.Client
	answer func(context.Context) error
}

func (a answering) Do(ctx context.Context, ops ...lvs.Op) []error {
	return slices.Repeat([]error{a.answer(ctx)}, len(ops))
}
func (a answering) Read(ctx context.Context) (lvs.Table, error) { return nil, a.answer(ctx) }
func (a answering) Services(ctx context.Context, _ ...lvs.Key) (lvs.Table, error) {
	return nil, a.answer(ctx)
}
func (a answering) Timeouts(ctx context.Context, w lvs.Timeouts) (lvs.Timeouts, error) {
	return w, a.answer(ctx)
}

// slowTable waits before each change. Whether it respects the deadline is up to the test.
type slowTable struct {
	*ipvsctl.Memory
	until func(ctx context.Context) error
}

func (s slowTable) Do(ctx context.Context, ops ...lvs.Op) []error {
	_ = s.until(ctx)
	return s.Memory.Do(ctx, ops...)
}

// hangs gives no answer before the caller gives up.
func hangs(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// always gives an answer at once.
func always(err error) func(context.Context) error { return func(context.Context) error { return err } }

// hangingMarks set no rules until the caller gives up.
type hangingMarks struct{}

func (hangingMarks) Sync(ctx context.Context, _ []lvs.MarkRule) ([]string, error) {
	return nil, hangs(ctx)
}

// deafMarks set rules once. Then they hang, whatever the caller does.
type deafMarks struct{ once bool }

func (m *deafMarks) Sync(context.Context, []lvs.MarkRule) ([]string, error) {
	if m.once {
		time.Sleep(time.Hour)
	}
	m.once = true
	return nil, nil
}

// running is a scenario whose director runs with this configuration. Without a table it has one in memory.
func running(t *testing.T, file string, deps Deps) *scenario {
	s := newScenario(t)
	s.configs["one"] = file
	if deps.Table == nil {
		deps.Table = s.table.Memory
	}
	s.director = New(deps)
	s.run(s.plan("one"))
	return s
}

// Each request has a time limit, and is a sign of life. None is made after the end.
func TestTheOutcomesOfRequests(t *testing.T) {
	const limit, never = 5 * time.Second, time.Hour
	for what, row := range map[string]struct {
		answer     func(context.Context) error
		ends, took time.Duration
		want       judge.Answer
	}{
		"it is done":                {always(nil), never, 0, judge.Done},
		"it is refused":             {always(syscall.EINVAL), never, 0, judge.Refused},
		"an entry is missing":       {always(syscall.ENOENT), never, 0, judge.Missing},
		"it gets no answer":         {hangs, never, limit, judge.Unanswered},
		"the daemon has ended":      {always(nil), 0, 0, judge.Interrupted},
		"the daemon ends meanwhile": {hangs, time.Second, time.Second, judge.Interrupted},
	} {
		for kind, request := range map[string]func(table) judge.Outcome{
			"change":   func(t table) judge.Outcome { return t.Do(limit, lvs.Op{}, lvs.Op{})[1] },
			"read":     func(t table) judge.Outcome { _, o := t.Read(limit); return o },
			"counters": func(t table) judge.Outcome { _, o := t.Services(limit); return o },
			"timeouts": func(t table) judge.Outcome { _, o := t.Timeouts(limit, lvs.Timeouts{}); return o },
		} {
			synctest.Test(t, func(t *testing.T) {
				ctx := testkit.Within(t, row.ends)
				lives, begun := 0, time.Now()
				o := request(table{ctx, answering{answer: row.answer}, func() { lives++ }})
				if o.Answer != row.want || (o.Err == nil) != (row.want == judge.Done) ||
					time.Since(begun) != row.took || (lives == 0) != (row.ends == 0) {
					t.Errorf("%s, %s: %+v after %v, %d signs of life", what, kind, o,
						time.Since(begun), lives)
				}
			})
		}
	}
}

// Alive is called while the table is slow, but not while the loop is stuck.
func TestSignsOfLife(t *testing.T) {
	const pulse = 5 * time.Second
	for name, row := range map[string]struct {
		until       func(context.Context) error
		least, most time.Duration // the longest silence in ten minutes
	}{
		"quick":  {always(nil), pulse, pulse},
		"no end": {hangs, judge.TableTimeout, judge.TableTimeout},
		"stuck":  {func(context.Context) error { time.Sleep(time.Hour); return nil }, time.Hour, 2 * time.Hour},
	} {
		synctest.Test(t, func(t *testing.T) {
			var longest time.Duration
			last := time.Now()
			look := func() { longest, last = max(longest, time.Since(last)), time.Now() }
			s := running(t, "checkinterval = 3600\nvirtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n"+
				"\tchecktype = on\n",
				Deps{Table: slowTable{ipvsctl.NewMemory(nil), row.until}, Alive: look, Pulse: pulse})
			time.Sleep(10 * time.Minute)
			s.ends(nil)
			if look(); longest < row.least || longest > row.most {
				t.Errorf("%s: silent for %v, want %v to %v", name, longest, row.least, row.most)
			}
		})
	}
}

// The end takes at most the pool's time and stopTimeout, whatever hangs. The timeout of the command stop depends on
// that.
func TestTheEndIsBoundedWhateverHangs(t *testing.T) {
	for name, cause := range map[string]error{"stop": context.Canceled, "handover": ErrHandover} {
		synctest.Test(t, func(t *testing.T) {
			s := running(t, "virtual = 1\n\tmark = 10.1.0.1 tcp 80\n\treal = 10.2.0.1:80 gate\n"+
				"\tchecktype = on\n"+
				"virtual = 10.1.0.2:80\n\treal = 10.2.0.1:80 gate\n\tchecktype = on\n",
				Deps{Table: slowTable{ipvsctl.NewMemory(nil), hangs}, Marks: hangingMarks{}})
			time.Sleep(2*judge.TableTimeout + marksTimeout + time.Second) // all requests hang again
			if took := s.ends(cause); took > stopTimeout+3*time.Second {
				t.Errorf("%s: the end took %v", name, took)
			}
			time.Sleep(marksTimeout + time.Second)
		})
	}
}

func TestTheEndWaitsForNoProgramThatCanNotBeKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := running(t, "virtual = 1\n\tmark = 10.1.0.1 tcp 80\n\treal = 10.2.0.1 gate\n\tchecktype = on\n",
			Deps{Marks: &deafMarks{}})
		time.Sleep(time.Second)
		testkit.Equal(t, s.ends(nil), stopTimeout)
		time.Sleep(time.Hour)
	})
}

func TestMarkRulesHaveMoreTimeTheMoreTheyAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New(Deps{Marks: hangingMarks{}})
		for rules, want := range map[int]time.Duration{0: 15 * time.Second, 500: 25 * time.Second} {
			begin := time.Now()
			d.setRules(t.Context(), make([]lvs.MarkRule, rules), nil)
			<-d.rules.reports
			testkit.Equal(t, time.Since(begin), want, rules, "rules had")
		}
	})
}

// Without addresses the kernel isn't asked to report changes of devices.
func TestOnlyAddressesAreFollowed(t *testing.T) {
	d := New(Deps{Announcer: newDevices(nil)})
	for _, follow := range []bool{false, true} {
		if d.carryOut(t.Context(), core.Effects{Follow: follow}); (d.changes != nil) != follow {
			t.Errorf("with addresses %t: changes of devices are reported %t", follow, !follow)
		}
	}
}

func TestARequestThatIsNotTaken(t *testing.T) {
	d := New(Deps{}) // not running
	gone := testkit.Ended(t)
	testkit.Fails(t, testkit.Error(d.Snapshot(gone)), "the director is busy: context canceled",
		"a snapshot gives the error")
	if err := d.SetStandby(gone, true); !errors.Is(err, errNotTaken) || !errors.Is(err, context.Canceled) {
		t.Errorf("an order gives the error %v", err)
	}
}

// Readers who wait at the same time share a snapshot, but not what reports change. A later one sees what has changed.
func TestReadersShareASnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := running(t, "virtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n\tchecktype = on\n"+
			"\tminservers = 1\n", Deps{})
		d, ctx, at := s.director, t.Context(), lvs.At("tcp:10.1.0.1:80", "10.2.0.1:80")
		<-d.Settled()
		busy := make(chan struct{})
		go d.asked.do(ctx, func() { <-busy })
		synctest.Wait()
		gone, leave := context.WithCancel(ctx)
		go d.Snapshot(gone)
		seen := make(chan *view.Virtual, 3)
		for range 2 {
			go func() { seen <- &testkit.Must(d.Snapshot(ctx))(t).Virtuals[0] }()
		}
		synctest.Wait()
		leave()
		synctest.Wait()
		close(busy)
		a, b := <-seen, <-seen
		if a.Enough != b.Enough || a == b || &a.Servers[0] == &b.Servers[0] {
			t.Error("two readers share nothing, or too much")
		}
		testkit.OK(t, d.Order(ctx, orders.All{at: {Kind: orders.Drain}}, nil))
		if c := testkit.Must(d.Snapshot(ctx))(t).Virtuals[0]; c.Enough == a.Enough || !c.Servers[0].Drained {
			t.Error("a later reader gets an old snapshot")
		}
		s.ends(nil)
	})
}

// While maintenancedir hangs, the start waits a moment for it, a reload waits alone, and the end does not. Calls whose
// callers are gone delay nothing, either.
func TestAHangingFolderDelaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var watches []context.Context
		within := func(what string, least, most time.Duration, does func()) {
			t.Helper()
			begun := time.Now()
			if does(); time.Since(begun) < least || time.Since(begun) > most {
				t.Errorf("%s took %v", what, time.Since(begun))
			}
		}
		var s *scenario
		within("the start", folderWait, folderWait+time.Second, func() {
			s = running(t, "maintenancedir = /m\ncheckinterval = 1\nvirtual = 10.1.0.1:80\n"+
				"\treal = 10.2.0.1:80 gate\n\tchecktype = connect\n",
				Deps{Maintenance: func(ctx context.Context, _ string,
					_ []maintenance.Server) <-chan maintenance.Reading {
					watches = append(watches, ctx)
					return make(chan maintenance.Reading)
				}})
			<-s.director.Settled()
		})
		d, ctx := s.director, t.Context()
		reloaded := make(chan error, 1)
		within("a reload", folderWait, folderWait, func() {
			go func() { reloaded <- d.Reload(ctx, s.plan("one"), false) }()
			within("a snapshot", 0, 0, func() {
				cancelled, cancel := context.WithCancel(ctx)
				cancel()
				for range 100 {
					d.Snapshot(cancelled)
				}
				time.Sleep(0)
				now := testkit.Must(d.Snapshot(ctx))(t)
				if now.Folder != "no answer in 3s" || now.Overdue > 2*schedule.Tick {
					t.Errorf("the folder: %q; checks are late by %v", now.Folder, now.Overdue)
				}
			})
			testkit.OK(t, <-reloaded)
		})
		if watches[0].Err() == nil || watches[1].Err() != nil {
			t.Error("not just the folder of the present plan is watched")
		}
		gone, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		within("a reload whose caller gives up", time.Second, time.Second, func() {
			if err := d.Reload(gone, s.plan("one"), false); err == nil {
				t.Error("it is done")
			}
		})
		within("the end", 0, time.Second, func() { s.ends(nil) })
		for _, w := range watches {
			if w.Err() == nil {
				t.Error("a folder is watched after the end")
			}
		}
	})
}
