package director

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/checker/transcript"
)

// traced keeps what comes of a trace.
type traced struct {
	Trace
	mu    sync.Mutex // guards what follows
	names []string
	at    []time.Time
	ended bool
}

// take returns the names of the checks since it was called last, and when they ended.
func (t *traced) take() (names string, at []time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	names, at = strings.Join(t.names, ","), t.at
	t.names, t.at = nil, nil
	return names, at
}

func newTraced(virtual, real string) *traced {
	t := &traced{Trace: Trace{Virtual: virtual, Real: real}}
	t.Take = func(check string, _ *transcript.Tape) {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.names, t.at = append(t.names, check), append(t.at, time.Now())
	}
	t.End = func() { t.ended = true }
	return t
}

// A trace has each check of its server when it is due anyway, over reloads, until the file no longer has the server.
func TestATraceFollowsTheSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScenario(t)
		const head = "checkinterval = 2\nvirtual = 10.1.0.1:80\n\tchecktype = connect\n"
		s.configs["one"] = head + "\treal = 10.2.0.1:80 gate\n\treal = 10.2.0.2:80 gate\n\talsocheck = connect 81\n"
		s.configs["two"] = head + "\treal = 10.2.0.1:80 gate 7\n\treal = 10.2.0.2:80 gate\n"
		s.configs["off"] = head + "\treal = 10.2.0.2:80 gate\n"
		s.start("one", false)
		time.Sleep(3 * time.Second)
		before := snapshotOf(t, s.director).Virtuals[0].Servers[0]
		one := newTraced("10.1.0.1:80", "10.2.0.1")
		if err := s.director.Trace(t.Context(), &one.Trace); err != nil {
			t.Fatal(err)
		}
		if one.Virtual != "tcp:10.1.0.1:80" || one.Real != "10.2.0.1:80" {
			t.Errorf("the server is %s of %s", one.Real, one.Virtual)
		}
		time.Sleep(10 * time.Second)
		text, ends := one.take()
		if strings.Count(text, "connect 80") != 5 || strings.Count(text, "connect 81") != 5 {
			t.Errorf("in 10 s: %s", text)
		}
		for _, at := range ends {
			off := at.Sub(before.Checked) % (2 * time.Second)
			other := at.Sub(before.Checks[1].Checked) % (2 * time.Second)
			if off > 50*time.Millisecond && other > 50*time.Millisecond {
				t.Errorf("a check %v after those of the schedule", min(off, other))
			}
		}
		again := newTraced("10.1.0.1:80", "10.2.0.1:80")
		for words, want := range map[[2]string]string{
			{"10.1.0.1:80", "10.2.0.9:80"}: "there is no server 10.2.0.9:80 of 10.1.0.1:80",
			{"10.1.0.1:80", ""}:            " of 10.1.0.1:80 is more than one server: name one as status -v does",
		} {
			again.Virtual, again.Real = words[0], words[1]
			if err := s.director.Trace(t.Context(), &again.Trace); fmt.Sprint(err) != want {
				t.Errorf("%v: %v", words, err)
			}
		}
		s.step([]string{"reload", "two"}, "")
		one.take()
		time.Sleep(6 * time.Second)
		if text, _ := one.take(); text != "connect,connect,connect" {
			t.Errorf("in 6 s after a reload: %s", text)
		}
		s.step([]string{"reload", "off"}, "")
		one.take()
		time.Sleep(4 * time.Second)
		if text, _ := one.take(); !one.ended || text != "" {
			t.Errorf("ended %v, then %v", one.ended, text)
		}
		two, same := newTraced("", "10.2.0.2"), newTraced("", "10.2.0.2")
		if err := errors.Join(s.director.Trace(t.Context(), &two.Trace), s.director.Trace(t.Context(), &same.Trace)); err != nil {
			t.Error(err)
		}
		for i := range maxTraces {
			third := newTraced("", "10.2.0.2")
			if err := s.director.Trace(t.Context(), &third.Trace); (err != nil) != (i+2 >= maxTraces) {
				t.Errorf("trace %d: %v", i+3, err)
			}
		}
		s.director.EndTrace(&two.Trace)
		time.Sleep(4 * time.Second)
		if text, _ := two.take(); text != "" {
			t.Errorf("after its end: %v", text)
		}
		if text, _ := same.take(); text != "connect,connect" {
			t.Errorf("who traces the same has %v", text)
		}
		s.stop(nil)
		time.Sleep(time.Second) // checks in flight end
		s.director.EndTrace(&two.Trace)
	})
}
