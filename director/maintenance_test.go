package director

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const twoMaintained = `maintenancedir = MAINTENANCE
checkinterval = 1
virtual = 10.1.0.1:80
	real = 10.2.0.1:80 gate
	real = 10.2.0.2:80 gate
	checktype = connect
`

// hangingFolder runs a director whose maintenancedir hangs from when hang is closed until fix is closed.
func hangingFolder(t *testing.T, test func(t *testing.T, s *scenario, hang, fix chan struct{})) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newScenario(t)
		s.folder = dir
		s.configs["one"] = twoMaintained
		hang, fix := make(chan struct{}), make(chan struct{})
		s.watch = func(context.Context, string) <-chan struct{} {
			select {
			case <-hang:
				<-fix
			default:
			}
			return nil
		}
		test(t, s, hang, fix)
		if s.end != nil {
			s.stop(nil)
		}
		time.Sleep(time.Second) // checks in flight end
	})
}

// logged reports whether the log has a line with a text.
func (s *scenario) logged(text string) bool {
	return strings.Contains(strings.Join(s.take(), "\n"), text)
}

func TestAStartWaitsNotLongForAFolderThatHangs(t *testing.T) {
	hangingFolder(t, func(t *testing.T, s *scenario, hang, fix chan struct{}) {
		close(hang)
		s.step([]string{"maintain", "10.2.0.1"}, "")
		begin := time.Now()
		s.start("one", false)
		<-s.director.Settled()
		if took := time.Since(begin); took > folderWait+time.Second {
			t.Errorf("the first servers are in after %v", took)
		}
		time.Sleep(time.Second)
		if !s.logged("Maintenance folder can't be read; servers in maintenance stay there: " + s.folder + ": no answer in 3s") {
			t.Error("the log does not say why the folder can't be read")
		}
		if why := snapshotOf(t, s.director).Folder; why != "no answer in 3s" {
			t.Errorf("the status says about the folder: %q", why)
		}
		close(fix)
		time.Sleep(2 * time.Second)
		if why := snapshotOf(t, s.director).Folder; why != "" {
			t.Errorf("after the folder answers, the status says: %s", why)
		}
		if now := snapshotOf(t, s.director).Virtuals[0].Servers; now[0].State != "maintenance" || now[1].State != "up" {
			t.Errorf("after the folder answers, the servers are %s and %s", now[0].State, now[1].State)
		}
		if !s.logged("Maintenance folder can be read again: " + s.folder) {
			t.Error("the log does not say that the folder can be read again")
		}
	})
}

func TestAHangingFolderKeepsMaintenanceAndDelaysNothing(t *testing.T) {
	hangingFolder(t, func(t *testing.T, s *scenario, hang, fix chan struct{}) {
		s.step([]string{"maintain", "10.2.0.1"}, "")
		s.start("one", false)
		<-s.director.Settled()
		close(hang)
		s.step([]string{"unmaintain", "10.2.0.1"}, "")
		reloaded := make(chan error)
		go func() { reloaded <- s.director.Reload(t.Context(), s.plan("one")) }()
		for range 5 { // before, during and after the wait for the folder
			begin := time.Now()
			now := snapshotOf(t, s.director)
			if took := time.Since(begin); took > 0 {
				t.Errorf("the director did not answer for %v", took)
			}
			if got := now.Virtuals[0].Servers[0].State; got != "maintenance" {
				t.Errorf("%v after the folder began to hang the server is %s", time.Since(begin), got)
			}
			synctest.Wait()
			time.Sleep(900 * time.Millisecond)
			select {
			case err := <-reloaded:
				if err != nil {
					t.Error(err)
				}
				reloaded = nil
			default:
			}
		}
		if reloaded != nil {
			t.Error("the reload still waits for the folder")
		}
		close(fix)
		time.Sleep(2 * time.Second)
		if now := snapshotOf(t, s.director); now.Virtuals[0].Servers[0].State != "up" {
			t.Errorf("after the folder answers, the server is %+v", now.Virtuals[0].Servers[0])
		}
	})
}

func TestADirectorEndsWhileItsFolderHangs(t *testing.T) {
	hangingFolder(t, func(t *testing.T, s *scenario, hang, fix chan struct{}) {
		defer close(fix)
		close(hang)
		s.start("one", false)
		time.Sleep(time.Second) // the director waits for the folder
		begin := time.Now()
		s.stop(nil)
		if took := time.Since(begin); took > time.Second {
			t.Errorf("the director ended only after %v", took)
		}
	})
}
