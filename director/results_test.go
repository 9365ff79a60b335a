package director

import (
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/lvs"
)

// The director has settled when every server has its first result, and not before. A result that can't be judged is
// one too.
func TestADirectorSettlesWithTheFirstResults(t *testing.T) {
	for _, how := range []string{"up", "down", "unjudged"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScenario(t)
				s.configs["one"] = threeAndOne
				for _, a := range servers {
					s.set(a, how)
				}
				s.start("one", false)
				time.Sleep(time.Millisecond) // the time of the first check
				synctest.Wait()
				select {
				case <-s.director.Settled():
					t.Error("settled before the results of two servers")
				default:
				}
				if now := snapshotOf(t, s.director); now.Status != lvs.StatusStarting {
					t.Errorf("before it settled the status is %s", now.Status)
				}
				time.Sleep(time.Second)
				select {
				case <-s.director.Settled():
				default:
					t.Error("not settled after all results")
				}
				if now := snapshotOf(t, s.director); now.Status != lvs.StatusRunning {
					t.Errorf("after it settled the status is %s", now.Status)
				}
				s.stop(ErrHandover)
				time.Sleep(time.Second) // checks in flight end
			})
		})
	}
}
