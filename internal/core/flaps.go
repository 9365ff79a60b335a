package core

import (
	"fmt"
	"slices"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/judge"
	"ldirectord/internal/notify"
)

// A server whose state changes many times within minutes flaps. That is shown and reported, and decides nothing.

const (
	flapsFrom  = 4 // changes of its state
	flapsIn    = 10 * time.Minute
	shiftsKept = 100 // the number of changes that are remembered
)

// shift is the receiver that notes when a server changes its state.
func shift(c *Change) {
	if c.Before.Health == health.Unknown {
		return
	}
	kept := memoryOf(c.v, c.s)
	if len(kept.shifts) == shiftsKept {
		kept.shifts = slices.Delete(kept.shifts, 0, 1)
	}
	kept.shifts = append(kept.shifts, c.Time)
}

// lately counts a server's changes of state during the last flapsIn.
func (s *server) lately(now time.Time) int {
	if s.recent == nil {
		return 0
	}
	n := 0
	for _, at := range s.shifts {
		if now.Before(at.Add(flapsIn)) {
			n++
		}
	}
	return n
}

// flaps describes the changes of a server that flaps, or returns "" for any other server.
func (a *subject) flaps() string {
	n := a.s.lately(a.Now)
	if n < flapsFrom {
		return ""
	}
	text := fmt.Sprintf("%d changes in %.0f minutes", n, flapsIn.Minutes())
	if n == shiftsKept {
		text += ", or more"
	}
	if a.v.HoldDown.First == 0 && !a.s.Waits() {
		text += "; holddown would keep such a server out, longer each time"
	}
	return text
}

var flapsKind = kind{name: "flaps", trouble: judge.Doubt,
	says: (*subject).flaps,
	news: &news{
		begins: func(a *subject) notice {
			return notice{event: notify.Flaps, what: "Flaps", more: ": " + a.flaps()}
		},
		ends: alike(notify.FlapsOver, "No longer flaps", ""),
		over: func(a *subject) time.Time {
			return a.s.shifts[len(a.s.shifts)-flapsFrom].Add(flapsIn)
		},
	},
}
