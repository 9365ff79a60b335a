package judge

import (
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// Which checks are awaited while servers are back after an absence, and until when.

func TestWhichChecksAreAwaited(t *testing.T) {
	for _, row := range []struct {
		what                  string
		p                     Passage
		took, answered, again bool // Awaited: after p; then after no result, if it was true or false
	}{
		{"it passed since", Passage{Began: noon, OK: true}, false, true, false},
		{"it passed before", Passage{Began: noon.Add(-1), OK: true}, true, true, false},
		{"it failed", Passage{Began: noon}, true, true, false},
		{"it failed for almost two seconds", Passage{Began: noon.Add(stillAway - 1)}, true, true, false},
		{"it failed for good", Passage{Began: noon.Add(stillAway)}, false, false, false},
	} {
		c := Check{Way: &Way{}}
		if c.Took(row.p, noon); c.Awaited != row.took || c.Passage != row.p {
			t.Errorf("%s: after the result, awaited is %v", row.what, c.Awaited)
		}
		c.Awaited = true
		if c.Answered(row.p.Began, noon); c.Awaited != row.answered {
			t.Errorf("%s, then a check without a result: awaited is %v", row.what, c.Awaited)
		}
		c.Awaited = false
		if c.Answered(row.p.Began, noon); c.Awaited != row.again {
			t.Errorf("%s, not awaited, then no result: awaited is %v", row.what, c.Awaited)
		}
	}
	if stillAway != 2*time.Second {
		t.Errorf("stillAway is %v, want 2s", stillAway)
	}
}

func TestWhichChecksTell(t *testing.T) {
	for p, want := range map[Passage]bool{{}: false, {OK: true}: false, {OK: true, Passed: true}: true,
		{Own: true}: true} {
		c := Check{Way: &Way{}}
		if c.Took(p, noon); c.Tells != want {
			t.Errorf("%+v: the check can show whether the path works: %v", p, c.Tells)
		}
	}
}

func TestAServerIsBack(t *testing.T) {
	c := inService(4, 4)
	c.Servers[0].First.Passage = Passage{Began: noon, OK: true}
	c.Servers[1].First.Passage = Passage{Began: noon.Add(-time.Second), OK: true}
	c.Gather(noon)
	if !c.Back.Equal(noon) || c.Servers[0].First.Awaited || !c.Servers[1].First.Awaited {
		t.Errorf("%v, %+v", c.Back, c.Servers)
	}
}

func TestNothingWaitsForAnAgent(t *testing.T) {
	c := inService(4, 4)
	c.Gather(noon)
	s := &c.Servers[0]
	if !c.Awaits(s, &s.First) {
		t.Error("a check that has not passed since is not awaited")
	}
	if s.First.Agent = true; c.Awaits(s, &s.First) {
		t.Error("an agent is awaited")
	}
}

func TestAway(t *testing.T) {
	for _, row := range []struct {
		what  string
		away  bool
		given Strength
		want  bool
	}{
		{"too few are up", true, Strength{Known: true, Serves: true}, true},
		{"nothing serves", true, Strength{Known: true, Enough: true}, true},
		{"enough serve", true, Strength{Known: true, Enough: true, Serves: true}, false},
		{"it is not known", true, Strength{}, false},
		{"its addresses are here", false, Strength{Known: true}, false},
	} {
		s := State{Away: row.away, Lasting: Lasting{Strength: row.given}}
		testkit.Equal(t, s.IsAway(), row.want, row.what)
	}
}

func TestWhichServersAreWaitedFor(t *testing.T) {
	for _, row := range []struct {
		what  string
		given string
		want  bool
	}{
		{"its check is awaited", "", true},
		{"no server is back", "not back", false},
		{"its check is not awaited", "1 not awaited", false},
		{"its section was announced until the last reload", "1 noway", false},
		{"it has no weight", "1 weight=0", false},
		{"it has weight 1", "1 weight=1", true},
		{"it is held", "1 held", false},
		{"it is drained", "1 drained", false},
		{"it is in maintenance", "1 file", false},
		{"it is not checked", "1 unchecked", false},
		{"it has gone", "1 gone", false},
		{"another check of it is", "1 not awaited also=unknown more.awaited", true},
	} {
		c := inService(4, 4)
		c.given("back, away, strength.known, 1 awaited")
		c.given(row.given)
		testkit.Equal(t, c.HasGathered(), !row.want && c.Gathers(), row.what, "HasGathered")
	}
	c := inService(4)
	c.given("back, 1 awaited")
	if !c.HasGathered() {
		t.Error("a section that is not away waits for servers")
	}
}
