// Package maintenance watches maintenancedir. A file in it that is named after a real server takes that server out of
// service. Access to the folder and look-ups of names may hang, for example because a file server or a name server is
// down. Only the goroutines of a watch wait for them.
package maintenance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"ldirectord/internal/resolve"
	"ldirectord/internal/runfile"
)

const (
	pollInterval = time.Second // the time between two readings: on NFS, for example, changes are not signalled
	maxFiles     = 100_000     // entries of the folder that are read
)

// Server is a real server that a file may put into maintenance.
type Server struct {
	Addr netip.AddrPort
	Host string // its host name in the configuration; "" if it has an address there
}

// Reading is the result of one reading of the folder.
type Reading struct {
	Out    map[netip.AddrPort]string // the file and its text, by real server; nil if the folder can't be read
	Unread map[netip.AddrPort]bool   // those in Out whose file can't be read now; they should stay as they were
	Err    error                     // why the folder or the first of these files can't be read
}

// Watcher watches folders, one for each plan (a configuration ready to run). All watches share the host names that were
// looked up.
type Watcher struct {
	signal func(ctx context.Context, dir string) <-chan struct{} // may be nil
	list   func(dir string) (map[string]bool, error)
	names  *names
	// turns maps each folder to the turn to access it. A hanging access keeps the turn, so later watches wait and
	// do not make another thread hang.
	turns sync.Map
}

// New returns a watcher. signal reports when the entries of a folder change, until ctx is done. If it is nil, folders
// are only polled.
func New(signal func(ctx context.Context, dir string) <-chan struct{}) *Watcher {
	resolver := &net.Resolver{PreferGo: true, Dial: resolve.DialServer}
	return &Watcher{signal: signal, list: entries, names: newNames(resolver.LookupAddr)}
}

// Watch sends the servers that the folder puts into maintenance, first as soon as they are known and then at each
// change, until ctx is done. A missing folder puts no server into maintenance, and may appear later.
func (w *Watcher) Watch(ctx context.Context, dir string, servers []Server) <-chan Reading {
	turn, _ := w.turns.LoadOrStore(dir, make(chan struct{}, 1))
	f := &folder{
		Watcher: w, dir: dir, servers: servers, turn: turn.(chan struct{}),
		readings: make(chan Reading), answered: make(chan struct{}),
	}
	go f.run(ctx)
	return f.readings
}

// folder is one watch. Only the goroutine of run changes its fields.
type folder struct {
	*Watcher
	dir      string
	servers  []Server
	turn     chan struct{}
	readings chan Reading
	asked    bool          // a look-up of names is under way
	answered chan struct{} // the look-up has ended
}

func (f *folder) run(ctx context.Context) {
	var changed <-chan struct{}
	if f.signal != nil && !f.alone(ctx, func() { changed = f.signal(ctx, f.dir) }) {
		return
	}
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	seen := f.read(ctx, Reading{}, f.learn)
	sent := Reading{}
	out := f.readings // the first reading is sent in any case
	for {
		select {
		case <-ctx.Done():
			return
		case out <- seen:
			sent, out = seen, nil
			continue
		case <-f.answered:
			f.asked = false
		case <-changed:
		case <-ticker.C:
		}
		seen = f.read(ctx, seen, f.refresh)
		if out = nil; !seen.equal(sent) {
			out = f.readings
		}
	}
}

func (r Reading) equal(other Reading) bool {
	return maps.Equal(r.Out, other.Out) && maps.Equal(r.Unread, other.Unread) &&
		fmt.Sprint(r.Err) == fmt.Sprint(other.Err)
}

// alone waits for the turn to access the folder, and calls do. It reports whether the call ended before ctx was done.
func (f *folder) alone(ctx context.Context, do func()) bool {
	select {
	case f.turn <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	defer func() { <-f.turn }()
	do()
	return ctx.Err() == nil
}

// read reads the folder. If a file may be named after a host, resolve is called to look up the host names of the
// servers. If ctx is done, read returns the previous reading.
func (f *folder) read(ctx context.Context, before Reading, resolve func(context.Context)) Reading {
	var files map[string]bool
	var err error
	if !f.alone(ctx, func() { files, err = f.list(f.dir) }) {
		return before
	}
	if err != nil {
		return Reading{Err: err}
	}
	if hasNames(files) {
		resolve(ctx)
	}
	out := map[netip.AddrPort]string{}
	if len(files) == 0 {
		return Reading{Out: out}
	}
	for _, s := range f.servers {
		names := f.names.files(s)
		if i := slices.IndexFunc(names, func(name string) bool { return files[name] }); i >= 0 {
			out[s.Addr] = names[i]
		}
	}
	r := Reading{Out: out, Unread: map[netip.AddrPort]bool{}}
	if !f.alone(ctx, func() { r.addNotes(f.dir) }) {
		return before
	}
	return r
}

// addNotes adds what the files say, and drops servers whose maintenance has ended. If a file can't be read, its
// server's maintenance has no known end. If it may become readable again, its server is in Unread.
func (r *Reading) addNotes(dir string) {
	now := time.Now()
	// in a fixed order, so that Err stays the same
	for _, s := range slices.SortedFunc(maps.Keys(r.Out), netip.AddrPort.Compare) {
		n, err := readNote(filepath.Join(dir, r.Out[s]))
		if runfile.MayPass(err) {
			r.Unread[s] = true
			r.Err = cmp.Or(r.Err, err)
			continue
		}
		if r.Out[s] += n.text; !n.until.IsZero() && !n.until.After(now) {
			delete(r.Out, s)
		}
	}
}

// learn looks up unknown names, and waits for the answers.
func (f *folder) learn(ctx context.Context) {
	f.names.resolve(ctx, f.names.due(f.servers, time.Time{}))
}

// refresh looks up unknown and expired names without waiting for the answers. Expired names stay in use meanwhile.
func (f *folder) refresh(ctx context.Context) {
	now := time.Now()
	old := f.names.due(f.servers, now)
	if f.asked || len(old) == 0 {
		return
	}
	f.asked = true
	f.names.forget(old, now)
	go func() {
		f.names.resolve(ctx, old)
		select {
		case f.answered <- struct{}{}:
		case <-ctx.Done():
		}
	}()
}

func entries(dir string) (map[string]bool, error) {
	f, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	list, err := f.ReadDir(maxFiles)
	if err != nil && !errors.Is(err, io.EOF) { // an empty folder gives io.EOF
		return nil, fmt.Errorf("read %s: %w", dir, err)
	}
	files := make(map[string]bool, len(list))
	for _, e := range list {
		files[e.Name()] = true
	}
	return files, nil
}
