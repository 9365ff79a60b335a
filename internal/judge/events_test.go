package judge

import (
	"fmt"
	"maps"
	"net/netip"
	"testing"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

// Each event alone. Servers are at 1, 2 and so on. Unless a row differs, they pass and are in the table.

func TestAServerOfTheTableIsAssumedToBeUp(t *testing.T) {
	s := Server{Member: &Member{}, More: make([]Check, 2)}
	s.Assume()
	if s.Health() != health.Up || factsOf(&s) != "entered" {
		t.Errorf("%v, %s", s.Health(), factsOf(&s))
	}
	s.AssumeAll(health.Assume(health.Down))
	for k, check := range s.Checks() {
		testkit.Equal(t, check.Health.State, health.Down, "check", k)
	}
}

func TestWhatWasWritten(t *testing.T) {
	c := sectionWith("fallback=9")
	c.Departing = []Departure{{Addr: at(5)}, {Addr: at(6)}}
	c.given("1 turned, 2 turned not entered, 1 down, 2 down, not known, 1 kept, 2 kept")
	c.Wrote(lvs.Dests{{Addr: at(1)}, {Addr: at(2), Weight: 4}, {Addr: at(6)}, {Addr: at(9), Weight: 1}})
	if a, b := factsOf(&c.Servers[0]), factsOf(&c.Servers[1]); a != "" || b != "kept entered" {
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
		c := sectionWith("draintime=60, 5 byhand")
		c.SendOff(row.given(&c), noon)
		l := c.Departure(at(5))
		if (l != nil) != (row.left > 0) || l != nil && !l.Until.Equal(noon.Add(row.left)) {
			t.Errorf("%s: %v", row.what, l)
		}
		if c.ByHand[at(5)] == (row.left > 0) {
			t.Errorf("%s: by hand %v", row.what, c.ByHand)
		}
	}
	c := sectionWith("servers=4, draintime=60")
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

func TestWhatAReloadKeeps(t *testing.T) {
	for _, row := range []struct {
		what  string
		given func(was, now *Case)
		want  string
	}{
		{"the same server", func(was, now *Case) {}, "held kept entered"},
		{"another address", func(was, now *Case) { now.Members[0].Dest.Addr = at(7) }, ""},
		{"not checked any more", func(was, now *Case) { now.Members[0].Unchecked = true }, ""},
		{"it did not serve", func(was, now *Case) { was.Servers[0].Order.Kind = Drain }, "held entered"},
		{"it was not in the table", func(was, now *Case) { was.Servers[0].Entered = false }, "held"},
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
		if s := &now.Servers[1]; s.Name != Nameless || factsOf(s) != "entered" {
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
