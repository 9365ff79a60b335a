package core

import (
	"cmp"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
	"ldirectord/parser"
)

// teller reports all events as one stream of changes. It does not know the director, nor what the receivers do.
type teller struct {
	receivers []Receiver
	global    *parser.Global // the configuration in force
	status    lvs.Status     // of the daemon
	await     func() func()  // see Performers
	clock     time.Time      // the time of the event, or of the last answer of the table

	change  Change  // the change being reported, reused so that none is allocated
	subject subject // the one whose conditions are compared, also reused
}

// reported is what was reported about a virtual service. It survives a reload.
type reported struct {
	fallback   string    // the last call of fallbackcommand: start, stop, or nothing yet
	state      State     // the last report of the virtual service; without a text: none yet
	stops      bool      // a stop removes it, not a start or a reload
	unjudgedAt time.Time // when mail was last told of an unjudged answer
	left       int       // servers in service
	leftAt     time.Time // when the servers in service were last counted, for a mail
}

// purge returns the reason that the log gives for a purge.
func (t *reported) purge() string {
	if t.stops {
		return "stop"
	}
	return "start"
}

// say reports an event of v, or of its server s if that is not nil.
func (t *teller) say(v *virtual, s *server, kind notify.Kind, text, reason string) {
	e := notify.Event{Kind: kind, Virtual: v.Config.ID, Text: text, Reason: reason}
	if s != nil {
		e.Real, e.Fallback = s.entry.Name(), s.Fallback
	}
	t.emit(e)
}

// report is like say, but puts the name of the server or virtual service between what and more.
func (t *teller) report(v *virtual, s *server, kind notify.Kind, what, more, reason string) {
	whose := v.label()
	if s != nil {
		whose = s.label() + " (" + whose + ")"
	}
	t.say(v, s, kind, what+": "+whose+more, reason)
}

// about is like report, but for a check, and in the form of the Perl ldirectord. It names the check if the server has
// several.
func (t *teller) about(x user, kind notify.Kind, what, more, reason string) {
	if x.s.first.next != nil {
		more += ": " + x.use().Name()
	}
	t.say(x.v, x.s, kind, what+": "+x.s.label()+" ("+x.v.Config.ID+")"+more, reason)
}

// line reports an event of the director as a whole.
func (t *teller) line(kind notify.Kind, text string) { t.emit(notify.Event{Kind: kind, Text: text}) }

// emit reports an event that changes no state.
func (t *teller) emit(e notify.Event) { t.tell(Change{Cause: Cause{Event: e}}) }

// tell passes a change to all receivers, with the current status of the daemon unless the change has another one.
func (t *teller) tell(c Change) {
	c.Status, c.Time, c.Global = cmp.Or(c.Status, t.status), t.now(), t.global
	t.change = c
	for _, receive := range t.receivers {
		receive(&t.change)
	}
	t.change = Change{} // a plan that was replaced may be freed
}

func (t *teller) now() time.Time { return t.clock }

// enter sets the status of the daemon, and use sets the configuration in force.
func (t *teller) enter(status lvs.Status)   { t.status = status }
func (t *teller) use(global *parser.Global) { t.global = global }

// tick sets the time to that of an event or of the table's answer.
func (t *teller) tick(now time.Time) { t.clock = now }

// trouble reports trouble once for each reason, and its end once. last points to the last reported reason.
func (t *teller) trouble(last *string, err error, fails notify.Kind, failed string, works notify.Kind, again string) {
	e, why := notify.Event{Kind: works, Text: again}, ""
	if err != nil {
		why = err.Error()
		e = notify.Event{Kind: fails, Text: failed + ": " + why, Reason: why}
	}
	if why != *last {
		*last = why
		t.emit(e)
	}
}
