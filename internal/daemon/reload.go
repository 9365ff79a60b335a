package daemon

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ldirectord/internal/doctor"
	"ldirectord/internal/instance"
	"ldirectord/internal/notify"
	"ldirectord/internal/orders"
	"ldirectord/internal/resolve"
	"ldirectord/internal/runfile"
	"ldirectord/internal/socket"
	"ldirectord/internal/view"
	"ldirectord/parser"
)

// settleInterval is how long a changed file must stay unchanged before it is read, because it may be written in several
// steps.
const settleInterval = 200 * time.Millisecond

// configFile keeps the configuration in force up to date with the file on disk. A single goroutine, run, owns it. It
// watches the file, its parts, lists, certificates and names, and reads the file after a change or when a command
// requests it.
type configFile struct {
	d          *daemon
	current    *Loaded           // the configuration in force
	sum        [sha256.Size]byte // the checksum of the file at the last reading
	inForce    [sha256.Size]byte // the checksum of the configuration in force
	told       [sha256.Size]byte // the checksum of the file for which callback last ran
	trial      *trial            // of the configuration in force; nil if nothing waits for confirm
	requests   chan request
	trials     chan request
	found      chan []resolve.Name // names with a new result
	endLookups context.CancelFunc  // stops the look-ups
	endWatches context.CancelFunc  // stops the watch of marks and the looks at this machine
	adopted    time.Time           // when the configuration in force was adopted
	auto       bool                // it was adopted without a command
	include    []string            // the patterns of its parts, at the last reading
	partLooks  look[versions]
	parts      versions
	partsRead  versions      // the versions of the parts when their texts were last read
	missing    bool          // the file is missing, which was reported
	refused    string        // why the file was, or would be, refused; "" if it was not
	retry      time.Duration // the wait until the next look at a file that can't be read or was refused; 0: none
	tls        tlsWatch
	lists      listWatch
	machine    *doctor.Machine
}

// request asks for the file to be read again. It comes from a command or from HUP, unless auto or back is set.
type request struct {
	via    Via
	auto   bool         // the file, a list or a certificate has changed
	empty  bool         // a file without a virtual service is intended
	lists  lists        // the lists to take; nil: read them
	listed bool         // only lists have changed, which was reported
	again  string       // why the configuration was refused before, which was reported; "" if it was not
	back   bool         // a trial has failed: the former configuration comes back
	answer chan<- error // buffered for one answer
	trial  *trial       // the trial to begin; nil: none or, in the channel trials, the command confirm
}

// refines reports whether only the lists are new, while the text stays the same.
func (r request) refines() bool { return r.auto && r.lists != nil }

func newConfigFile(d *daemon) *configFile {
	sum := sha256.Sum256(d.Loaded.Text)
	return &configFile{
		d: d, current: d.Loaded, sum: sum, inForce: sum, told: sum,
		include:  parser.Includes(d.Loaded.Text),
		requests: make(chan request, socket.MaxClients), trials: make(chan request),
		lists: newListWatch(),
		found: make(chan []resolve.Name), endLookups: func() {}, endWatches: func() {},
	}
}

// run follows the file until ctx is done. It looks at the file when the system reports a change, and every second.
func (f *configFile) run(ctx context.Context) {
	path := f.d.Config.Path
	f.adopt(ctx)
	if f.current.GoodSince.IsZero() { // otherwise it may be the former one of a trial
		f.follow(nil)
	}
	f.keepGood(f.current.Text)
	f.current.forget()
	here, there := watch(ctx, filepath.Dir(path)), watchTarget(ctx, path)
	poll := time.Tick(pollInterval)
	settle := time.NewTimer(0)
	defer settle.Stop()
	var file look[fileStamp]
	version := func() fileStamp { return stamp(path) }
	last, settling := file.now(version), true // the file may have changed since it was read
	f.parts = f.lookAtParts()
	f.partsRead = f.parts
	for {
		looks, settled := false, false // looks: the parts are looked at, too
		select {
		case <-ctx.Done():
			return
		case <-f.d.Hangups:
			f.reload(ctx, request{})
		case r := <-f.requests:
			f.answer(ctx, r)
		case r := <-f.trials:
			if r.trial != nil {
				r.answer <- f.try(ctx, r)
			} else {
				r.answer <- f.confirm()
			}
		case found := <-f.found:
			f.adoptNames(ctx, found)
		case now := <-f.lists.reading:
			f.takeLists(ctx, now)
		case <-here:
		case <-there:
		case <-poll:
			looks = true
			if f.trial != nil {
				f.lookAtTrial(ctx)
				break
			}
			f.lookAtTLS(ctx)
			f.lookAtLists(ctx)
		case <-settle.C:
			looks, settled = true, settling
		}
		now, parts := file.now(version), f.parts
		if looks {
			parts = f.lookAtParts()
		}
		switch {
		case !now.same(last) || !parts.same(f.parts):
			last, f.parts, settling, f.retry = now, parts, true, 0
			settle.Reset(settleInterval)
		case settled && f.trial != nil:
			settle.Reset(pollInterval) // the file is not read during a trial
		case settled:
			f.look(ctx)
			if settling = f.retry > 0; settling {
				settle.Reset(f.retry)
			}
		}
	}
}

// lookAtParts returns the versions of the parts.
func (f *configFile) lookAtParts() versions {
	include := f.include
	return f.partLooks.now(func() versions { return f.d.Config.partStamps(include) })
}

// look adopts a changed file, or reports that autoreload is off. A new time stamp alone does not count as a change. If
// the file is missing, look reports that once, and the configuration in force stays. If the file can't be read for a
// while, or is refused, look sets retry, the time until the next look: what the file names, such as a key, may come
// later.
func (f *configFile) look(ctx context.Context) {
	parts := differing(f.partsRead, f.parts)
	f.partsRead = f.parts
	text, err := f.d.Config.Read()
	if err != nil {
		text = []byte(err.Error()) // reported once
	}
	retry := longer(f.retry)
	if f.retry = 0; runfile.MayPass(err) {
		text = []byte("unread") // one report, whichever part it is
		f.retry = retry
	}
	sum := sha256.Sum256(text)
	if err == nil || sum != f.sum {
		defer settleMemory() // even if the text changes nothing
	}
	reloads, path, was := f.current.Config.Global.AutoReload, f.d.Config.Path, f.missing
	if f.missing = errors.Is(err, fs.ErrNotExist); f.missing && !was {
		f.d.say(notify.ConfigChanged, "Configuration file '%s' is missing: the configuration in force stays",
			path)
	}
	f.d.tally.setMissing(f.missing)
	if sum == f.inForce {
		f.follow(nil) // the file has the former text again
	}
	again := sum == f.sum
	if f.missing || again && (err != nil || f.refused == "" || sum == f.inForce) {
		return
	}
	if back := TakenBack(path, text); err == nil && back != "" {
		f.sum, f.include = sum, parser.Includes(text)
		f.d.tally.setChanged(true, "", back)
		f.d.say(notify.ConfigIgnored, "The text of '%s' was taken back, and only the command reload "+
			"uses it again: %s", path, back)
		return
	}
	r := request{auto: true}
	if again {
		r.again = f.refused
	}
	if !reloads {
		f.refused = f.refusal(ctx, text, err)
		f.d.tally.setChanged(sum != f.inForce, f.refused, "")
	}
	if f.sum = sum; err == nil && !again {
		f.include = parser.Includes(text)
		in := ""
		if parts != nil {
			in = ", in " + view.Listed(parts)
		}
		f.d.say(notify.ConfigChanged, "Configuration file '%s' has changed on disk%s", path, in)
		f.callBack(sum)
		if !reloads {
			f.sayIgnored(f.refused)
		}
	}
	if reloads {
		f.take(ctx, text, err, r)
	}
	if f.refused != "" && err == nil {
		f.retry = retry
	}
}

// sayIgnored reports what a changed file means while autoreload is off. If refusal is not "", it is the reason why the
// command reload would refuse the file.
func (f *configFile) sayIgnored(refusal string) {
	f.d.say(notify.ConfigIgnored, " - ignore new configuration")
	switch {
	case refusal != "":
		f.d.say(notify.ConfigIgnored, "autoreload is off, and the command reload would refuse it: %s", refusal)
	case f.sum == f.inForce:
		f.d.say(notify.ConfigIgnored, "the file has the text of the configuration in force again")
	default:
		f.d.say(notify.ConfigIgnored, "autoreload is off: to put the new configuration in force, "+
			"use the command reload")
	}
}

// callBack runs the callback command, once for each change of the file.
func (f *configFile) callBack(sum [sha256.Size]byte) {
	if sum == f.told {
		return
	}
	f.told = sum
	callback := f.current.Config.Global.Callback
	info, err := runfile.Stat(callback)
	if err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
		f.d.hooks.Run(notify.Callback(callback, f.d.Config.Path))
	}
	if !errors.Is(err, runfile.ErrLate) {
		err = nil // like the Perl ldirectord, which skips what it can't run
	}
	f.d.settled(notify.HookFailed, "The callback is not run", err)
}

// refusal returns the reason why the text would be refused, or "" if it would be accepted.
func (f *configFile) refusal(ctx context.Context, text []byte, err error) string {
	if err != nil {
		return err.Error()
	}
	if l := f.d.Config.load(ctx, text, f.current.Lists, false); l.Plan == nil {
		return l.Refusals()[0]
	}
	return ""
}

// lookAtTLS reads the configuration again if certificates, keys, authorities or passwords were renewed. If one of these
// files or the configuration can't be read for a while, the next look tries again.
func (f *configFile) lookAtTLS(ctx context.Context) {
	changed, missing, err := f.tls.renewed()
	fails, text := "can't be read", []byte(nil)
	if len(changed) > 0 {
		fails = "can't be put in force"
		text, err = f.d.Config.Read()
	}
	waits := runfile.MayPass(err)
	if waits && !f.tls.unread {
		f.d.say(notify.ConfigChanged, "Certificate, key, authority or password %s: %v; "+
			"the previous ones stay in force", fails, err)
	}
	if f.tls.unread = waits; waits {
		f.tls.settling = true
		return
	}
	if len(missing) > 0 {
		f.d.say(notify.ConfigChanged, "Certificate, key, authority or password is missing: %s; "+
			"the previous ones stay in force", strings.Join(missing, " and "))
	}
	if len(changed) == 0 {
		return
	}
	f.d.say(notify.ConfigChanged, "Certificate, key, authority or password has changed on disk: %s",
		strings.Join(changed, " or "))
	f.tls.refused = f.takeRead(ctx, text, err, request{auto: true}) != ""
}

// answer reads the file once for all waiting requests. A later request needs another reading, because the file may have
// changed.
func (f *configFile) answer(ctx context.Context, r request) {
	answers := []chan<- error{r.answer}
	for len(f.requests) > 0 {
		next := <-f.requests
		r.via = slices.DeleteFunc(r.via, func(path string) bool { return !slices.Contains(next.via, path) })
		r.empty = r.empty || next.empty
		answers = append(answers, next.answer)
	}
	err := f.reload(ctx, r)
	for _, a := range answers {
		a <- err
	}
}

// answerReload requests a reading of the file, and answers when the file has been adopted or refused. If the command
// itself has refused the file, the daemon does not read it.
func (f *configFile) answerReload(ctx context.Context, words url.Values) (any, error) {
	allowed := []string{"via", "empty"}
	if words.Has("refused") {
		allowed = []string{"refused"}
	}
	if err := orders.Known(words, allowed...); err != nil {
		return nil, socket.Refused(err.Error())
	}
	if words.Has("refused") {
		if !f.d.metrics.global.Load().AutoReload { // with autoreload, look reports it
			for _, why := range words["refused"] {
				f.d.refused("reload: " + why)
			}
			f.d.tally.reread(words.Get("refused"), false)
		}
		return struct{}{}, nil
	}
	return f.ask(ctx, f.requests, request{via: words["via"], empty: words.Has("empty")})
}

// ask sends a request to the goroutine of run, and returns its answer.
func (f *configFile) ask(ctx context.Context, asking chan<- request, r request) (any, error) {
	answer := make(chan error, 1)
	r.answer = answer
	for {
		select {
		case asking <- r:
			asking = nil
		case err := <-answer:
			return struct{}{}, err
		case <-ctx.Done():
			if ctx.Err() == context.DeadlineExceeded {
				return nil, fmt.Errorf("the file is not in force after %v", ReloadTimeout)
			}
			return nil, fmt.Errorf("the daemon ended before it had read the file: %w", context.Cause(ctx))
		}
	}
}

// waits refuses to read the file, and logs that, if the configuration in force is on trial.
func (f *configFile) waits() error {
	if f.trial == nil {
		return nil
	}
	why := "the configuration in force waits for the command confirm until " + f.trial.until.Format(time.TimeOnly)
	f.d.say(notify.ConfigIgnored, "The file is not read: %s", why)
	return socket.Refused(why)
}

// FileRefused begins the answer to a reload if the file itself is refused, and not the order.
const FileRefused = "the file is refused: "

// reload reads the file because a command or HUP requested it. The error for a refused file is a socket.Refused.
func (f *configFile) reload(ctx context.Context, r request) error {
	if err := f.waits(); err != nil {
		return err
	}
	f.d.say(notify.Reloading, "Reloading Linux Director Daemon config on signal")
	text, err := f.d.Config.Read()
	if why := f.takeRead(ctx, text, err, r); why != "" {
		return socket.Refused(FileRefused + why)
	}
	return nil
}

// takeRead takes what was read for a command or a renewed certificate. The argument err is the error of reading.
func (f *configFile) takeRead(ctx context.Context, text []byte, err error, r request) (why string) {
	defer settleMemory() // even after a refused file
	if err == nil {
		defer f.callBack(sha256.Sum256(text)) // look will not see this change
	}
	if r.auto && TakenBack(f.d.Config.Path, text) != "" {
		text, err = f.good()
		r.lists = f.current.Lists
	}
	return f.take(ctx, text, err, r)
}

// take puts a configuration in force, as a whole or not at all. The argument err is the error of reading it. take
// returns the reason why the configuration was refused, or "" if it was accepted.
func (f *configFile) take(ctx context.Context, text []byte, err error, r request) (why string) {
	f.d.Manager.reloading()
	defer collectAt(collectAt(200)) // otherwise collections would take half the time
	l, why := f.tryTaking(ctx, text, err, r)
	if !r.listed && (why == "" || why != r.again) {
		f.d.tally.reread(why, r.back)
	}
	if why == "" {
		f.inForce = sha256.Sum256(text)
	}
	if r.lists == nil {
		f.refused = why
		f.d.tally.setChanged(f.sum != f.inForce, why, "")
	}
	if why != "" {
		f.d.Manager.ready(f.current.Summary() + "; the file was refused, see the log")
		if why != r.again {
			f.followNames(ctx, minLookupRetry)
		}
		return why
	}
	if !r.refines() {
		if !r.auto || !bytes.Equal(text, f.current.Text) { // a renewed certificate does not change the text
			f.auto = r.auto
		}
		f.d.siblings.change(l.Config.Global.Execute, r.via)
	}
	if now := l.Config.Global.Execute; !slices.Equal(now, f.current.Config.Global.Execute) {
		f.d.record(func(s *instance.State) { s.Execute = now })
	}
	f.current = l
	if r.refines() {
		f.adoptRefined(ctx)
	} else {
		f.follow(r.trial)
		f.adopt(ctx)
	}
	f.keepGood(text)
	f.d.Manager.ready(l.Summary())
	return ""
}

// tryTaking puts a text in force in the channels and the director, or returns the reason why it is refused.
func (f *configFile) tryTaking(ctx context.Context, text []byte, err error, r request) (l *Loaded, why string) {
	if err != nil {
		f.d.refused(err.Error())
		return nil, err.Error()
	}
	l, why = f.prepare(ctx, text, r)
	if r.lists == nil {
		f.sum, f.include = sha256.Sum256(text), parser.Includes(text)
	}
	if why != "" {
		return nil, why
	}
	if r.trial != nil {
		err = f.begin(r.trial, text)
	}
	if err == nil {
		err = runfile.While("the daemon ends", f.install(ctx, l, r.refines()))
	}
	if err != nil {
		return nil, err.Error()
	}
	return l, ""
}

// prepare makes the plan of a text. It returns the reason why the text is refused, or "" if it is accepted.
func (f *configFile) prepare(ctx context.Context, text []byte, r request) (l *Loaded, why string) {
	defer func() {
		if p := recover(); p != nil {
			why = fault(p)
			f.d.refused(why)
		}
	}()
	o := f.d.Config.parserOptions()
	if o.Lists = r.lists; r.lists == nil {
		o.Lists = f.d.Config.readLists(ctx, text, f.current.Lists, r.auto, nil)
	}
	o.Last, o.Before, o.Returns = f.inService(ctx).Last(o.Last), f.current.Config, r.back
	var said map[string]bool
	if r.refines() { // only sections with changed lists may change
		said = f.current.said
		o.Resolver = knownNames{newSystemNames(), resolve.Index(f.current.Config.Names)}
	}
	// A certificate or a list is new, or a command requests a file that autoreload has just adopted.
	o.Refines = (r.auto || f.auto) && bytes.Equal(text, f.current.Text)
	l = f.d.Config.prepare(ctx, text, o)
	if ctx.Err() != nil {
		return l, "the daemon ends"
	}
	if l.Plan == nil {
		why = l.Refusals()[0]
	} else {
		why = f.objection(l.Config, r)
	}
	if why != "" && why == r.again {
		return l, why
	}
	f.d.sayFound(l.Found, said)
	if l.Plan == nil {
		return l, why
	}
	l.forget()
	if why != "" {
		f.d.refused(why)
	} else if r.auto && !r.listed {
		f.d.say(notify.ConfigReread, " - reread new configuration")
	}
	return l, why
}

// objection returns the reason why a valid configuration may be a mistake, or "" if it looks intended.
func (f *configFile) objection(now *parser.Config, r request) (why string) {
	command := "reload"
	if len(now.Virtuals) == 0 {
		command = "reload --empty"
		if !r.empty && len(f.current.Config.Virtuals) > 0 {
			why = f.d.Config.Path + " no longer has a virtual service"
		}
	}
	if gone := f.vanished(now); r.auto && gone != "" {
		why = gone
	}
	if why != "" {
		why += ": the old configuration stays in force; the command " + command + " puts the new one in force"
	}
	return why
}

// adopt begins to watch the files and names of the configuration in force.
func (f *configFile) adopt(ctx context.Context) {
	f.d.tally.forget(notify.KeepFailed) // what can't be kept is reported again
	f.lists.saved = nil                 // a saved list whose file was lost is saved again
	f.d.orders.unkept.Store(false)
	f.d.forget(f.current.Plan, f.d.siblings.used())
	f.endWatches()
	ctx, f.endWatches = context.WithCancel(ctx)
	f.watchMarks(ctx)
	f.watchMachine(ctx)
	f.adopted = time.Now()
	f.adoptRefined(ctx)
}

// adoptRefined begins to watch the servers, lists and names of the configuration in force. They may be new even if its
// text is not.
func (f *configFile) adoptRefined(ctx context.Context) {
	f.adoptServers()
	f.adoptLists()
	f.followNames(ctx, minLookupRetry)
}

// install puts a configuration in force in both the channels and the director, or in neither. The channels come first,
// so that the director's changes are reported to the new log and the new mail addresses.
func (f *configFile) install(ctx context.Context, l *Loaded, refines bool) error {
	f.applySettings(ctx, l)
	f.d.claims.renew(l.Config)
	services := f.d.Config.Checks.through
	services.Set(ctx, slices.Concat(f.current.Plan.Ways, l.Plan.Ways), l.Plan.Keys())
	err := f.d.director.Reload(ctx, l.Plan, refines)
	if err != nil {
		l = f.current
		f.applySettings(ctx, l)
	}
	services.Set(ctx, l.Plan.Ways, l.Plan.Keys())
	return err
}

func (f *configFile) applySettings(ctx context.Context, l *Loaded) {
	d, global := f.d, l.Config.Global
	d.log.setTarget(global.LogFile)
	if d.socket != nil {
		d.listens(d.socket.Allow(global.StatusGroup))
	}
	d.metrics.follow(ctx, global)
	d.Config.Checks.SetVirtuals(l.Plan)
	d.setChannels(l.Plan)
}
