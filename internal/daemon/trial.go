package daemon

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
	"ldirectord/internal/orders"
	"ldirectord/internal/resolve"
	"ldirectord/internal/runfile"
	"ldirectord/internal/socket"
	"ldirectord/internal/view"
)

// trial is a configuration in force that is not confirmed yet. If the command confirm does not come in time, or too
// many servers fail, the former configuration is put in force again.
type trial struct {
	within time.Duration
	text   []byte // its text
	former []byte // the text that comes back
	lists  lists  // the lists of former
	names  []resolve.Name
	via    Via
	up     map[lvs.Backend]bool // the servers that were up before
	since  time.Time            // when it came into force
	until  time.Time            // the end of the time to confirm it, or the time of the next try
	seen   map[oneCheck]bool    // checks with a result since it came into force
	failed map[lvs.Backend]bool // servers with a check whose first result was a failure
	why    string               // why the former one comes back; "" while the trial lasts
	refuse string               // why the former one was refused at the last try; "" if it was not
	pause  time.Duration        // the last pause between two tries
}

// oneCheck is a check of a server. If the server has only one check, the name is "".
type oneCheck struct {
	lvs.Backend
	name string
}

// noteBefore notes the servers that are up before the trial.
func (t *trial) noteBefore(before *view.Snapshot) {
	t.up, t.seen, t.failed = map[lvs.Backend]bool{}, map[oneCheck]bool{}, map[lvs.Backend]bool{}
	for v, s := range before.Each() {
		if s.Up {
			t.up[lvs.At(v.ID, s.Real)] = true
		}
	}
}

// note notes the first result of each check that began since the configuration came into force.
func (t *trial) note(now *view.Snapshot) {
	for v, s := range now.Each() {
		checks := s.Checks
		if len(checks) == 0 {
			checks = []view.Check{{Began: s.Began, Last: s.Last}}
		}
		for _, c := range checks {
			one := oneCheck{lvs.At(v.ID, s.Real), c.Name}
			if c.Began.After(t.since) && !t.seen[one] && c.Last.Conclusive() {
				t.seen[one] = true
				t.failed[one.Backend] = t.failed[one.Backend] || !c.Last.OK
			}
		}
	}
}

// failure returns the reason why the former configuration comes back, or "" if it does not. It comes back if, in a
// section, more than half of the servers that were up before fail the first run of a check, or if the time to confirm
// is over. Servers that the file no longer names don't count.
func (t *trial) failure(now *view.Snapshot, at time.Time) string {
	up, failed := map[*view.Virtual]int{}, map[*view.Virtual]int{}
	for v, s := range now.Each() {
		if b := lvs.At(v.ID, s.Real); t.up[b] {
			if up[v]++; t.failed[b] {
				failed[v]++
			}
		}
	}
	for i := range now.Virtuals {
		if v := &now.Virtuals[i]; 2*failed[v] > up[v] {
			return fmt.Sprintf("%d of %d servers of %s that were up fail", failed[v], up[v], v.ID)
		}
	}
	if !at.Before(t.until) {
		return fmt.Sprintf("the reload was not confirmed within %v", t.within)
	}
	return ""
}

// TakenBack returns the reason why a text of the file counts as taken back, so that only the command reload may put it
// in force; "" if it does not. If a daemon ended during a trial, every text but the former one counts as taken back.
func TakenBack(path string, text []byte) (why string) {
	if onTrial(path, text) {
		return notConfirmed
	}
	known, _ := runfile.Read(statePath("back", path)) // if it is missing, nothing is known
	if reason, is := bytes.CutPrefix(known, sumOf(text)); is {
		return string(reason)
	}
	return ""
}

const notConfirmed = "the reload was not confirmed"

// onTrial reports whether a daemon ended during a trial, and the text is not the former one. A trial no longer counts
// if another configuration was saved since.
func onTrial(path string, text []byte) bool {
	sum, _ := runfile.Read(statePath("trial", path)) // of the former text
	former, _ := runfile.Read(statePath("config", path))
	return bytes.Equal(sum, sumOf(former)) && !bytes.Equal(text, former)
}

// refuseAgain records that only the command reload may put a text in force, and the reason.
func (f *configFile) refuseAgain(text []byte, why string) error {
	return keep(statePath("back", f.d.Config.Path), append(sumOf(text), why...))
}

func sumOf(text []byte) []byte {
	sum := sha256.Sum256(text)
	return sum[:]
}

// good returns the saved text of the configuration in force.
func (f *configFile) good() ([]byte, error) {
	if !f.keeps() {
		return nil, errors.New("this daemon does not save the configuration in force, so it could not be " +
			"restored; set $STATE_DIRECTORY to a folder for it, and start the daemon again")
	}
	text, err := runfile.Read(statePath("config", f.d.Config.Path))
	if err == nil && sha256.Sum256(text) != f.inForce {
		err = errors.New("it is not in the state folder")
	}
	return text, runfile.While("reading the configuration in force, to be able to restore it", err)
}

// answerTry answers an order to reload a configuration that must be confirmed.
func (f *configFile) answerTry(ctx context.Context, words url.Values) (any, error) {
	within, err := time.ParseDuration(words.Get("within"))
	if err = cmp.Or(orders.Known(words, "within", "via", "empty"), err); err != nil {
		return nil, socket.Refused(err.Error())
	}
	t := &trial{within: within, via: words["via"]}
	return f.ask(ctx, f.trials, request{via: t.via, empty: words.Has("empty"), trial: t})
}

func (f *configFile) answerConfirm(ctx context.Context, words url.Values) (any, error) {
	if err := orders.Known(words); err != nil {
		return nil, socket.Refused(err.Error())
	}
	return f.ask(ctx, f.trials, request{})
}

// try reads the file, and begins the trial of its configuration.
func (f *configFile) try(ctx context.Context, r request) error {
	if err := f.waits(); err != nil {
		return err
	}
	former, err := f.good()
	if err != nil {
		return socket.Refused(err.Error())
	}
	before, err := f.d.director.Snapshot(ctx)
	if err != nil {
		return err
	}
	t := r.trial
	t.noteBefore(before)
	t.former, t.lists, t.names = former, f.current.Lists, f.current.Config.Names
	return f.reload(ctx, r)
}

// begin begins a trial right before its configuration comes into force. A daemon that starts during the trial uses the
// former configuration, whatever the file contains then.
func (f *configFile) begin(t *trial, text []byte) error {
	t.text, t.since = text, time.Now()
	t.until = t.since.Add(t.within)
	err := keep(statePath("trial", f.d.Config.Path), f.inForce[:])
	if err == nil && sha256.Sum256(text) != f.inForce { // only its lists or certificates may be new
		err = f.refuseAgain(text, notConfirmed)
	}
	if err != nil {
		f.follow(nil) // the trial does not begin
	}
	return err
}

// confirm ends the trial. Its configuration stays in force.
func (f *configFile) confirm() error {
	t := f.trial
	if t == nil {
		return socket.Refused("no configuration waits to be confirmed; " +
			"if one was taken back, status -v says why")
	}
	f.follow(nil)
	f.d.say(notify.ConfigConfirmed, "The configuration is confirmed")
	f.keepGood(t.text)
	f.keepLists()
	f.remember()
	return nil
}

// follow begins a trial, or ends the current one if t is nil.
func (f *configFile) follow(t *trial) {
	f.trial = t
	until := time.Time{}
	if t != nil {
		until = t.until
	}
	f.d.tally.setTrial(until)
	if t == nil && f.keeps() {
		f.d.settled(notify.KeepFailed, "The trial still counts as pending",
			runfile.Remove(statePath("trial", f.d.Config.Path)))
	}
}

// lookAtTrial puts the former configuration in force again if the trial has failed. If that configuration is refused,
// lookAtTrial tries again later.
func (f *configFile) lookAtTrial(ctx context.Context) {
	t := f.trial
	if t.why == "" {
		now, err := f.d.director.Snapshot(ctx)
		if err != nil {
			return // the daemon ends
		}
		t.note(now)
		if t.why = t.failure(now, time.Now()); t.why == "" {
			return
		}
		f.d.failed(notify.KeepFailed, "The reason why the configuration was taken back can't be kept",
			f.refuseAgain(t.text, t.why))
		f.d.say(notify.ConfigTakenBack, "The former configuration comes back: %s", t.why)
	} else if time.Now().Before(t.until) {
		return
	}
	clear(f.lists.read) // the lists last read are not those that come back
	r := request{via: t.via, empty: true, lists: t.lists, again: t.refuse, back: true}
	switch refuse := f.take(ctx, t.former, nil, r); {
	case refuse == "" && f.sum != f.inForce:
		f.d.tally.setChanged(true, "", t.why)
	case refuse == "" || ctx.Err() != nil:
	default:
		if refuse != t.refuse {
			f.d.refused("the former configuration can't be restored; trying again unless the command " +
				"confirm comes: " + refuse)
		}
		t.refuse, t.pause = refuse, longer(t.pause)
		t.until = time.Now().Add(t.pause)
		f.follow(t)
	}
}
