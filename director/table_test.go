package director

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/checker"
	"ldirectord/ipvsctl"
	"ldirectord/judge"
	"ldirectord/lvs"
)

// mute is a table that can stop answering. It counts the requests from then on.
type mute struct {
	*recorder
	silent atomic.Bool
	asked  atomic.Int32
}

func (m *mute) wait(ctx context.Context) error {
	if !m.silent.Load() {
		return nil
	}
	m.asked.Add(1)
	<-ctx.Done()
	return ctx.Err()
}

func (m *mute) Read(ctx context.Context) (lvs.Table, error) {
	if err := m.wait(ctx); err != nil {
		return nil, err
	}
	return m.recorder.Read(ctx)
}

func (m *mute) Services(ctx context.Context, keys ...lvs.Key) (lvs.Table, error) {
	if err := m.wait(ctx); err != nil {
		return nil, err
	}
	return m.recorder.Services(ctx, keys...)
}

func (m *mute) Do(ctx context.Context, ops ...lvs.Op) []error {
	if err := m.wait(ctx); err != nil {
		return slices.Repeat([]error{err}, len(ops))
	}
	return m.recorder.Do(ctx, ops...)
}

// hundred runs a director over a hundred virtual services, with a table that can stop answering.
func hundred(t *testing.T, test func(t *testing.T, s *scenario, table *mute)) {
	several(t, 100, test)
}

func several(t *testing.T, virtuals int, test func(t *testing.T, s *scenario, table *mute)) {
	synctest.Test(t, func(t *testing.T) {
		s := newScenario(t)
		table := &mute{recorder: s.table}
		s.client = table
		var text strings.Builder
		text.WriteString("checkinterval = 1\n")
		for i := range virtuals {
			fmt.Fprintf(&text, "virtual = 10.1.0.%d:80\n\treal = 10.2.0.1:80 gate\n\treal = 10.2.0.2:80 gate\n\tchecktype = connect\n", i+1)
		}
		s.configs["one"] = text.String()
		s.configs["two"] = strings.ReplaceAll(text.String(), "0.1:80 gate", "0.1:80 gate 5")
		s.start("one", false)
		<-s.director.Settled()
		time.Sleep(5 * time.Second)
		s.take()
		test(t, s, table)
		if s.end != nil {
			s.stop(ErrHandover)
		}
		time.Sleep(time.Second) // checks in flight end
	})
}

func TestATableThatDoesNotAnswerDelaysNothingForLong(t *testing.T) {
	hundred(t, func(t *testing.T, s *scenario, table *mute) {
		table.silent.Store(true)
		s.set(servers[1], "down")
		began := time.Now()
		if err := s.director.Reload(t.Context(), s.plan("two")); err != nil {
			t.Fatal(err)
		}
		longest, answers := time.Duration(0), 0
		for time.Since(began) < 10*time.Minute {
			asked := time.Now()
			if now := snapshotOf(t, s.director); now.Virtuals[0].Servers[0].Weight != 5 {
				t.Error("the director still has the old plan")
			}
			longest = max(longest, time.Since(asked))
			answers++
			time.Sleep(100 * time.Millisecond)
		}
		if longest > judge.TableTimeout || answers < 500 {
			t.Errorf("a snapshot took up to %v, and %d were made in ten minutes", longest, answers)
		}
		if n := table.asked.Load(); n > 100 {
			t.Errorf("the silent table got %d requests, want 100 at most", n)
		}
		if now := snapshotOf(t, s.director); now.Virtuals[7].Servers[1].State != "down" {
			t.Errorf("results are not taken: the server is %s", now.Virtuals[7].Servers[1].State)
		}
		if err := s.director.Order(t.Context(), nil); err != nil {
			t.Error(err)
		}
		said := strings.Join(s.take(), "\n")
		if n := strings.Count(said, "Table change failed"); n != 1 {
			t.Errorf("%d lines say that it does not answer, want 1", n)
		}
		table.silent.Store(false)
		healed := time.Now()
		for snapshotOf(t, s.director).Virtuals[99].Written == false {
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(healed); took > judge.TableTimeout+judge.MaxPause {
			t.Errorf("the table follows again after %v", took)
		}
		have, err := table.Memory.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for key, v := range have {
			if len(v.Dests) != 1 || v.Dests.Weight(servers[0]) != 5 {
				t.Errorf("%v has %v", key, v.Dests)
			}
		}
	})
}

// A stop or a demotion makes one request that is not answered, then leaves what can't be removed.
func TestATableThatDoesNotAnswerHoldsUpNoStop(t *testing.T) {
	hundred(t, func(t *testing.T, s *scenario, table *mute) {
		table.silent.Store(true)
		began := time.Now()
		if err := s.director.SetStandby(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > judge.TableTimeout+time.Second {
			t.Errorf("the demotion took %v", took)
		}
		table.silent.Store(false)
		time.Sleep(judge.TableTimeout + judge.MaxPause)
		if have, _ := table.Memory.Read(t.Context()); len(have) != 0 {
			t.Errorf("%d virtual services are left after the demotion", len(have))
		}
		if err := s.director.SetStandby(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		table.silent.Store(true)
		s.take()
		began = time.Now()
		s.stop(nil)
		if took := time.Since(began); took > stopTimeout {
			t.Errorf("the stop took %v", took)
		}
		if said := strings.Join(s.take(), "\n"); strings.Count(said, "Table change failed") != 2 || !strings.Contains(said, "Table change failed: 99 more virtual services could not be removed: the table does not answer") {
			t.Errorf("the log has\n%s", said)
		}
	})
}

// unreadable is a table that can't be read as a whole.
type unreadable struct {
	*recorder
	why atomic.Pointer[string]
}

func (u *unreadable) Read(ctx context.Context) (lvs.Table, error) {
	if why := u.why.Load(); why != nil {
		return nil, errors.New(*why)
	}
	return u.recorder.Read(ctx)
}

// withoutIPVS is the table of a kernel that loses IPVS and everything in it.
type withoutIPVS struct {
	*recorder
	gone atomic.Bool
}

func (w *withoutIPVS) open() error {
	if !w.gone.Load() {
		return nil
	}
	return &ipvsctl.OpError{Op: "open", Err: syscall.ENOENT, Hint: "the module ip_vs can't be loaded"}
}

func (w *withoutIPVS) Read(ctx context.Context) (lvs.Table, error) {
	if err := w.open(); err != nil {
		return nil, err
	}
	return w.recorder.Read(ctx)
}

func (w *withoutIPVS) Do(ctx context.Context, ops ...lvs.Op) []error {
	if err := w.open(); err != nil {
		return slices.Repeat([]error{err}, len(ops))
	}
	return w.recorder.Do(ctx, ops...)
}

// That a kernel lost IPVS is not reported as missing entries: the log names IPVS. When IPVS is back, everything is set
// up again.
func TestAKernelThatLosesIPVS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScenario(t)
		table := &withoutIPVS{recorder: s.table}
		s.client = table
		s.configs["one"] = threeAndOne
		s.start("one", false)
		time.Sleep(5 * time.Second)
		read := func() string {
			t, _ := s.table.Memory.Read(s.t.Context()) // the memory can always be read
			return lvs.Format(t)
		}
		before := read()
		table.gone.Store(true)
		s.set(servers[0], "down")
		time.Sleep(30 * time.Second)
		said := strings.Join(s.take(), "\n")
		if !strings.Contains(said, "Table change failed: 10.1.0.1:80: ipvs open: no such file or directory (the module ip_vs can't be loaded)") || strings.Contains(said, "not in the table") {
			t.Errorf("the log has\n%s", said)
		}
		s.hand([]string{"-D", "-t", "10.1.0.1:80"}) // the kernel lost its entries
		s.set(servers[0], "up")
		table.gone.Store(false)
		time.Sleep(30 * time.Second)
		if after := read(); after != before {
			t.Errorf("before\n%safter\n%s", before, after)
		}
		s.stop(nil)
		time.Sleep(time.Second) // checks in flight end
	})
}

func TestATableThatCantBeReadIsToldOnceForEachReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScenario(t)
		table := &unreadable{recorder: s.table}
		s.client = table
		s.configs["one"] = threeAndOne
		s.start("one", false)
		time.Sleep(5 * time.Second)
		for _, why := range []string{"permission denied", "no such device"} {
			table.why.Store(&why)
			time.Sleep(20 * time.Second)
			if now := snapshotOf(t, s.director); now.Unread != why {
				t.Errorf("a snapshot has %q, want %q", now.Unread, why)
			}
		}
		table.why.Store(nil)
		time.Sleep(20 * time.Second)
		said := strings.Join(s.take(), "\n")
		for line, times := range map[string]int{
			"Table can't be read: permission denied": 1, "Table can't be read: no such device": 1, "Table can be read again": 1,
		} {
			if n := strings.Count(said, line); n != times {
				t.Errorf("%d times %q, want %d", n, line, times)
			}
		}
		s.stop(nil)
		time.Sleep(time.Second) // checks in flight end
	})
}

func TestAWarningOfACheckIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScenario(t)
		s.configs["one"] = threeAndOne
		s.start("one", false)
		time.Sleep(5 * time.Second)
		s.take()
		for _, warning := range []string{"ends in 5 days", "ends in 4 days"} {
			s.mu.Lock()
			s.health[servers[0]] = checker.Result{OK: true, Warning: warning}
			s.mu.Unlock()
			time.Sleep(20 * time.Second)
		}
		said := strings.Join(s.take(), "\n")
		if strings.Count(said, "Check warning: 10.2.0.1:80 (tcp:10.1.0.1:80): ends in 5 days") != 1 || strings.Count(said, "Check warning") != 2 {
			t.Errorf("the log has\n%s", said)
		}
		s.stop(nil)
		time.Sleep(time.Second) // checks in flight end
	})
}
