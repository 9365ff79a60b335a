package judge

import (
	"testing"

	"ldirectord/checker/health"
	"ldirectord/lvs"
)

// A check that only weighed and is down decides after a reload. The guard holds then, as when a check fails.
func TestACheckThatWeighedDecidesAfterAReload(t *testing.T) {
	was := inService(4, 4)
	was.KeepServing = lvs.Share{N: 1}
	now := Case{Section: was.Section, State: was.Clone()}
	for i := range was.Servers {
		was.Servers[i].More = []Check{{Line: 1, Part: 50, Health: health.Assume(health.Down)}}
		now.Servers[i].More = []Check{{Line: 1}}
	}
	now.Carry(&was, true, func(i int) int { return i }, func(i, k int) *Check { return was.Servers[i].Check(k) })
	if got := placed(&hearing{Decision: Decision{Places: Decide(now, noon).Places}}); got != "2:4" {
		t.Errorf("after the reload %s, want 2:4", got)
	}
}
