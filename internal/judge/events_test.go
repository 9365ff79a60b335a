package judge

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

// Each event alone. Servers are at 1, 2 and so on. Unless a row differs, they pass and are in the table.

// factsOf are the facts of a server that events change.
func factsOf(s *Server) (text string) {
	for _, fact := range []struct {
		is   bool
		name string
	}{{s.Held, "held "}, {s.Kept, "kept "}, {s.Entered, "entered "}, {s.Turned, "turned "}} {
		if fact.is {
			text += fact.name
		}
	}
	return text
}

func TestAPassKeepsHowItFailedLast(t *testing.T) {
	c := inService(4)
	s := &c.Servers[0]
	c.Result(s, &s.First, false, WrongAnswer)
	c.Result(s, &s.First, true, NotReached)
	if s.First.Loss != WrongAnswer {
		t.Error("a pass changed the recorded loss of the last failure")
	}
}

func TestACheckThatOthersHadBefore(t *testing.T) {
	for _, ok := range []bool{true, false} {
		c := inService(4)
		s := &c.Servers[0]
		c.KeepServing.N, s.Kept = 1, true
		c.given("1 unknown")
		s.First.Learn(c.Rule, ok, WrongAnswer)
		c.Learned(s)
		want := map[bool]string{true: "kept entered ", false: "held entered "}[ok]
		if s.First.Loss != WrongAnswer || (s.Health() == health.Up) != ok || factsOf(s) != want {
			t.Errorf("passed %v: %v, %s", ok, s.Health(), factsOf(s))
		}
	}
	c := inService(4)
	c.given("keepserving=1, 1 down")
	if c.Learned(&c.Servers[0]); factsOf(&c.Servers[0]) != "" {
		t.Errorf("the server did not serve: %s", factsOf(&c.Servers[0]))
	}
}

func TestAServerOfTheTableIsAssumedToBeUp(t *testing.T) {
	s := Server{Member: &Member{}, More: make([]Check, 2)}
	s.Assume()
	if s.Health() != health.Up || factsOf(&s) != "entered " {
		t.Errorf("%v, %s", s.Health(), factsOf(&s))
	}
	s.AssumeAll(health.Assume(health.Down))
	for k, check := range s.Checks() {
		testkit.Equal(t, check.Health.State, health.Down, "check", k)
	}
}

func TestAnOrder(t *testing.T) {
	for _, row := range []struct {
		was, is OrderKind
		want    string
	}{
		{None, Drain, "held turned "},
		{None, Maint, "turned "},
		{None, Weigh, "held kept entered turned "},
		{Drain, None, "turned "},
		{Drain, Weigh, "turned "},
		{Drain, Drain, "held turned "},
		{Weigh, None, "held kept entered turned "},
	} {
		s := Server{Member: &Member{}, Order: Order{Kind: row.was}, Held: true, Kept: true, Entered: true}
		if s.Ordered(Order{Kind: row.is, Weight: 1}); factsOf(&s) != row.want || s.Order.Kind != row.is {
			t.Errorf("%v, then %v: %s", row.was, row.is, factsOf(&s))
		}
	}
}

func TestAFileOfMaintenance(t *testing.T) {
	for _, out := range []bool{true, false} {
		s := Server{Member: &Member{}, File: !out, Held: true, Kept: true, Entered: true}
		if s.Maintained(out); s.File != out || factsOf(&s) != "turned " {
			t.Errorf("out %v: %s", out, factsOf(&s))
		}
	}
}

func TestAChangeByHand(t *testing.T) {
	maintained := "1 file"
	found := "found=1"
	for _, row := range []struct {
		what        string
		given       string
		in, empties bool
		kept        bool
	}{
		{"it is kept", "", true, false, true},
		{"a removal", "", false, false, true},
		{"with repair", "repair", true, false, false},
		{"another daemon empties the section", "", false, true, false},
		{"in maintenance: it is put in", maintained, true, false, false},
		{"in maintenance: it is taken out", maintained, false, false, true},
		{"… and is to be quiescent", maintained + ", readd", false, false, false},
		{"found in the table, with repair", found + ", repair", true, false, true},
		{"at an address of no server", "1 at=7", true, false, true},
	} {
		for _, before := range []bool{false, true} {
			c := inService(4, 4)
			c.given(row.given)
			if before {
				c.byHand(1)
			}
			c.given("1 climbs, 2 climbs")
			if kept := c.Changed(at(1), row.in, row.empties); kept != row.kept ||
				c.ByHand[at(1)] != row.kept {
				t.Errorf("%s: kept %v", row.what, kept)
			}
			mine := c.At(at(1)) == &c.Servers[0]
			if ended := c.Servers[0].Memory == (Memory{}); ended != (row.kept && mine) ||
				c.Servers[1].Climbs != noon {
				t.Errorf("%s: what moved its weight ended: %v", row.what, ended)
			}
		}
	}
}

// tableOf is what is known of the table.
func tableOf(c *Case) string {
	return fmt.Sprintf("%d known %v by hand %d fallback %v", len(c.Have), c.Known, len(c.ByHand), c.FallbackIn)
}

func TestWhatIsForgottenOfTheTable(t *testing.T) {
	c := inService(4)
	c.given("found=5, leaver=6")
	if c.Left(); c.Found != nil || c.Departing != nil {
		t.Error("a standby still has leaving or found servers")
	}
	c.given("1 rerouted")
	if c.Vanished(); c.Have == nil || c.Servers[0].Rerouted {
		t.Error("after the virtual service vanished, its table is unknown or a server is still rerouted")
	}
}

// The kernel may have made a change though it reported an error. So the table as read decides whether a failing server
// may be held.
func TestAServerReadWithoutAWeightIsOut(t *testing.T) {
	for _, row := range []struct {
		what    string
		have    lvs.Dests
		entered bool
	}{
		{"it has a weight", lvs.Dests{{Addr: at(1), Weight: 1}}, true},
		{"it has weight 0", lvs.Dests{{Addr: at(1)}}, false},
		{"it is not there: it comes back with the virtual service", lvs.Dests{}, true},
	} {
		c := inService(4)
		c.given("1 entered, lost")
		if c.Read(row.have); c.Servers[0].Entered != row.entered {
			t.Errorf("%s: in service %t", row.what, c.Servers[0].Entered)
		}
	}
}

func TestWhatIsFoundInTheTable(t *testing.T) {
	for _, row := range []struct {
		what  string
		given string
		want  []netip.AddrPort
	}{
		{"all servers have an address", "waiting=", nil},
		{"an address of no server may be that of the one without", "", []netip.AddrPort{at(5)}},
		{"it was read before", "found=6",
			[]netip.AddrPort{at(6)}},
	} {
		c := inService(4, 4)
		c.given("waiting=1")
		c.Have = nil
		c.given(row.given)
		have := lvs.Dests{{Addr: at(1), Weight: 4}, {Addr: at(5), Weight: 2}}
		c.Read(have)
		got := slices.SortedFunc(maps.Keys(c.Found), netip.AddrPort.Compare)
		if !slices.Equal(got, row.want) || len(c.Have) != 2 {
			t.Errorf("%s: %v", row.what, got)
		}
	}
}

func TestWhatWasWritten(t *testing.T) {
	c := inService(4, 4)
	c.given("fallback=9")
	c.Departing = []Departure{{Addr: at(5)}, {Addr: at(6)}}
	c.given("1 turned, 2 turned not entered, 1 down, 2 down, not known, 1 kept, 2 kept")
	c.Wrote(lvs.Dests{{Addr: at(1)}, {Addr: at(2), Weight: 4}, {Addr: at(6)}, {Addr: at(9), Weight: 1}})
	if a, b := factsOf(&c.Servers[0]), factsOf(&c.Servers[1]); a != "" || b != "kept entered " {
		t.Errorf("of weight 0: %s, of weight 4: %s", a, b)
	}
	if len(c.Departing) != 1 || c.Departing[0].Addr != at(6) {
		t.Errorf("leavers: %v", c.Departing)
	}
	if !c.Known || !c.FallbackIn || !c.FallbackWanted {
		t.Errorf("%s", tableOf(&c))
	}
	c.Wrote(lvs.Dests{{Addr: at(9)}})
	if c.FallbackIn {
		t.Error("a fallback server of weight 0 serves")
	}
	c.given("1 unknown, 2 unknown")
	if c.Wrote(lvs.Dests{}); !c.FallbackWanted {
		t.Error("while no server has a result, the fallback server is not wanted any more")
	}
	c.given("1 at=9 up")
	if c.Wrote(lvs.Dests{{Addr: at(9), Weight: 1}}); c.FallbackIn || c.FallbackWanted {
		t.Error("the address of the fallback server is a server's that is up")
	}
}

func TestConnectionsCounted(t *testing.T) {
	for connections, want := range map[uint32]bool{0: false, 1: true, 7: true} {
		var s Server
		if s.Counted(connections); s.Connected != want {
			t.Errorf("%d connections: %v", connections, s.Connected)
		}
	}
}

func TestAServerLeaves(t *testing.T) {
	for _, row := range []struct {
		what  string
		given func(*Case) Departure
		left  time.Duration // 0: the server does not drain
	}{
		{"it drains for draintime", func(c *Case) Departure { return Departure{Addr: at(5)} }, time.Minute},
		{"… which it has begun", func(c *Case) Departure {
			return Departure{Addr: at(5), Until: noon.Add(time.Second)}
		},
			time.Second},
		{"… which was longer", func(c *Case) Departure {
			return Departure{Addr: at(5), Until: noon.Add(time.Hour)}
		},
			time.Minute},
		{"without draintime", func(c *Case) Departure { c.DrainTime = 0; return Departure{Addr: at(5)} }, 0},
		{"it is in the file", func(c *Case) Departure { return Departure{Addr: at(2)} }, 0},
	} {
		c := inService(4, 4)
		c.given("draintime=60, 5 byhand")
		c.SendOff(row.given(&c), noon)
		l := c.Departure(at(5))
		if (l != nil) != (row.left > 0) || l != nil && !l.Until.Equal(noon.Add(row.left)) {
			t.Errorf("%s: %v", row.what, l)
		}
		if c.ByHand[at(5)] == (row.left > 0) {
			t.Errorf("%s: by hand %v", row.what, c.ByHand)
		}
	}
	c := inService(4)
	c.given("draintime=60")
	for _, n := range []byte{7, 5, 6, 5} {
		c.SendOff(Departure{Addr: at(n)}, noon)
		c.DrainTime *= 2
	}
	for i, want := range []byte{5, 6, 7} {
		if len(c.Departing) != 3 || c.Departing[i].Addr != at(want) ||
			!c.Departing[0].Until.Equal(noon.Add(2*time.Minute)) {
			t.Fatalf("leavers: %v", c.Departing)
		}
	}
}

func TestALeaverIsLookedAt(t *testing.T) {
	for _, row := range []struct {
		what      string
		given     func(*Case, *Departure)
		idle      bool
		now       time.Time
		over      Ending
		idleAfter bool
	}{
		{"it has connections", func(c *Case, l *Departure) { l.Idle = true }, false, noon, Stays, false},
		{"it has none, for the first time", func(c *Case, l *Departure) {}, true, noon, Stays, true},
		{"it has none, again", func(c *Case, l *Departure) { l.Idle = true }, true, noon, Drained, true},
		{"it has none, and still serves", func(c *Case, l *Departure) { l.Idle = true; c.has(5, 1) }, true,
			noon, Stays, false},
		{"it has none, and is not in the table",
			func(c *Case, l *Departure) { l.Idle = true; c.Have.Remove(at(5)) }, true,
			noon, Stays, false},
		{"its time is over", func(c *Case, l *Departure) {}, false, noon.Add(time.Minute), Late, false},
		{"… and it has no connections", func(c *Case, l *Departure) { l.Idle = true }, true,
			noon.Add(time.Hour), Late, true},
		{"its time is almost over", func(c *Case, l *Departure) {}, false, noon.Add(time.Minute - 1), Stays,
			false},
	} {
		c := inService(4)
		c.given("5 table=0 byhand")
		l := &Departure{Addr: at(5), Until: noon.Add(time.Minute)}
		row.given(&c, l)
		goes := c.Looked(l, row.idle, row.now)
		if goes != (row.over != Stays) || l.Over != row.over || l.Idle != row.idleAfter ||
			c.ByHand[at(5)] == goes {
			t.Errorf("%s: goes %v, %+v, by hand %v", row.what, goes, l, c.ByHand)
		}
	}
}

func TestWhatAReloadKeeps(t *testing.T) {
	for _, row := range []struct {
		what  string
		given func(was, now *Case)
		want  string
	}{
		{"the same server", func(was, now *Case) {}, "held kept entered "},
		{"another address", func(was, now *Case) { now.Members[0].Dest.Addr = at(7) }, ""},
		{"not checked any more", func(was, now *Case) { now.Members[0].Unchecked = true }, ""},
		{"it did not serve", func(was, now *Case) { was.Servers[0].Order.Kind = Drain }, "held entered "},
		{"it was not in the table", func(was, now *Case) { was.Servers[0].Entered = false }, "held "},
	} {
		was, now := inService(4, 4), inService(4, 4)
		was.hold(0)
		was.Servers[0].Name, was.Servers[0].Since, was.Obeys, was.Back = Down, noon, true, noon
		was.FallbackIn, was.FallbackWanted, was.Strength.Up, was.Servers[0].Climbs = true, true, 7, noon
		now.Servers[0] = Server{Member: now.Members[0]}
		row.given(&was, &now)
		now.Carry(&was, true, func(i int) int { return [...]int{0, -1}[i] },
			func(int, int) *Check { return nil })
		if s := &now.Servers[0]; factsOf(s) != row.want || s.Name != Down || !s.Since.Equal(noon) {
			t.Errorf("%s: %s, %v since %v", row.what, factsOf(s), s.Name, s.Since)
		}
		testkit.Equal(t, now.Servers[0].Climbs.Equal(noon), row.want != "", row.what, "its weight moves on")
		if s := &now.Servers[1]; s.Name != Nameless || factsOf(s) != "entered " {
			t.Errorf("%s: a new server has %v, %s", row.what, s.Name, factsOf(s))
		}
		if !now.Obeys || !now.Back.Equal(noon) || !now.FallbackIn || !now.FallbackWanted ||
			now.Strength.Up != 7 {
			t.Errorf("%s: the section's state after the reload is %+v", row.what, now.State)
		}
	}
}

// A check that stays keeps its result, even if it moves to another line of checks. Its brake moves with it.
func TestAReloadKeepsChecks(t *testing.T) {
	for _, accused := range []time.Time{{}, noon} {
		was, now := inService(4), inService(4)
		was.Servers[0].First = Check{Health: health.Assume(health.Down), Loss: WrongAnswer,
			Way: &Way{Accused: accused}, Line: 1}
		was.Paths, now.Paths = []Path{{}, {Holds: true}}, make([]Path, 2)
		now.Servers[0].More = []Check{{Way: &Way{}, Loss: NoAnswer}}
		now.Carry(&was, true, func(int) int { return 0 }, func(i, k int) *Check {
			return []*Check{&was.Servers[0].First, nil}[k]
		})
		s := &now.Servers[0]
		if s.First.Loss != WrongAnswer || s.First.Line != 0 || s.More[0].Loss != NoAnswer {
			t.Errorf("%+v", s)
		}
		if now.Paths[0].Holds == accused.IsZero() || now.Paths[1].Holds {
			t.Errorf("accused since %v: %+v", accused, now.Paths)
		}
		if !s.First.Accused.Equal(accused) || s.First.Way == was.Servers[0].First.Way {
			t.Errorf("accused since %v: %+v is wrong or shared", accused, s.First.Way)
		}
	}
}

// A reload keeps the facts of a check's path only if both files have checkvip or announce.
func TestAReloadWithoutWays(t *testing.T) {
	for _, had := range []bool{true, false} {
		was, now := inService(4), inService(4)
		without := &was
		if had {
			without = &now
		}
		without.Servers[0].First.Way = nil
		was.Servers[0].First.Loss = NoAnswer
		now.Carry(&was, true, func(int) int { return 0 },
			func(int, int) *Check { return &was.Servers[0].First })
		if c := now.Servers[0].First; c.Loss != NoAnswer || (c.Way == nil) != had {
			t.Errorf("had ways %v: %+v", had, c)
		}
	}
}

// Without checkvip and announce a check has no Way: it records nothing of its path, and no brake applies.
func TestACheckWithoutAWay(t *testing.T) {
	c := inService(4)
	check := &c.Servers[0].First
	check.Way = nil
	check.Took(Passage{Began: noon, Own: true}, noon)
	if check.Answered(noon, noon); check.Way != nil || c.IsWithheld(check) || c.Obey(true) != nil || !c.Obeys {
		t.Errorf("%+v, obeys %v", check, c.Obeys)
	}
}

func TestAReloadKeepsWhatWasFound(t *testing.T) {
	found := map[netip.AddrPort]bool{at(1): true, at(5): true}
	for _, row := range []struct {
		what   string
		found  map[netip.AddrPort]bool
		waits  bool
		placed bool // this director set up the section
		want   map[netip.AddrPort]bool
	}{
		{"all servers have an address", found, false, true, nil},
		{"one has none, and one has got its own", found, true, false, map[netip.AddrPort]bool{at(5): true}},
		{"the table was not read yet", nil, true, false, nil},
		{"what this director placed has owners", nil, true, true, map[netip.AddrPort]bool{}},
	} {
		was, now := inService(4), inService(4)
		was.Found = row.found
		if row.waits {
			now.Waiting = []uint32{1}
		}
		now.Carry(&was, row.placed, func(int) int { return 0 }, func(int, int) *Check { return nil })
		if !maps.Equal(now.Found, row.want) || (now.Found == nil) != (row.want == nil) {
			t.Errorf("%s: %v", row.what, now.Found)
		}
	}
}

func TestAnAddressThatWasFoundKeepsTheTable(t *testing.T) {
	was, now := inService(4), inService(4)
	was.byHand(1)
	was.has(5, 1)
	now.Lost()
	was.Servers[0].Order.Kind, was.Servers[0].File, was.Servers[0].Turned = Drain, true, true
	now.CarryTable(&was.State, false)
	now.Servers[0].CarryOrders(&was.Servers[0])
	if s := &now.Servers[0]; !s.Drained() || !s.File || !s.Turned || tableOf(&now) != tableOf(&was) {
		t.Errorf("%+v, %s", s, tableOf(&now))
	}
}

// With repair, a change by hand at a found address is kept until it is known whether the address belongs to a server.
func TestAnAddressThatWasFoundIsRepaired(t *testing.T) {
	for _, row := range []struct {
		repair, found bool
		want          string
	}{{true, false, "false"}, {true, true, "true"}, {false, false, "true"}} {
		was, now := inService(4), inService(4)
		was.byHand(5)
		was.Found = map[netip.AddrPort]bool{at(5): true}
		now.Found = map[netip.AddrPort]bool{at(5): row.found}
		if now.CarryTable(&was.State, row.repair); fmt.Sprint(now.ByHand[at(5)]) != row.want {
			t.Errorf("%+v: by hand %v", row, now.ByHand)
		}
		if !was.ByHand[at(5)] {
			t.Errorf("%+v: the reload changed the old state", row)
		}
	}
}
