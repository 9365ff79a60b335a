package judge

import (
	"net/netip"
	"testing"

	"ldirectord/internal/testkit"
)

func TestChecksOfAServer(t *testing.T) {
	s := Server{First: Check{Line: 10}, More: []Check{{Line: 11}, {Line: 12}}}
	var lines []uint8
	for k, check := range s.Checks() {
		if check != s.Check(k) {
			t.Errorf("check %d of the iteration differs from Check(%[1]d)", k)
		}
		lines = append(lines, check.Line)
	}
	testkit.Same(t, lines, []uint8{10, 11, 12}, "the lines of the checks")
	for k := range s.Checks() {
		if k == 1 {
			break
		}
	}
}

func TestACopySharesNothing(t *testing.T) {
	c := inService(1)
	c.Servers[0].More = []Check{{Way: &Way{}}, {}}
	c.Departing, c.Paths, c.Found = make([]Departure, 1), make([]Path, 1), map[netip.AddrPort]bool{at(5): true}
	c.byHand(1)
	other := c.Clone()
	other.Servers[0].Held, other.Servers[0].More[0].Pending, other.Have[0].Weight = true, true, 9
	other.Departing[0].Idle, other.Paths[0].Due = true, true
	other.Servers[0].First.Awaited, other.Servers[0].More[0].Tells = true, true
	clear(other.ByHand)
	clear(other.Found)
	if s := c.Servers[0]; s.First.Awaited || s.More[0].Tells {
		t.Errorf("the ways of checks are shared: %+v %+v", s.First.Way, s.More[0].Way)
	}
	if s := c.Servers[0]; s.Held || s.More[0].Pending || c.Have[0].Weight != 1 || c.Departing[0].Idle ||
		c.Paths[0].Due ||
		len(c.ByHand) != 1 || len(c.Found) != 1 {
		t.Errorf("a change of the copy changed the original: %+v", c.State)
	}
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
