package judge

import (
	"testing"

	"ldirectord/internal/health"
	"ldirectord/internal/lvs"
)

// checkedFallbacks is a case with a server and two fallback servers, the first of which fails.
func checkedFallbacks() Case { return sectionWith("servers=4, checkedfallbacks=8/9, 8 down") }

// A fallback server that passes is not in service by that, and one that fails is not held.
func TestTheChecksOfAFallbackServerDecideNothing(t *testing.T) {
	c := checkedFallbacks()
	c.KeepServing, c.Owner = lvs.Share{N: 1}, ActiveDirector
	one := &c.FallbackServers[1]
	one.AssumeAll(health.Assume(health.Up))
	if c.Serves(one) || !c.Rests(one) {
		t.Error("it serves")
	}
	c.Rule.Fall = 1
	c.Result(one, &one.First, false, NoAnswer)
	if one.Held || one.Fallen || one.Health() != health.Down {
		t.Errorf("%+v", one)
	}
	if got := c.FallbackAt(at(9)); got != 1 || c.FallbackAt(at(1)) >= 0 || c.IsNobodys(at(8)) ||
		!c.IsNobodys(at(7)) {
		t.Errorf("10.2.0.9 is fallback server %d", got)
	}
}
