package daemon

import (
	"cmp"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"ldirectord/internal/notify"
	"ldirectord/internal/resolve"
	"ldirectord/internal/status"
)

// tally holds the facts about the daemon itself, apart from its director. As a Notifier it counts the journal's events,
// and keeps the failures.
type tally struct {
	mu   sync.Mutex // guards what follows
	is   status.Process
	last map[failing]notify.Event // the latest event of each failure that lasts
	// the last refusal was not of the file, but of a list or of the former configuration
	aside bool
}

// failing identifies a thing that fails, for example one of several mail servers, commands or files.
type failing struct {
	kind notify.Kind
	key  string // of its events
}

// hookFailureLasts is how long the failure of a command is shown. Other failures end when the next try succeeds, but a
// command may not run again for months.
const hookFailureLasts = 24 * time.Hour

// newTally returns a tally. The counters that alerts use exist from the start, so that monitoring sees the first event
// as an increase.
func newTally(o Options) *tally {
	now := time.Now() // not in UTC: that drops the monotonic reading, which ages need
	known := status.Report{Config: o.Config.Path, Pid: os.Getpid(), Version: o.Version, Started: now,
		Reloads: status.Reloads{Last: now}}
	if o.Loaded != nil {
		known.Sum, known.Reloads.LastGood = o.Loaded.Sum, o.Loaded.GoodSince
	}
	t := &tally{last: map[failing]notify.Event{}, is: status.Process{Report: known, Events: map[string]uint64{}}}
	for _, kind := range []notify.Kind{
		notify.ConfigError, notify.TableError, notify.HookFailed, notify.MailFailed, notify.PostFailed,
		notify.MonitorFailed, notify.ListenFailed, notify.StateFailed, notify.KeepFailed,
		notify.LocalShortage, notify.Unjudged, notify.LastServer, notify.ChangedByHand, notify.Lost,
		notify.MachineTrouble, notify.AnnounceFailed,
	} {
		t.is.Events[string(kind)] = 0
	}
	return t
}

// overWith maps an event to the failure that it ends.
var overWith = map[notify.Kind]notify.Kind{
	notify.MailRecovered: notify.MailFailed, notify.HookRecovered: notify.HookFailed,
	notify.MonitorRecovered: notify.MonitorFailed, notify.PostRecovered: notify.PostFailed,
	notify.Listening: notify.ListenFailed,
}

// Notify implements notify.Notifier.
func (t *tally) Notify(e notify.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.is.Events[string(e.Kind)]++
	switch e.Kind {
	case notify.ChangedByHand, notify.Shared, notify.TakenOver, notify.TableError, notify.LocalShortage,
		notify.LastServer, notify.GuardHolds, notify.Promoted, notify.StandingBy, notify.AnnounceFailed,
		notify.ClockSet, notify.AllFull, notify.FallbackFails, notify.ConfigTakenBack,
		notify.MachineTrouble:
		t.happened(e)
	case notify.MailFailed, notify.PostFailed, notify.ListenFailed, notify.HookFailed, notify.MonitorFailed,
		notify.StateFailed, notify.KeepFailed:
		t.last[failing{e.Kind, e.Key}] = e
	default:
		delete(t.last, failing{overWith[e.Kind], e.Key})
	}
}

// lastEvents is the number of important events that status shows.
const lastEvents = 5

// happened notes an important event. Events of the same kind within a second are kept as one event with a count. The
// caller holds mu.
func (t *tally) happened(e notify.Event) {
	all := t.is.Last
	if n := len(all); n > 0 && all[n-1].Event == string(e.Kind) && e.Time.Sub(all[n-1].At).Abs() < time.Second {
		all[n-1].More++
		return
	}
	t.is.Last = append(all[max(len(all)+1-lastEvents, 0):],
		status.Failure{Event: string(e.Kind), Text: e.Text, At: e.Time.UTC()})
}

// forget drops all failures of a kind, except the failure to read the role, which is reported only once.
func (t *tally) forget(kind notify.Kind) {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.last, func(f failing, _ notify.Event) bool { return f.kind == kind && f.key != roleUnread })
}

// over drops a failure that has ended.
func (t *tally) over(kind notify.Kind, what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.last, failing{kind, what})
}

// setMissing notes whether the file is missing.
func (t *tally) setMissing(is bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.is.Reloads.Missing = is
}

// setChanged notes whether the file differs from the configuration in force. The argument refusal is the reason why the
// file would be refused, and back is the reason why it was taken back. Either may be "".
func (t *tally) setChanged(differs bool, refusal, back string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &t.is.Reloads
	r.Refusal, r.Back = refusal, back
	if !differs {
		r.Changed, r.LastGood = time.Time{}, time.Time{}
	} else if r.Changed.IsZero() {
		r.Changed = time.Now().UTC()
	}
}

// setTrial notes the time by which the configuration in force must be confirmed. The zero time means that it need not
// be confirmed.
func (t *tally) setTrial(until time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.is.Reloads.Until = until.UTC()
}

// setLists notes the lists that can't be used, and since when.
func (t *tally) setLists(all lists) {
	t.mu.Lock()
	defer t.mu.Unlock()
	since := map[string]time.Time{}
	for _, l := range t.is.Reloads.Lists {
		since[l.Path] = l.Since
	}
	t.is.Reloads.Lists = nil // others may use the former list
	for _, path := range slices.Sorted(maps.Keys(all)) {
		if why := all[path].Trouble; why != "" {
			at := cmp.Or(since[path], time.Now().UTC())
			t.is.Reloads.Lists = append(t.is.Reloads.Lists, status.List{Path: path, Since: at, Error: why})
		}
	}
}

const fileRefused = "the file was refused"

// reread counts one reading of the file, with the reason if it was refused. If back is set, the former configuration
// was taken instead.
func (t *tally) reread(why string, back bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if why == "" {
		t.is.Reloads.Missing = false
		t.is.Reloads.Succeeded++
		t.is.Reloads.Last = time.Now()
	}
	t.took(why, back, "the reload")
}

// tookLists notes whether a configuration in which only lists have changed was refused.
func (t *tally) tookLists(why string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.took(why, true, "the lists")
}

// took notes the reason why a configuration was refused or, if that is "", what corrected the one that was refused. If
// aside is set, the file itself was not read, so an earlier refusal of the file stays. The caller holds mu.
func (t *tally) took(why string, aside bool, by string) {
	r, now := &t.is.Reloads, time.Now().UTC()
	if aside && r.Error != "" && !t.aside {
		return
	}
	t.aside, r.Error = aside && why != "", why
	if why != "" {
		r.Refused++
		t.happened(notify.Event{Kind: notify.ConfigError, Text: fileRefused, Time: now})
		return
	}
	for i := range t.is.Last {
		if e := &t.is.Last[i]; e.Text == fileRefused {
			e.Text += ", and corrected by " + by + " of " + now.Local().Format(time.TimeOnly)
		}
	}
}

// setNames notes the checksum of the configuration in force, and its names that can't be looked up.
func (t *tally) setNames(list []resolve.Name, sum string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.is.Sum = sum
	t.is.Names = nil // others may use the former list
	for _, n := range resolve.Unanswered(list) {
		t.is.Names = append(t.is.Names, status.Name{Name: n.Host, Address: n.Addr, Error: n.Why})
	}
}

// process returns the facts in the tally, in the form in which status shows them.
func (t *tally) process() status.Process {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.is
	now.Events, now.Last, now.Zone = maps.Clone(now.Events), slices.Clone(now.Last), status.ZoneHere()
	newest := map[notify.Kind]notify.Event{}
	for f, e := range t.last {
		isOld := f.kind == notify.HookFailed && time.Since(e.Time) >= hookFailureLasts
		if e.Time.After(newest[f.kind].Time) && !isOld {
			newest[f.kind] = e
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(newest)) {
		e := newest[kind]
		now.Failures = append(now.Failures, status.Failure{Event: string(kind), Text: e.Text, At: e.Time.UTC()})
	}
	return now
}
