package director

import (
	"ldirectord/checker"
	"ldirectord/checker/health"
	"ldirectord/history"
	"ldirectord/notify"
	"ldirectord/parser"
)

// Change is something that happened: what was before, what is now, and the cause. All that is told of it follows from
// one stream of these.
type Change struct {
	Before, After State
	Cause
	Global *parser.Global // the configuration in force

	user // what it is about, if it is one of these
	// Await waits until the receivers are done that must be, where there are some. What it returns,
	// if not nil, ends that.
	Await func() (done func())
}

// State is what a change may be the difference of. What it does not concern is zero, before and after.
type State struct {
	Verdict  health.State // what its checks say of a server
	Fallback string       // what a fallbackcommand was called with: start or stop

	// What there is to tell of a virtual service: as JSON, whether it is available, how many of its servers are up.
	Text        []byte
	Available   bool
	Up, Servers int
}

// Cause is why something changed. It may change nothing.
type Cause struct {
	notify.Event                 // in words; of no kind: there are none
	Result       *checker.Result // of a check; nil: it is none
	By           history.Verdict // the results that count
	// What is remembered of it: of a result what it counts as. Nothing with a result: it has just come.
	Past history.Kind
	Note string // in which words it is remembered
}

// Receiver is told of each change in turn, by the director's goroutine. It must not block, and keeps nothing of the
// change but texts.
type Receiver func(*Change)

// isNew reports whether it is a result that has just come. What it counts as follows.
func (c *Change) isNew() bool { return c.Result != nil && c.Past == history.Nothing }

// Words passes on what is said of changes: to log, mail and counts of events.
func Words(emit func(notify.Event)) Receiver {
	return func(c *Change) {
		if c.Kind != "" {
			emit(c.Event)
		}
	}
}

// Posts passes on the states of virtual services, where the configuration has a webhook.
func Posts(post func(virtual string, state []byte, tried func())) Receiver {
	return func(c *Change) {
		if c.After.Text != nil && c.Global.Webhook != "" {
			post(c.Virtual, c.After.Text, c.Await())
		}
	}
}
