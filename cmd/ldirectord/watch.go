package main

import (
	"context"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// followFile has read look at a file: now, and until ctx is done whenever the file may be another one
// than at the last look that succeeded. It is compared each second, and at once where the system says
// that its folder changed.
func followFile(ctx context.Context, path string, read func() bool) {
	changed := watch(ctx, filepath.Dir(path))
	poll := time.NewTicker(pollTime)
	defer poll.Stop()
	last := stamp(path)
	good := read()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-poll.C:
		}
		if now := stamp(path); !good || !now.same(last) {
			last, good = now, read()
		}
	}
}

// watch signals changes in a folder until ctx is done. Folders and not files are watched, because
// editors and configuration management put a new file in the old one's place. Where nothing can be
// watched the channel stays silent: everybody who watches also looks now and then.
func watch(ctx context.Context, dir string) <-chan struct{} {
	changed := make(chan struct{}, 1)
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
		for {
			select {
			case <-ctx.Done():
				return
			case _, open := <-w.Events:
				if !open {
					return
				}
			case _, open := <-w.Errors: // an overflow: something changed
				if !open {
					return
				}
			}
			select {
			case changed <- struct{}{}:
			default:
			}
		}
	}()
	return changed
}
