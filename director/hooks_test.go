package director

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// A server that was added by hand shows in a snapshot.
func TestASnapshotShowsWhatWasAdded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScenario(t)
		s.configs["one"] = threeAndOne
		s.start("one", false)
		time.Sleep(5 * time.Second)
		s.hand([]string{"-a", "-t", "10.1.0.1:80", "-r", "10.2.0.99:80"})
		time.Sleep(5 * time.Second)
		if got := snapshotOf(t, s.director).Virtuals[0].Added; !slices.Equal(got,
			[]string{"10.2.0.99:80"}) {
			t.Errorf("added: %v", got)
		}
		s.stop(ErrHandover)
		time.Sleep(time.Second) // checks in flight end
	})
}
