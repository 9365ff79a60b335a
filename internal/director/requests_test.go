package director

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/core"
	"ldirectord/internal/maintenance"
	"ldirectord/internal/schedule"
	"ldirectord/internal/testkit"
	"ldirectord/internal/view"
)

func snapshotOf(t *testing.T, d *Director) *view.Snapshot {
	t.Helper()
	return testkit.Must(d.Snapshot(t.Context()))(t)
}

func TestARequestThatIsNotTaken(t *testing.T) {
	d := New(Deps{}) // not running
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	testkit.Fails(t, testkit.Error(d.Snapshot(gone)), "the director waits for the table: context canceled",
		"a snapshot gives the error")
	if err := d.SetStandby(gone, true); !errors.Is(err, errNotTaken) || !errors.Is(err, context.Canceled) {
		t.Errorf("an order gives the error %v", err)
	}
}

// While maintenancedir hangs, the start waits a moment for it, a reload waits alone, and the end does not. Calls whose
// callers are gone delay nothing, either.
func TestAHangingFolderDelaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScenario(t)
		s.configs["one"] = "maintenancedir = /m\ncheckinterval = 1\nvirtual = 10.1.0.1:80\n" +
			"\treal = 10.2.0.1:80 gate\n\tchecktype = connect\n"
		var watches []context.Context
		d := New(Deps{Table: s.table.Memory, World: core.World{},
			Maintenance: func(ctx context.Context, _ string,
				_ []maintenance.Server) <-chan maintenance.Reading {
				watches = append(watches, ctx)
				return make(chan maintenance.Reading)
			}})
		within := func(what string, least, most time.Duration, does func()) {
			t.Helper()
			begun := time.Now()
			if does(); time.Since(begun) < least || time.Since(begun) > most {
				t.Errorf("%s took %v", what, time.Since(begun))
			}
		}
		ctx, end := context.WithCancel(t.Context())
		ended, reloaded := make(chan error, 1), make(chan error, 1)
		within("the start", folderWait, folderWait+time.Second, func() {
			go func() { ended <- d.Run(ctx, s.plan("one")) }()
			<-d.Settled()
		})
		within("a reload", folderWait, folderWait, func() {
			go func() { reloaded <- d.Reload(ctx, s.plan("one")) }()
			within("a snapshot", 0, 0, func() {
				cancelled, cancel := context.WithCancel(ctx)
				cancel()
				for range 100 {
					d.Snapshot(cancelled)
				}
				time.Sleep(0)
				if now := snapshotOf(t, d); now.Folder != "no answer in 3s" ||
					now.Overdue > 2*schedule.Tick {
					t.Errorf("the folder: %q; checks are late by %v", now.Folder, now.Overdue)
				}
			})
			testkit.OK(t, <-reloaded)
		})
		if watches[0].Err() == nil || watches[1].Err() != nil {
			t.Error("not just the folder of the present plan is watched")
		}
		gone, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		within("a reload whose caller gives up", time.Second, time.Second, func() {
			if err := d.Reload(gone, s.plan("one")); err == nil {
				t.Error("it is done")
			}
		})
		within("the end", 0, time.Second, func() {
			end()
			testkit.OK(t, <-ended)
		})
		for _, w := range watches {
			if w.Err() == nil {
				t.Error("a folder is watched after the end")
			}
		}
	})
}
