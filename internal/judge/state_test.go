package judge

import (
	"testing"

	"ldirectord/internal/testkit"
)

func TestACopySharesNothing(t *testing.T) {
	full := func() Case {
		return sectionWith("servers=4, checkedfallbacks=8, 1 also=up, leaver=5, paths=1, found=5, 1 byhand")
	}
	c := full()
	other := c.Clone()
	for i := range 2 {
		for _, check := range other.entry(i).Checks() {
			if check.Way != nil {
				*check.Way = Way{Awaited: true, Tells: true}
			}
			*check = Check{}
		}
		*other.entry(i) = Server{}
	}
	clear(other.Have)
	clear(other.Departing)
	clear(other.ByHand)
	clear(other.Found)
	other.Paths[0].Due = true
	testkit.Same(t, c.State, full().State)
}

func TestADecisionChangesNothingButItsOwn(t *testing.T) {
	c := sectionWith("keepserving=1, 1 down held")
	first := &c.Servers[0]
	d := Decide(c, noon)
	if !first.Held || d.State.Servers[0].Held {
		t.Errorf("held before the decision: %v, after it: %v", first.Held, d.State.Servers[0].Held)
	}
	if c.Adopt(d.State); first != &c.Servers[0] || first.Held {
		t.Error("adopting a decision replaced the servers, or did not update them")
	}
}
