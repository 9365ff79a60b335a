package judge

import (
	"fmt"
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
		what, given string
		addr        byte
		until, left time.Duration // left 0: the server does not drain
	}{
		{"it drains for draintime", "", 5, 0, time.Minute},
		{"… which it has begun", "", 5, time.Second, time.Second},
		{"… which was longer", "", 5, time.Hour, time.Minute},
		{"without draintime", "draintime=0", 5, 0, 0},
		{"it is in the file", "", 2, 0, 0},
	} {
		c := sectionWith("draintime=60, 5 byhand, " + row.given)
		l := Departure{Addr: at(row.addr)}
		if row.until > 0 {
			l.Until = noon.Add(row.until)
		}
		c.SendOff(l, noon)
		now := c.Departure(at(5))
		if (now != nil) != (row.left > 0) || now != nil && !now.Until.Equal(noon.Add(row.left)) ||
			c.ByHand[at(5)] == (row.left > 0) {
			t.Errorf("%s: %v, by hand %v", row.what, now, c.ByHand)
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
	for _, row := range []struct{ what, was, now, want string }{
		{"the same server", "", "", "held kept entered"},
		{"another address", "", "1 at=7", ""},
		{"not checked any more", "", "1 unchecked", ""},
		{"it did not serve", "1 drained", "", "held entered"},
		{"it was not in the table", "1 not entered", "", "held"},
	} {
		was := sectionWith("1 down held name=down since climbs, obeys, back, fallbackin, fallbackwanted, " +
			"strength.up=7, " + row.was)
		now := sectionWith(row.now)
		now.Servers[0] = Server{Member: now.Members[0]}
		now.Carry(&was, true, func(i int) int { return [...]int{0, -1}[i] },
			func(int, int) *Check { return nil })
		s := &now.Servers[0]
		if factsOf(s) != row.want || s.Name != Down || !s.Since.Equal(noon) ||
			s.Climbs.Equal(noon) != (row.want != "") {
			t.Errorf("%s: %s, %v since %v, climbs %v", row.what, factsOf(s), s.Name, s.Since, s.Climbs)
		}
		if s := &now.Servers[1]; s.Name != Nameless || factsOf(s) != "entered" {
			t.Errorf("%s: a new server has %v, %s", row.what, s.Name, factsOf(s))
		}
		testkit.Equal(t, now.Lasting, was.Lasting, row.what, "of the section")
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
	for _, row := range []struct {
		what, was, now string
		placed         bool // this director set up the section
		want           string
	}{
		{"all servers have an address", "found=1/5", "", true, "nothing"},
		{"one has none, and one has got its own", "found=1/5", "waiting=1", false, "5"},
		{"the table was not read yet", "", "waiting=1", false, "nothing"},
		{"what this director placed has owners", "", "waiting=1", true, ""},
	} {
		was, now := sectionWith("servers=4, "+row.was), sectionWith("servers=4, "+row.now)
		now.Carry(&was, row.placed, func(int) int { return 0 }, func(int, int) *Check { return nil })
		found := addresses(func(a netip.AddrPort) bool { return now.Found[a] })
		testkit.Equal(t, found+word(now.Found == nil, "nothing"), row.want, row.what)
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
