package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"ldirectord/director"
	"ldirectord/instance"
	"ldirectord/notify"
	"ldirectord/parser"
)

const (
	settleTime = 200 * time.Millisecond // a file is written in several steps: wait for the last
	pollTime   = time.Second            // for file systems that tell no changes
)

// configFile follows the file on disk. Its methods are called by one goroutine, which never waits for a
// file to be read and taken over: names are looked up for that, and a signal may come meanwhile.
type configFile struct {
	*daemon
	foreign markWatch
	changed chan struct{} // the file may be another one
	taken   chan taken    // the file was read
	sum     [sha256.Size]byte
	now     *reading           // nil while nothing new is on its way to the director
	next    *reading           // then it is to be read once more
	found   chan []parser.Name // names that have an answer now
	endSeek context.CancelFunc // of the search for them
	role    instance.Role      // that siblings follow
	renewed chan []string      // files of TLS, of which one has another content now
	endTLS  context.CancelFunc // of the watch over them
}

// reading is one time that the file is read, and who wants to know what became of it.
type reading struct {
	auto   bool     // nobody asked for it
	via    []string // the files whose daemons passed it on, each time it was asked for
	answer []chan<- taken
}

// add joins another wish to one that is not carried out yet.
func (r *reading) add(other reading) {
	r.auto = r.auto && other.auto
	r.via = slices.DeleteFunc(r.via, func(path string) bool { return !slices.Contains(other.via, path) })
	r.answer = append(r.answer, other.answer...)
}

// taken is a file that was read: as it is now, and the configuration if that is the current one now.
type taken struct {
	sum    *[sha256.Size]byte // nil when it could not be read
	loaded *loaded            // nil when it was refused
	why    string             // it was refused

	refines bool // no file was read: names of the current configuration have other addresses
}

func newConfigFile(ctx context.Context, d *daemon, role instance.Role) *configFile {
	f := &configFile{daemon: d, role: role, foreign: markWatch{ipvs: d.ipvs, journal: d.journal}, changed: make(chan struct{}), taken: make(chan taken, 1), sum: d.loaded.sum()}
	f.found, f.endSeek = make(chan []parser.Name), func() {}
	f.renewed, f.endTLS = make(chan []string), func() {}
	go f.follow(ctx)
	f.remember(d.loaded.config.Names)
	f.seek(ctx, firstSeek)
	f.followTLS(ctx)
	return f
}

// follow tells when the file may have changed: at once where the system says so, else by looking at
// it each second. The folder that a symbolic link leads to is watched as well, as with a ConfigMap.
func (f *configFile) follow(ctx context.Context) {
	here := watch(ctx, filepath.Dir(f.path))
	var there <-chan struct{}
	if target, err := filepath.EvalSymlinks(f.path); err == nil && filepath.Dir(target) != filepath.Dir(f.path) {
		there = watch(ctx, filepath.Dir(target))
	}
	poll := time.NewTicker(pollTime)
	defer poll.Stop()
	settle := time.NewTimer(0)
	defer settle.Stop()
	last, settling := stamp(f.path), true // it may have changed since it was read
	for {
		select {
		case <-ctx.Done():
			return
		case <-here:
		case <-there:
		case <-poll.C:
		case <-settle.C:
			if settling && stamp(f.path).same(last) {
				settling = false
				select {
				case f.changed <- struct{}{}:
				case <-ctx.Done():
					return
				}
			}
		}
		if now := stamp(f.path); !now.same(last) {
			last, settling = now, true
			settle.Reset(settleTime)
		}
	}
}

// fileStamp is what changes when a file does; nil when there is none. A new file in the place of the
// old one may have its time and its size.
type fileStamp struct{ os.FileInfo }

func stamp(path string) fileStamp {
	info, err := os.Stat(path)
	if err != nil {
		return fileStamp{}
	}
	return fileStamp{info}
}

func (s fileStamp) same(other fileStamp) bool {
	if s.FileInfo == nil || other.FileInfo == nil {
		return s.FileInfo == other.FileInfo
	}
	return s.isOf(other) && s.ModTime().Equal(other.ModTime()) && s.Size() == other.Size()
}

// isOf reports whether both are of one file, whatever is written in it.
func (s fileStamp) isOf(other fileStamp) bool {
	return s.FileInfo != nil && other.FileInfo != nil && os.SameFile(s.FileInfo, other.FileInfo)
}

// look takes a changed file over, or says that autoreload is off. A file that was only touched is
// nothing, and one that is away is waited for.
func (f *configFile) look(ctx context.Context) {
	sum, err := sumOf(f.path)
	if err != nil || sum == f.sum {
		return
	}
	f.sum = sum
	global := f.loaded.config.Global
	f.say(notify.ConfigChanged, fmt.Sprintf("Configuration file '%s' has changed on disk", f.path))
	if global.AutoReload {
		f.begin(ctx, reading{auto: true})
	} else {
		f.say(notify.ConfigIgnored, " - ignore new configuration")
	}
	if executable(global.Callback) {
		f.hooks.Run(notify.Hook{Lane: "callback", Argv: []string{global.Callback, f.path}})
	}
}

// sumOf tells one content of a file from another, as loaded.sum does, without holding it in memory.
func sumOf(path string) (sum [sha256.Size]byte, err error) {
	file, err := instance.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return sum, err
	}
	defer file.Close()
	h := sha256.New()
	if n, err := io.Copy(h, io.LimitReader(file, largestConfig+1)); err != nil || n > largestConfig {
		return sum, cmp.Or(err, fmt.Errorf("%s is too large", path))
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}

// readAgain reads the file again because somebody asked for it, by a signal or an order.
func (f *configFile) readAgain(ctx context.Context, o rereading) {
	f.say(notify.Reloading, "Reloading Linux Director Daemon config on signal")
	r := reading{via: o.via}
	if o.answer != nil {
		r.answer = append(r.answer, o.answer)
	}
	f.begin(ctx, r)
}

// begin has the file read and taken over. What is asked for while it is being read already is another reading:
// the file may have changed since that began.
func (f *configFile) begin(ctx context.Context, r reading) {
	switch {
	case f.now == nil:
		f.now = &r
		f.manager.reloading()
		old := f.loaded
		go func() {
			f.taken <- f.take(ctx, old, r.auto)
			settleMemory() // also after a file that was refused
		}()
	case f.next == nil:
		f.next = &r
	default:
		f.next.add(r)
	}
}

// end notes what became of it.
func (f *configFile) end(ctx context.Context, t taken) {
	wait := firstSeek
	if t.refines {
		wait = f.refined(t)
	} else {
		f.reread(ctx, t)
	}
	for _, answer := range f.now.answer {
		answer <- t
	}
	next := f.next
	f.now, f.next = nil, nil
	f.seek(ctx, wait)
	if t.loaded != nil {
		f.followTLS(ctx)
	}
	if next != nil {
		f.begin(ctx, *next)
	}
}

// reread notes what became of a file that was read.
func (f *configFile) reread(ctx context.Context, t taken) {
	if t.sum != nil {
		f.sum = *t.sum
	}
	if t.loaded != nil {
		f.changeSiblings(t.loaded.config.Global.Execute)
		f.loaded = t.loaded
		f.remember(t.loaded.config.Names)
		f.recorded(f.hold.SetSiblings(t.loaded.config.Global.Execute))
		f.foreign.follow(ctx, t.loaded.config)
	}
	f.reloads.note(t)
	f.manager.ready(f.summary(t))
}

// summary is what is in force after a file was read.
func (f *configFile) summary(t taken) string {
	if t.loaded == nil {
		return f.loaded.summary() + "; the file was refused, the log says why"
	}
	return f.loaded.summary()
}

// take makes the file's configuration the current one, whole or not at all.
func (f *configFile) take(ctx context.Context, old *loaded, auto bool) (t taken) {
	o := f.parserOptions()
	o.Last, o.Wait = known(old.config.Names).last(o.Last), false
	l, err := f.loadWith(ctx, o)
	if ctx.Err() != nil {
		return t
	}
	if err != nil {
		f.say(notify.ConfigError, fmt.Sprintf("Error [%d]: %v", os.Getpid(), err))
		t.why = err.Error()
		return t
	}
	sum := l.sum()
	t.sum = &sum
	for _, d := range l.found {
		kind := notify.ConfigWarning
		if d.Severity == parser.Error {
			kind = notify.ConfigError
		}
		f.say(kind, message(d))
	}
	if l.plan == nil {
		t.why = l.found.Errors()[0].String()
		return t
	}
	l.forget()
	if auto && len(l.config.Virtuals) == 0 && len(old.config.Virtuals) > 0 {
		t.why = fmt.Sprintf("%s has no virtual service any more: the old configuration stays; HUP takes the new one", f.path)
		f.say(notify.ConfigError, fmt.Sprintf("Error [%d]: %s", os.Getpid(), t.why))
		return t
	}
	if auto {
		f.say(notify.ConfigReread, " - reread new configuration")
	}
	if err := f.install(ctx, old, l, f.director.Reload); err != nil {
		t.why = fmt.Sprintf("the daemon ends: %v", err)
		return t
	}
	t.loaded = l
	return t
}

// install makes a configuration the current one, of the director and around it, whole or not at all.
func (d *daemon) install(ctx context.Context, old, l *loaded, give func(context.Context, *director.Plan) error) error {
	d.surround(ctx, l)
	err := give(ctx, l.plan)
	if err != nil {
		d.surround(ctx, old)
	}
	return err
}

// surround makes what is around the director follow a configuration: before the director does, because what that
// changes is told in the new log, by the new mails.
func (d *daemon) surround(ctx context.Context, l *loaded) {
	d.log.setTarget(l.config.Global.LogFile)
	if d.control != nil {
		d.unheard(d.control.allow(l.config.Global.StatusGroup))
	}
	d.metrics.serve(ctx, l.config.Global.Listen)
	d.env.setOurs(l.plan)
	d.mailer.Set(mailRules(l.config, l.plan))
}

func (f *configFile) say(kind notify.Kind, text string) {
	f.journal.Emit(notify.Event{Kind: kind, Text: text})
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return path != "" && err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// reload has the running daemon read the file again, if it is good, and waits until the table follows it. One
// without a control socket is told by a signal, and does not say what became of it.
func (a *app) reload(ctx context.Context) int {
	if code := a.readable(ctx); code != exitOK {
		return code
	}
	found := a.instance().Find()
	switch {
	case found.Pid == 0:
		fmt.Fprintf(a.stderr, "ldirectord is stopped for %s\n", a.path)
		return exitFailure
	case a.waitsForUs(found):
		return exitOK
	}
	err := a.socket().Order(ctx, takeOverTime, "/reload", url.Values{"via": a.via}, new(struct{}))
	if errors.Is(err, instance.ErrEnding) && a.waitsForUs(a.instance().Find()) {
		return exitOK
	}
	if errors.Is(err, instance.ErrNoListener) {
		if err = syscall.Kill(found.Pid, syscall.SIGHUP); err != nil {
			err = fmt.Errorf("sending HUP to pid %d: %w", found.Pid, err)
		}
	}
	if err != nil {
		fmt.Fprintf(a.stderr, "ldirectord: %v\n", err)
		return exitFailure
	}
	return exitOK
}
