package judge

import (
	"fmt"
	"slices"
	"testing"

	"ldirectord/internal/health"
	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

// checkedFallbacks is a case with a server and two fallback servers, the first of which fails.
func checkedFallbacks() Case {
	c := inService(4)
	c.Fallbacks = append(fallbackAt(8), fallbackAt(9)...)
	for _, m := range c.Fallbacks {
		m.Unchecked = false
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
	if second.Health() != health.Down || second.Since != noon || first.Health() == health.Down ||
		!first.Since.IsZero() {
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
	if got := c.FallbackServers[0]; got.First.Health.State != health.Down ||
		got.More[0].Health.State != health.Down {
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
	if got := c.FallbackAt(at(9)); got != 1 || c.FallbackAt(at(1)) >= 0 || c.IsNobodys(at(8)) ||
		!c.IsNobodys(at(7)) {
		t.Errorf("10.2.0.9 is fallback server %d", got)
	}
}

// Of several fallback servers the first that passes serves; while none has passed, the one that serves already.
func TestWhichFallbackServes(t *testing.T) {
	const up, down, unknown = health.Up, health.Down, health.Unknown
	for _, row := range []struct {
		states  [2]health.State
		serving byte // 8 or 9 in the table; 0: none
		want    byte
	}{
		{[2]health.State{up, up}, 0, 8},
		{[2]health.State{up, up}, 9, 8},
		{[2]health.State{down, up}, 0, 9},
		{[2]health.State{down, up}, 8, 9},
		{[2]health.State{unknown, up}, 0, 9},
		{[2]health.State{unknown, unknown}, 0, 8},
		{[2]health.State{unknown, unknown}, 9, 9},
		{[2]health.State{down, unknown}, 9, 9},
		{[2]health.State{down, unknown}, 8, 8},
		{[2]health.State{down, down}, 0, 8},
		{[2]health.State{down, down}, 9, 8},
	} {
		c := checkedFallbacks()
		for i, state := range row.states {
			c.FallbackServers[i].AssumeAll(health.Assume(state))
		}
		for i := range c.Servers {
			c.Servers[i].AssumeAll(health.Assume(down))
		}
		c.Have, c.Known = lvs.Dests{}, true
		if row.serving > 0 {
			c.Have = lvs.DestsOf(destsOf(map[byte]uint32{row.serving: 1}))
		}
		decided := Decide(c, noon)
		for _, n := range []byte{8, 9} {
			testkit.Equal(t, decided.Places[at(n)].Weight > 0, n == row.want, row, "10.2.0.", n,
				"in service")
		}
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
		testkit.Equal(t, c.Seen(&c.Servers[0], noon).HeldBy(), row.want, row, "held by")
	}
	if at := slices.IndexFunc(Kinds, func(k Kind) bool {
		return k.Holds != nil
	}); Kinds[at].Name != guardKind.Name {
		t.Errorf("%s comes first", Kinds[at].Name)
	}
}
