package director

import (
	"time"

	"ldirectord/lvs"
	"ldirectord/notify"
)

// teller passes on what happens. It is told in values, and knows nothing of the director.
type teller struct {
	journal *notify.Journal
	status  lvs.Status // of the daemon
	clock   time.Time  // see now
}

// say records an event of a virtual service, and of one of its servers, if not nil.
func (t *teller) say(v *virtual, s *server, kind notify.Kind, text, reason string) {
	e := notify.Event{Kind: kind, Virtual: v.cfg.ID, Text: text, Reason: reason}
	if s != nil {
		e.Real = s.name()
	}
	t.emit(e)
}

// emit records an event with the current status of the daemon.
func (t *teller) emit(e notify.Event) {
	e.Status, e.Time = t.status, t.now()
	t.journal.Emit(e)
}

// now is the time of what is reported. It is read once for all that a wake-up, or an answer of the table, leads to.
func (t *teller) now() time.Time {
	if t.clock.IsZero() {
		t.clock = time.Now()
	}
	return t.clock
}

// trouble reports trouble once for each reason, and once that it is over. Told is the reason that was reported last.
func (t *teller) trouble(told *string, err error, fails notify.Kind, failed string, works notify.Kind, again string) {
	e, why := notify.Event{Kind: works, Text: again}, ""
	if err != nil {
		why = err.Error()
		e = notify.Event{Kind: fails, Text: failed + ": " + why, Reason: why}
	}
	if why != *told {
		*told = why
		t.emit(e)
	}
}
