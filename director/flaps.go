package director

import (
	"fmt"
	"slices"
	"time"

	"ldirectord/checker/health"
	"ldirectord/judge"
	"ldirectord/notify"
)

// A server whose state changes many times within minutes flaps. That is shown and reported. Nothing decides by it.

const (
	flapsFrom  = 4 // changes of its state
	flapsIn    = 10 * time.Minute
	shiftsKept = 100 // that are remembered
)

// flapping is what a server remembers of its changes.
type flapping struct {
	shifts []time.Time // the latest ones, at most shiftsKept
	told   bool
}

// shift is the receiver that notes when a server changes its state.
func shift(c *Change) {
	if c.Before.Verdict == health.Unknown {
		return
	}
	f := c.s.flapping
	if f == nil {
		f = &flapping{}
		c.s.flapping = f
	}
	if len(f.shifts) == shiftsKept {
		f.shifts = slices.Delete(f.shifts, 0, 1)
	}
	f.shifts = append(f.shifts, c.Time)
}

// flaps describes the changes of a server that flaps; "" for others.
func (v *virtual) flaps(s *server, now time.Time) string {
	if s.flapping == nil {
		return ""
	}
	n := len(s.flapping.shifts)
	for n > 0 && !now.Before(s.flapping.shifts[len(s.flapping.shifts)-n].Add(flapsIn)) {
		n--
	}
	if n < flapsFrom {
		return ""
	}
	text := fmt.Sprintf("%d changes in %.0f minutes", n, flapsIn.Minutes())
	if n == shiftsKept {
		text += ", or more"
	}
	if v.HoldDown == 0 && !s.Waits() {
		text += "; holddown keeps such a server out, longer each time"
	}
	return text
}

// followFlaps reports which servers begin and cease to flap. When one may cease by time alone, it is looked at again.
func (t *teller) followFlaps(v *virtual) {
	for _, s := range v.servers {
		f := s.flapping
		if f == nil {
			continue
		}
		switch says := v.flaps(s, t.now()); {
		case says != "":
			over := f.shifts[len(f.shifts)-flapsFrom].Add(flapsIn)
			if v.again.IsZero() || over.Before(v.again) {
				v.again = over
			}
			if !f.told {
				t.report(v, s, notify.Flaps, "Flaps", ": "+says, "")
			}
			f.told = true
		case f.told:
			f.told = false
			t.report(v, s, notify.FlapsOver, "No longer flaps", "", "")
		}
	}
}

var flapsKind = kind{"flaps", judge.Doubt, func(a *subject) string { return a.v.flaps(a.s, a.Now) }}
