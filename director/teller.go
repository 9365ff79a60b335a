package director

import (
	"time"

	"ldirectord/lvs"
	"ldirectord/notify"
)

// Hooks runs the operator's commands.
type Hooks interface{ Run(notify.Hook) }

// Webhook posts the state of a virtual service, and calls tried after the first try. It must not block, as
// webhook.Poster does not.
type Webhook interface {
	Post(virtual string, state []byte, tried func())
}

// Monitor writes monitorfiles.
type Monitor interface {
	Record(file, id string, up bool, message string)
}

// teller passes on what happens, to the log, mail, commands, the webhook, monitorfiles and the history of each server.
// It is told, and knows nothing of the director.
type teller struct {
	journal *notify.Journal
	hooks   Hooks
	webhook Webhook
	monitor Monitor
	status  lvs.Status // of the daemon
	clock   time.Time  // see now
	posts   bool       // the configuration has a webhook
	readds  bool       // … and readdquiescent
}

// told is what was told of a virtual service. A reload carries it on.
type told struct {
	fallback   string    // what the fallbackcommand was last called with: start, stop, or nothing yet
	state      []byte    // what onchange was last called with
	available  bool      // … and that the service is available
	stops      bool      // it goes because the director stops, and not at a start or a reload
	guardAt    time.Time // when it is to be reported that servers are held; zero: it was
	unjudgedAt time.Time // when it was last reported that an answer of a server can't be judged
	left       int       // servers in service …
	leftAt     time.Time // … when they were last counted, for a mail
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
