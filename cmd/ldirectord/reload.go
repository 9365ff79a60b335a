package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"time"

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
	busy    bool  // it is being read
	again   *bool // then it is to be read once more, for auto or not
}

// taken is a file that was read: as it is now, and the configuration if that is the current one now.
type taken struct {
	sum    *[sha256.Size]byte // nil when it could not be read
	loaded *loaded            // nil when it was refused
	why    string             // it was refused
}

func newConfigFile(ctx context.Context, d *daemon) *configFile {
	f := &configFile{daemon: d, foreign: markWatch{ipvs: d.ipvs, journal: d.journal}, changed: make(chan struct{}), taken: make(chan taken, 1), sum: d.loaded.sum()}
	go f.follow(ctx)
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
	return os.SameFile(s.FileInfo, other.FileInfo) && s.ModTime().Equal(other.ModTime()) && s.Size() == other.Size()
}

// look takes a changed file over, or says that autoreload is off. A file that was only touched is
// nothing, and one that is away is waited for.
func (f *configFile) look(ctx context.Context) {
	source, err := readFile(f.path, largestConfig)
	if err != nil {
		return
	}
	sum := sha256.Sum256(source)
	if sum == f.sum {
		return
	}
	f.sum = sum
	global := f.loaded.config.Global
	f.say(notify.ConfigChanged, fmt.Sprintf("Configuration file '%s' has changed on disk", f.path))
	if global.AutoReload {
		f.begin(ctx, true)
	} else {
		f.say(notify.ConfigIgnored, " - ignore new configuration")
	}
	if executable(global.Callback) {
		f.hooks.Run(notify.Hook{Lane: "callback", Argv: []string{global.Callback, f.path}})
	}
}

// hup reads the file again because somebody asked for it.
func (f *configFile) hup(ctx context.Context) {
	f.say(notify.Reloading, "Reloading Linux Director Daemon config on signal")
	f.begin(ctx, false)
}

// begin has the file read and taken over; auto says that nobody asked for it.
func (f *configFile) begin(ctx context.Context, auto bool) {
	if f.busy {
		auto = auto && (f.again == nil || *f.again)
		f.again = &auto
		return
	}
	f.busy = true
	f.manager.reloading()
	old := f.loaded
	go func() { f.taken <- f.take(ctx, old, auto) }()
}

// end notes what became of it.
func (f *configFile) end(ctx context.Context, t taken) {
	f.busy = false
	if t.sum != nil {
		f.sum = *t.sum
	}
	if t.loaded != nil {
		f.changeSiblings(f.loaded.config.Global.Execute, t.loaded.config.Global.Execute)
		f.loaded = t.loaded
		f.foreign.follow(ctx, t.loaded.config)
	}
	f.reloads.note(t)
	f.manager.ready(f.summary(t))
	f.recorded(f.hold.reread(t.loaded != nil))
	if f.again != nil {
		auto := *f.again
		f.again = nil
		f.begin(ctx, auto)
	}
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
	l, err := f.load(ctx)
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
	f.log.setTarget(l.config.Global.LogFile)
	if f.control != nil {
		f.unheard(f.control.allow(l.config.Global.StatusGroup))
	}
	f.metrics.serve(ctx, l.config.Global.Listen)
	f.env.setOurs(l.plan)
	f.mailer.Set(mailRules(l.config, l.plan))
	if f.director.Reload(ctx, l.plan) == nil {
		t.loaded = l
	}
	return t
}

func (f *configFile) say(kind notify.Kind, text string) {
	f.journal.Emit(notify.Event{Kind: kind, Text: text})
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return path != "" && err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
