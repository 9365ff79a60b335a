package core

import (
	"testing"
	"time"

	"ldirectord/internal/judge"
)

// A section is decided again at the time that its last decision named, though nothing happens, and not before. That
// holds on standby too, and while the table does not answer. If decisions were made all the time, time would not pass.
func TestASectionIsDecidedWhenItsDecisionSaysSo(t *testing.T) {
	const edit = "-e -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 3"
	for name, row := range map[string]struct {
		standby, silent bool
		want            string
	}{
		"it serves":           {want: edit},
		"it stands by":        {standby: true},
		"the table is silent": {silent: true, want: edit},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.start("checkinterval = 600\n" + web(1))
			w.SetStandby(w.now, row.standby)
			w.step()
			w.saw()
			v := w.virtuals[0]
			v.wakeAt(w.now.Add(3 * time.Second)) // as a rule that depends on time does; no event follows
			v.servers[0].Ordered(judge.Order{Kind: judge.Weigh, Weight: 3})
			asked := 0
			if row.silent {
				w.answers = func(string) (judge.Outcome, time.Duration) {
					asked++
					return unanswered, time.Second
				}
			}
			w.pass(3*time.Second - 1)
			if got := w.saw(); v.again.IsZero() || got != "" {
				t.Errorf("it was decided early: %s", got)
			}
			w.pass(1)
			if row.silent {
				w.pass(30 * time.Second)
				if asked == 0 || asked > 8 {
					t.Errorf("the silent table got %d requests, want 1 to 8", asked)
				}
				w.saw()
				w.answers = nil
				w.pass(30 * time.Second)
			}
			if got := w.saw("log", "read", "answered"); !v.again.IsZero() || got != row.want {
				t.Errorf("due again at %v; did %q, want %q", v.again, got, row.want)
			}
		})
	}
}
