package judge

import (
	"testing"
	"time"
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
