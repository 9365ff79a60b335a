package director

import (
	"time"

	"ldirectord/lvs"
	"ldirectord/notify"
	"ldirectord/parser"
)

// teller passes on what happens, as one stream of changes. It knows neither the director nor the receivers.
type teller struct {
	receivers []Receiver
	global    *parser.Global // the configuration in force
	status    lvs.Status     // of the daemon
	clock     time.Time      // see now

	change Change // that is being told: none takes memory of its own
}

// told is what was told of a virtual service. A reload carries it on.
type told struct {
	fallback   string    // whether a fallbackcommand serves: start, stop, or nothing yet
	state      State     // of the virtual service; without a text nothing yet
	stops      bool      // it goes because the director stops, and not at a start or a reload
	guardAt    time.Time // when it is to be reported that servers are held; zero: it was
	unjudgedAt time.Time // when it was last reported that an answer of a server can't be judged
	left       int       // servers in service
	leftAt     time.Time // when the servers in service were last counted, for a mail
}

// purge is what the log gives as the reason of a purge.
func (t *told) purge() string {
	if t.stops {
		return "stop"
	}
	return "start"
}

// say records an event of a virtual service, and of one of its servers, if not nil.
func (t *teller) say(v *virtual, s *server, kind notify.Kind, text, reason string) {
	e := notify.Event{Kind: kind, Virtual: v.cfg.ID, Text: text, Reason: reason}
	if s != nil {
		e.Real = s.name()
	}
	t.emit(e)
}

// emit tells of something in words alone.
func (t *teller) emit(e notify.Event) { t.tell(Change{Cause: Cause{Event: e}}) }

// tell tells all receivers of a change, with the current status of the daemon.
func (t *teller) tell(c Change) {
	c.Status, c.Time, c.Global = t.status, t.now(), t.global
	t.change = c
	for _, receive := range t.receivers {
		receive(&t.change)
	}
	t.change = Change{} // a plan that was replaced may go
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
