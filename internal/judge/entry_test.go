package judge

import (
	"fmt"
	"slices"
	"testing"

	"ldirectord/internal/health"
	"ldirectord/internal/lvs"
)

// checkedFallbacks is a case with a server and two fallback servers, the first of which fails.
func checkedFallbacks() Case {
	c := inService(4)
	c.Fallbacks = append(fallbackAt(8), fallbackAt(9)...)
	for _, m := range c.Fallbacks {
		c.FallbackServers = append(c.FallbackServers, Server{Member: m, More: []Check{{}}})
	}
	c.FallbackServers[0].AssumeAll(health.Assume(health.Down))
	return c
}

// A reload keeps what is known of a fallback server, by its place after the servers.
func TestAReloadKeepsWhatIsKnownOfFallbackServers(t *testing.T) {
	was, now := checkedFallbacks(), checkedFallbacks()
	was.FallbackServers[0].Since = noon
	for i := range now.FallbackServers {
		now.FallbackServers[i].AssumeAll(health.Health{})
	}
	places := []int{0, 2, 1} // the two have changed places
	now.Carry(&was, true, func(i int) int { return places[i] }, func(i, k int) *Check {
		return was.entry(places[i]).Check(k)
	})
	first, second := &now.FallbackServers[0], &now.FallbackServers[1]
	if second.Health() != health.Down || second.Since != noon || first.Health() == health.Down || !first.Since.IsZero() {
		t.Errorf("%v since %v, and %v since %v", first.Health(), first.Since, second.Health(), second.Since)
	}
}

// A copy of a state shares no check of a fallback server.
func TestACopyHasChecksOfFallbackServersOfItsOwn(t *testing.T) {
	c := checkedFallbacks()
	clone := c.Clone()
	for i := range clone.FallbackServers {
		clone.FallbackServers[i].AssumeAll(health.Assume(health.Up))
	}
	if got := c.FallbackServers[0]; got.First.Health.State != health.Down || got.More[0].Health.State != health.Down {
		t.Errorf("%+v", got)
	}
}

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
	if got := c.FallbackAt(at(9)); got != 1 || c.FallbackAt(at(1)) >= 0 || c.IsNobodys(at(8)) || !c.IsNobodys(at(7)) {
		t.Errorf("10.2.0.9 is fallback server %d", got)
	}
}

// The directive that holds a server is paceout while the server waits for its turn, and where there is no keepserving.
func TestWhichDirectiveHoldsAServer(t *testing.T) {
	for _, row := range []struct {
		held, waits bool
		keeps       int32
		want        string
	}{
		{false, false, 1, ""},
		{false, true, 0, ""},
		{true, false, 1, "keepserving = 1"},
		{true, true, 1, "paceout = 2/30s"},
		{true, false, 0, "paceout = 2/30s"},
		{true, true, 0, "paceout = 2/30s"},
	} {
		c := inService(4)
		c.given(fmt.Sprintf("keepserving=%d, paceout=2/30", row.keeps))
		if c.Servers[0].Held = row.held; row.waits {
			c.given("1 until")
		}
		if got := c.Seen(&c.Servers[0], noon).HeldBy(); got != row.want {
			t.Errorf("%+v: held by %q", row, got)
		}
	}
	if at := slices.IndexFunc(Kinds, func(k Kind) bool { return k.Holds != nil }); Kinds[at].Name != guardKind.Name {
		t.Errorf("%s comes first", Kinds[at].Name)
	}
}
