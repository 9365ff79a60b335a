package daemon

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"

	"ldirectord/internal/notify"
	"ldirectord/internal/runfile"
)

// pollInterval is the time between two looks at a file, for file systems that report no changes.
const pollInterval = time.Second

// followFile calls read at once, and again whenever the file has changed, until ctx is done. While read returns false,
// it is called at every look. followFile looks at the file every second, and at once if the system reports a change in
// its folder. It follows the files of orders and of the role; reload.go follows the configuration.
func followFile(ctx context.Context, path string, read func() bool) {
	changed := watch(ctx, filepath.Dir(path))
	poll := time.Tick(pollInterval)
	last := stamp(path)
	good := read()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-poll:
		}
		if now := stamp(path); !good || !now.same(last) {
			last, good = now, read()
		}
	}
}

// watch signals changes in a folder until ctx is done. It watches folders instead of files, because editors and
// configuration management replace files. If a folder can't be watched, no change is signalled. All callers therefore
// poll as well.
func watch(ctx context.Context, dir string) <-chan struct{} {
	changed := notify.NewWake()
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return changed
	}
	if err := w.Add(dir); err != nil {
		w.Close()
		return changed
	}
	go func() {
		defer w.Close()
		for open := true; open; {
			select {
			case <-ctx.Done():
				return
			case _, open = <-w.Events:
			case _, open = <-w.Errors: // an overflow: something changed
			}
			changed.Up()
		}
	}()
	return changed
}

// watchTarget watches the folder of a symbolic link's target, because the files of a mounted ConfigMap are links. For
// any other file it signals nothing.
func watchTarget(ctx context.Context, path string) <-chan struct{} {
	target, err := filepath.EvalSymlinks(path)
	if err != nil || filepath.Dir(target) == filepath.Dir(path) {
		return nil
	}
	return watch(ctx, filepath.Dir(target))
}

// look looks at files, one look at a time. If the file system hangs, the caller is delayed only once, and only one
// goroutine is blocked.
type look[T any] struct {
	last   T
	coming chan T // the result of the look under way; nil: there is none
}

// now looks at the files. While a look hangs, it returns the result of the last look that ended.
func (l *look[T]) now(see func() T) T {
	patience := time.Duration(0)
	if l.coming == nil {
		coming := make(chan T, 1)
		go func() { coming <- see() }()
		l.coming, patience = coming, runfile.ReadTimeout
	}
	select {
	case l.last = <-l.coming:
		l.coming = nil
	case <-time.After(patience):
	}
	return l.last
}

// fileStamp identifies the version of a file. If there is no file, its FileInfo is nil. Time and size are not enough,
// because a new file may have the time and size of the old one. A new mode makes a new version, because the file may
// have been refused for its mode.
type fileStamp struct{ os.FileInfo }

func stamp(path string) fileStamp {
	info, _ := os.Stat(path)
	return fileStamp{info}
}

func (s fileStamp) same(other fileStamp) bool {
	return s == other || s.isOf(other) && s.ModTime().Equal(other.ModTime()) && s.Size() == other.Size() &&
		s.Mode() == other.Mode()
}

// isOf reports whether both stamps are of the same file, whatever its content.
func (s fileStamp) isOf(other fileStamp) bool {
	return os.SameFile(s.FileInfo, other.FileInfo) // false without a file
}

// versions maps the paths of files to their versions.
type versions map[string]fileStamp

// versionsOf returns a function that reads the versions of files.
func versionsOf(paths []string) func() versions {
	return func() versions {
		all := versions{}
		for _, path := range paths {
			all[path] = stamp(path)
		}
		return all
	}
}

func (v versions) same(other versions) bool { return maps.EqualFunc(v, other, fileStamp.same) }
