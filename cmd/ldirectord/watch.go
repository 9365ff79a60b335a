package main

import (
	"context"

	"github.com/fsnotify/fsnotify"
)

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
