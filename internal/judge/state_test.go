package judge

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"ldirectord/internal/health"
	"ldirectord/internal/lvs"
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

func TestWhatAllChecksSayTogether(t *testing.T) {
	u, d, n := health.Up, health.Down, health.Unknown
	for _, row := range []struct {
		checks []health.State
		want   health.State
	}{
		{[]health.State{u}, u}, {[]health.State{d}, d}, {[]health.State{n}, n},
		{[]health.State{u, u}, u}, {[]health.State{u, d}, d}, {[]health.State{d, u}, d},
		{[]health.State{u, n}, n},
		{[]health.State{n, u}, n}, {[]health.State{n, d}, d}, {[]health.State{d, n}, d},
		{[]health.State{n, u, d}, d},
		{[]health.State{u, n, u}, n},
	} {
		s := Server{More: make([]Check, len(row.checks)-1)}
		for k, state := range row.checks {
			s.Check(k).Health = health.Assume(state)
		}
		testkit.Equal(t, s.Health(), row.want, row.checks)
	}
}

func TestStatesOfAServer(t *testing.T) {
	for _, row := range []struct {
		what   string
		given  func(*Server)
		checks health.State
		name   string
		state  health.State
		facts  string // IsUp, IsDraining, works
	}{
		{"up", func(s *Server) {}, health.Up, "up", health.Up, "true false true"},
		{"down", func(s *Server) {}, health.Down, "down", health.Down, "false false false"},
		{"unknown", func(s *Server) {}, health.Unknown, "unknown", health.Unknown, "false false true"},
		{"held", func(s *Server) { s.Held = true }, health.Down, "down", health.Up, "true false true"},
		{"drained", func(s *Server) { s.Order.Kind = Drain }, health.Up, "drained", health.Up,
			"false true true"},
		{"drained and down", func(s *Server) { s.Order.Kind = Drain }, health.Down, "down", health.Down,
			"false false false"},
		{"drained and unknown", func(s *Server) { s.Order.Kind = Drain }, health.Unknown, "drained",
			health.Unknown,
			"false true true"},
		{"in maintenance by a file", func(s *Server) { s.File = true }, health.Up, "maintenance", health.Down,
			"false false true"},
		{"in maintenance by order", func(s *Server) { s.Order.Kind = Maint }, health.Up, "maintenance",
			health.Down,
			"false false true"},
		{"not checked", func(s *Server) { s.Unchecked = true }, health.Unknown, "off", off,
			"false false false"},
	} {
		s := Server{Member: &Member{}}
		s.AssumeAll(health.Assume(row.checks))
		row.given(&s)
		facts := fmt.Sprint(s.IsUp(), s.IsDraining(), s.works())
		if s.StateName().String() != row.name || s.State() != row.state || facts != row.facts {
			t.Errorf("%s: %v, %d, %s", row.what, s.StateName(), s.State(), facts)
		}
	}
}

func TestWeightOfAServer(t *testing.T) {
	for kind, want := range map[OrderKind]uint32{None: 4, Drain: 4, Maint: 4, Weigh: 2} {
		s := Server{Member: &Member{Dest: lvs.Dest{Weight: 4}}, Order: Order{kind, 2}}
		testkit.Equal(t, s.Weight(), want, "order", kind, "weight")
	}
}

func TestWhichServersAreAwaited(t *testing.T) {
	for _, row := range []struct {
		what  string
		given func(*Server)
		want  bool
	}{
		{"each check has a result", func(s *Server) {}, false},
		{"the second has none", func(s *Server) { s.More[0].Pending = true }, true},
		{"kept over a reload", func(s *Server) { s.Kept = true }, false},
		{"kept, without a result", func(s *Server) { s.Kept, s.More[0].Health = true, health.Health{} }, true},
		{"without a result, not kept", func(s *Server) { s.More[0].Health = health.Health{} }, false},
	} {
		s := Server{Member: &Member{}, More: make([]Check, 1)}
		s.AssumeAll(health.Assume(health.Up))
		if row.given(&s); s.isAwaited() != row.want {
			t.Errorf("%s: %v", row.what, s.isAwaited())
		}
	}
}

// The loss of a server is the least one of its checks that fail.
func TestLossOfAServer(t *testing.T) {
	down := health.Assume(health.Down)
	s := Server{First: Check{Health: down, Loss: NoAnswer},
		More: []Check{{Health: down, Loss: WrongAnswer}, {Loss: NotReached}}}
	if got := lossOf(&s); got != NoAnswer {
		t.Errorf("the loss is %d, want NoAnswer", got)
	}
}

func TestWhichServerIsRemovedFirst(t *testing.T) {
	of := func(l Loss, days int) *Server {
		s := &Server{First: Check{Health: health.Assume(health.Down), Loss: l}}
		s.Since = noon.AddDate(0, 0, days)
		return s
	}
	all := []*Server{of(WrongAnswer, 0), of(NoAnswer, 2), of(NotReached, 9), of(NoAnswer, 1)}
	sorted := slices.SortedStableFunc(slices.Values(all), less)
	if want := []*Server{all[2], all[3], all[1], all[0]}; !slices.Equal(sorted, want) {
		t.Errorf("%v", sorted)
	}
}

func TestMembersAtAnAddress(t *testing.T) {
	c := inService(1, 1, 1, 1)
	for i, n := range []byte{7, 3, 7, 5} {
		c.Members[i].Dest.Addr = at(n)
	}
	c.Index()
	for n, want := range map[byte][]int32{3: {1}, 5: {3}, 7: {0, 2}, 4: {}, 9: {}} {
		testkit.Same(t, c.AllAt(at(n)), want, "at", n)
	}
	c.given("1 down")
	if s := c.At(at(7)); s != &c.Servers[2] {
		t.Error("with several members at an address, the one that is up is not found")
	}
	c.given("3 unknown")
	if s := c.At(at(7)); s != &c.Servers[0] {
		t.Error("with none up, the first member at the address is not found")
	}
	c.given("1 gone")
	if s := c.At(at(7)); s != &c.Servers[2] {
		t.Error("a member is found that is gone")
	}
	if c.At(at(4)) != nil {
		t.Error("a member is found at an address without one")
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
	c := inService(4, 4)
	c.given("keepserving=1, 1 down held")
	first := &c.Servers[0]
	d := Decide(c, noon)
	if !first.Held || d.State.Servers[0].Held {
		t.Errorf("held before the decision: %v, after it: %v", first.Held, d.State.Servers[0].Held)
	}
	if c.Adopt(d.State); first != &c.Servers[0] || first.Held {
		t.Error("adopting a decision replaced the servers, or did not update them")
	}
}

// While the table is unknown no places are decided, but which servers are held is.
func TestWithoutATableNothingIsPlaced(t *testing.T) {
	c := inService(4, 4)
	c.given("keepserving=1, 1 down held, lost")
	if d := Decide(c, noon); d.Places != nil || d.State.Servers[0].Held || d.State.Servers[1].Name != Up {
		t.Errorf("with an unknown table the decision is %+v", d)
	}
	c.given("empty")
	if d := Decide(c, noon); len(d.Places) != 1 {
		t.Errorf("with an empty, known table the places are %v", d.Places)
	}
}

func TestWeightInTheTable(t *testing.T) {
	c := inService(4)
	for n, want := range map[byte]string{1: "4 true", 2: "0 false"} {
		testkit.Equal(t, fmt.Sprint(c.WeightAt(at(n))), want, "at", n)
	}
	c.Known = false
	testkit.Equal(t, fmt.Sprint(c.WeightAt(at(1))), "0 false", "not known")
}

func TestWhichAddressesAreNobodys(t *testing.T) {
	c := inService(4)
	c.Fallbacks, c.Departing = fallbackAt(9), []Departure{{Addr: at(5)}, {Addr: at(7)}}
	for n, want := range map[byte]bool{1: false, 5: false, 6: true, 7: false, 8: true, 9: false} {
		testkit.Equal(t, c.IsNobodys(at(n)), want, "address", n, "belongs to nothing")
	}
	testkit.Equal(t, c.Departure(at(7)), &c.Departing[1], "the leaver at address 7")
}

// facts are what the rows of facts.txt show, and what is given before.
var facts = map[string]struct {
	given string
	see   func(*Case) string
}{
	"serves": {"", func(c *Case) string { return word(c.Serves(&c.Servers[0]), "serves") }},
	"available": {"fallback=9", func(c *Case) string {
		return fmt.Sprint(c.Available()) + ", " + fmt.Sprint(c.fallbackWanted())
	}},
	"known":  {"1 byhand, fallbackin", tableOf},
	"passes": {"", func(c *Case) string { return c.resulting(true) }},
	"fails":  {"", func(c *Case) string { return c.resulting(false) }},
}

// resulting is what a result of server 1 changes.
func (c *Case) resulting(ok bool) string {
	s := &c.Servers[0]
	turned := c.Result(s, &s.First, ok, NoAnswer)
	return strings.TrimSpace(word(turned, "turns: ") + factsOf(s))
}

func TestFacts(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/judge/facts.txt", 4) {
		of, c := facts[row[0]], inService(4, 4)
		for _, given := range []string{of.given, row[2]} {
			if given != "" {
				c.given(given)
			}
		}
		testkit.Equal(t, of.see(&c), row[3], row[0], row[1])
	}
}

func TestQuota(t *testing.T) {
	c := inService(4, 4, 0)
	c.given("waiting=9/0")
	for share, want := range map[lvs.Share]int{{}: 0, {N: 2}: 2, {N: 100, Percent: true}: 3} {
		if c.KeepServing = share; c.Quota() != want {
			t.Errorf("%v: %d", share, c.Quota())
		}
	}
	c.given("keepserving=100%")
	for i, to := range []int32{1, 0} {
		c.Members[i].MovedTo = to
		testkit.Equal(t, c.Quota(), 2, "a server that moved to", to, "counts")
		c.Members[i].MovedTo = -1
	}
	c.given("1 moved=2")
	if c.Servers[1].Gone = true; c.Quota() != 1 {
		t.Errorf("a server that has gone counts: %d", c.Quota())
	}
}

func TestAServerThatMovedAwayWouldServe(t *testing.T) {
	for _, row := range []struct {
		what  string
		given string
		want  bool
	}{
		{"up, in the table", "", true},
		{"up, not in the table", "empty", true},
		{"down", "1 down", false},
		{"without a result, in the table", "1 unknown", true},
		{"without a result, not in the table", "1 unknown, empty", false},
		{"no server", "1 at=7", false},
	} {
		c := inService(4)
		if c.given(row.given); c.WouldServe(at(1)) != row.want {
			t.Errorf("%s: %v", row.what, !row.want)
		}
	}
}
