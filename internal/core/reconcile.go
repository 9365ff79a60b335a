package core

import (
	"fmt"
	"slices"
	"time"

	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
)

// sync updates the table for every virtual service that is due. It works out the changes from what it last wrote, so
// that one change takes only one request. It reads the whole table only if the contents are unknown, if a weight is
// changing step by step, or if the answer to a change shows that the contents differ from the last write. Finally, it
// removes virtual services that are no longer configured. If have is not nil, it is the table as just read.
//
// The steps for one virtual service: decide (decide.go) applies the rules. newChange (batch.go) compares the decision
// with what was last written; if that is unknown, found (writer.go) first notes what was read. carryOut (batch.go)
// sends the operations through do (table.go). conclude (writer.go) notes the outcome, with succeeded or failed. A
// change without operations counts as a success. purge (removal.go) removes. Outside of sync, checkDrift (drift.go)
// begins with found.
func (w *writer) sync(have lvs.Table) {
	var changes []*change
	var unknown []*virtual
	now := w.tell.now()
	taken := w.agenda.take(now)
	for _, v := range taken {
		if v.Gathers() {
			v.Away = v.isElsewhere()
			if v.HasGathered() {
				v.touch()
			}
		}
		v.weighed = v.weighed && !v.dirty
		steps := v.moves && v.again.Before(now.Add(time.Second)) // the next step decides soon
		if !v.dirty && (steps || !v.Obeys) {
			continue
		}
		v.dirty = v.dirty && v.IsOurs() // otherwise its owner writes it
		if v.moves && v.Known && v.dirty && !v.retry.Waits(now) && w.mayAsk() {
			v.wakeAt(time.Time{})
			unknown = append(unknown, v) // a changing weight must not undo a change by hand
			continue
		}
		decision := w.decide(v)
		switch {
		case !v.dirty || v.waits(now) || !w.mayAsk():
		case v.Known:
			changes = append(changes, w.newChange(v, v.last(), decision))
		default:
			unknown = append(unknown, v)
		}
	}
	w.agenda.giveBack(taken)
	w.follow(changes, unknown, have)
	w.purge()
}

// waits reports whether the next change of a virtual service has to wait. While the table refuses only the settings, a
// change of a server's state does not wait.
func (v *virtual) waits(now time.Time) bool {
	turned := func(s *server) bool { return s.Turned }
	return v.retry.Waits(now) && !(v.retry.SettingsOnly && slices.ContainsFunc(v.servers, turned))
}

// succeeded notes that a change succeeded, or that none was necessary, and reports this if the previous change failed.
func (w *writer) succeeded(v *virtual) {
	if v.retry.Succeeded() {
		w.tell.say(v, nil, notify.TableRecovered, "Table changes succeed again: "+v.called(), "")
	}
}

// failed reports that a change failed, and sets the time of the next try. After one report, it reports no further
// failures until a change succeeds or the configuration changes. If the table does not answer, it reports only one
// virtual service; if tellRead has reported that the kernel has no IPVS, it reports none. A change interrupted by the
// end of the daemon does not count as a failure.
func (w *writer) failed(v *virtual, o judge.Outcome) {
	v.weighed = false
	v.touch()
	if o.Answer == judge.Interrupted {
		return
	}
	if !v.retry.SettingsOnly {
		v.Lost() // some of the changes may have been made: the next difference is not an external change
		if !v.placed {
			v.Last = nil // until the table has the virtual service, minservers counts servers that pass
		}
	}
	if v.retry.Refusal == "" || v.retry.Quiet {
		unanswered := o.Answer == judge.Unanswered
		if unanswered && w.reported {
			return
		}
		w.reported = unanswered
		if v.retry.Quiet = o.Answer == judge.Missing && w.unread != ""; !v.retry.Quiet {
			w.tell.say(v, nil, notify.TableError,
				fmt.Sprintf("Table change failed: %s: %v", v.called(), o.Err), o.Err.Error())
		}
	}
	v.retry.Failed(o.Err.Error(), v.Config.CheckInterval.Duration(), w.tell.now())
}

// nextTry returns the next time at which a virtual service becomes due without an event, or a failed change is tried
// again. Zero means never.
func (w *writer) nextTry(lists ...[]*virtual) time.Time {
	next := w.agenda.next()
	for _, list := range lists {
		for _, v := range list {
			if v.dirty {
				next = earliest(next, w.triedAt(v))
			}
		}
	}
	return next
}

// triedAt returns the time of the next attempt to write a virtual service that is due.
func (w *writer) triedAt(v *virtual) time.Time {
	return slices.MaxFunc([]time.Time{w.tell.now(), v.retry.Until, w.silence.Until}, time.Time.Compare)
}
