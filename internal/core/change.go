package core

import (
	"ldirectord/checker"
	"ldirectord/internal/health"
	"ldirectord/internal/history"
	"ldirectord/internal/notify"
	"ldirectord/internal/notify/monitorfile"
	"ldirectord/parser"
)

// Change is one event: the state before, the state after, and the cause. Log, mail, status and the other receivers all
// get the same stream of changes.
type Change struct {
	Before, After State
	Cause
	Global *parser.Global // the configuration in force
	Down   *bool          // whether mail reminds of the server from now on; nil: as before

	user // the virtual service and the server that changed, if any
	// Await is called by a receiver whose work has to end before the virtual service leaves the table. It returns a
	// function to call when the work has ended, or nil if nothing waits for it.
	Await func() (done func())
}

// State holds the values that a change may affect. Fields that a change does not concern are zero both before and
// after.
type State struct {
	Health   health.State // the state of a server by its checks
	Fallback string       // the word last passed to fallbackcommand: start or stop

	notify.Report // on a virtual service
}

// Cause is the reason for a change. It need not affect any state.
type Cause struct {
	notify.Event                 // the event in words; without a kind: none
	Result       *checker.Result // the result of a check; nil: none
	By           history.Outcome // how many results contradict the state, and how many it takes to change it
	// Past is the kind under which history records the cause. A result without a kind is new.
	Past history.Kind
	Note string // the words that history records
}

// Receiver is called with each change in turn, from the director's goroutine. It must not block, and may keep only the
// texts of a change.
type Receiver func(*Change)

// isNew reports whether the change is a new result, which has not been judged yet.
func (c *Change) isNew() bool { return c.Result != nil && c.Past == history.Nothing }

// Words passes the texts of changes to the log, mail and the counters of events.
func Words(emit func(notify.Event)) Receiver {
	return func(c *Change) {
		if c.Kind != "" {
			emit(c.Event)
		}
	}
}

// Posts passes the states of virtual services to the webhook, if the configuration has one.
func Posts(post func(virtual string, state []byte, tried func())) Receiver {
	return func(c *Change) {
		if c.After.Text != nil && c.Global.Webhook != "" {
			post(c.Virtual, c.After.Text, c.Await())
		}
	}
}

// Commands runs the operator's commands: fallbackcommand and onchange.
func Commands(run func(notify.Hook)) Receiver {
	return func(c *Change) {
		if c.After.Fallback != c.Before.Fallback {
			run(notify.FallbackCommand(c.v.Config.FallbackCommand, c.v.Key(), c.After.Fallback))
		}
		if c.After.Text != nil && c.v.Config.OnChange != "" {
			hook := notify.OnChange(c.v.Config.OnChange, c.Virtual, c.After.Report)
			hook.Ended = c.Await()
			run(hook)
		}
	}
}

// Results writes new results to the monitorfiles of their checks.
func Results(write func(file, id string, up bool, text string)) Receiver {
	return func(c *Change) {
		if !c.isNew() {
			return
		}
		check := c.use().Check()
		if up, text, is := monitorfile.Line(check, c.Result, c.s.Suspended()); is {
			write(check.MonitorFile, monitorfile.ID(check, c.s.entry.Real), up, text)
		}
	}
}
