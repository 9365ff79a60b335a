package director

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/core"
	"ldirectord/lvs"
)

const withTimeouts = "checkinterval = 1\ntimeouts = 7200/0/60\nvirtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n\tchecktype = connect\n"

// The timeouts of the file are set at the start, after a change by hand, and after a reload. They stay at the end.
// They are not changed while another daemon has them, and not on standby.
func TestTimeoutsOfIdleConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScenario(t)
		s.configs["one"] = withTimeouts
		s.configs["two"] = strings.Replace(withTimeouts, "7200/0/60", "0/90/0", 1)
		s.configs["none"] = strings.Replace(withTimeouts, "timeouts = 7200/0/60\n", "", 1)
		s.journal = s.newJournal()
		n := &neighbour{changed: make(chan struct{})}
		d := New(Deps{Table: s.table, Claims: n, World: core.World{Tell: s.receivers()}})
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- d.Run(ctx, s.plan("one")) }()
		step := func(what string, order, want lvs.Timeouts, said string) {
			t.Helper()
			if _, err := s.table.Timeouts(ctx, order); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
			var told []string
			for _, line := range s.take() {
				if _, text, is := strings.Cut(line, "timeouts: "); is {
					told = append(told, text)
				}
			}
			now, _ := s.table.Timeouts(ctx, lvs.Timeouts{})
			if got := strings.Join(told, "; "); now != want || got != said {
				t.Errorf("%s: %v, %q; want %v, %q", what, now, got, want, said)
			}
		}
		reload := func(name string) {
			if err := d.Reload(ctx, s.plan(name)); err != nil {
				t.Fatal(err)
			}
		}
		step("start", lvs.Timeouts{}, lvs.Timeouts{7200, 120, 60}, "7200/120/60, before: 900/120/300")
		step("by hand", lvs.Timeouts{5, 0, 0}, lvs.Timeouts{7200, 120, 60}, "7200/120/60, before: 5/120/60")
		step("one that is left as it is", lvs.Timeouts{0, 7, 0}, lvs.Timeouts{7200, 7, 60}, "")
		reload("two")
		step("a reload", lvs.Timeouts{}, lvs.Timeouts{7200, 90, 60}, "7200/90/60, before: 7200/7/60")
		reload("none")
		if slices.Contains(n.last, lvs.TimeoutsKey) {
			t.Error("the timeouts are claimed though the file has none")
		}
		step("none in the file", lvs.Timeouts{1, 1, 1}, lvs.Timeouts{1, 1, 1}, "")
		n.becomes(map[lvs.Key]bool{lvs.TimeoutsKey: true}, nil)
		reload("one")
		step("another daemon has them", lvs.Timeouts{}, lvs.Timeouts{1, 1, 1}, "")
		n.becomes(nil, nil)
		step("that one ends", lvs.Timeouts{}, lvs.Timeouts{7200, 1, 60}, "7200/1/60, before: 1/1/1")
		if !slices.Contains(n.last, lvs.TimeoutsKey) {
			t.Error("the timeouts are not claimed after the other daemon ended")
		}
		end()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if now, _ := s.table.Timeouts(t.Context(), lvs.Timeouts{}); now != (lvs.Timeouts{7200, 1, 60}) {
			t.Errorf("at the end: %v", now)
		}

		if _, err := s.table.Timeouts(t.Context(), lvs.Timeouts{9, 9, 9}); err != nil {
			t.Fatal(err)
		}
		d = New(Deps{Table: s.table, World: core.World{Tell: s.receivers(), Standby: true}})
		ctx, end = context.WithCancel(t.Context())
		go func() { ended <- d.Run(ctx, s.plan("one")) }()
		step("standby", lvs.Timeouts{}, lvs.Timeouts{9, 9, 9}, "")
		if err := d.SetStandby(ctx, false); err != nil {
			t.Fatal(err)
		}
		step("promotion", lvs.Timeouts{}, lvs.Timeouts{7200, 9, 60}, "7200/9/60, before: 9/9/9")
		end()
		if err := errors.Join(<-ended, s.journal.Close(context.Background())); err != nil {
			t.Error(err)
		}
	})
}
