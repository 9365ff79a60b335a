package judge

import (
	"testing"

	"ldirectord/internal/health"
	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

// Before the reload a check only weighed, and it is down. After the reload it decides. The guard holds the server,
// as if the check had just failed.
func TestACheckThatWeighedDecidesAfterAReload(t *testing.T) {
	was := inService(4, 4)
	was.KeepServing = lvs.Share{N: 1}
	now := Case{Section: was.Section, State: was.Clone()}
	for i := range was.Servers {
		was.Servers[i].More = []Check{{Line: 1, Part: 50, Health: health.Assume(health.Down)}}
		now.Servers[i].More = []Check{{Line: 1}}
	}
	now.over(&was)
	testkit.Equal(t, placed(Decide(now, noon).Places), "2:4",
		"after the reload")
}

// A reload holds a server only if one of its failing checks weighed before and decides now.
func TestWhichCheckHasItHeldAfterAReload(t *testing.T) {
	for _, row := range []struct {
		was, is uint8 // its part
		held    bool
	}{{50, 0, true}, {0, 0, false}, {50, 20, false}} {
		was := inService(4)
		was.Servers[0].More = []Check{{Part: row.was, Health: health.Assume(health.Down)}}
		now := inService(4)
		now.Servers[0].More = []Check{{Part: row.is}}
		now.Carry(&was, true, func(int) int { return 0 }, func(_, k int) *Check {
			return []*Check{nil, &was.Servers[0].More[0]}[k]
		})
		testkit.Equal(t, now.Servers[0].Held, row.held, "of part", row.was, "then", row.is, "held")
	}
}
