package judge

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

type dests = map[netip.AddrPort]lvs.Dest

// weights writes destinations as their last number and weight.
func weights(d dests) map[byte]uint32 {
	list := map[byte]uint32{}
	for addr, dest := range d {
		list[addr.Addr().As4()[3]] = dest.Weight
	}
	return list
}

func destsOf(list map[byte]uint32) dests {
	d := dests{}
	for n, weight := range list {
		addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, 0, n}), 80)
		d[addr] = lvs.Dest{Addr: addr, Weight: weight}
	}
	return d
}

// caseOf is a section of these destinations, all of which are up.
func caseOf(dests ...lvs.Dest) Case {
	c := Case{Section: &Section{Rule: health.Rule{Fall: 1, Rise: 1}}}
	for _, d := range dests {
		m := &Member{At: int32(len(c.Members)), Dest: d, MovedTo: -1}
		c.Members = append(c.Members, m)
		c.Servers = append(c.Servers, Server{Member: m,
			First: Check{Way: &Way{}, Health: health.Assume(health.Up)}})
	}
	c.Index()
	return c
}

// The table of a virtual service with servers 1 and 2 of weight 4, and a fallback server 9.
func TestWhatAVirtualServiceShouldHave(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/judge/section.txt", 3) {
		c := caseOf(lvs.Dest{Addr: at(1), Weight: 4}, lvs.Dest{Addr: at(2), Weight: 4})
		c.Fallbacks = []*Member{{Dest: lvs.Dest{Addr: at(9), Weight: 1}, Unchecked: true}}
		c.Have = lvs.Dests{}
		c.given(row[1])
		testkit.Equal(t, placed(&proposal{Decision: Decision{Places: Decide(c, time.Time{}).Places}}), row[2],
			row[0])
	}
}

// slowStart is the time in which a rule of this test raises the weight of a server that comes up. A server with a
// larger weight in the table keeps that one.
const slowStart = 8 * time.Second

func slowly(p *proposal) {
	for s := range p.all() {
		age, full := p.now.Sub(s.Since), s.Weight()
		had, _ := p.WeightAt(s.Dest.Addr)
		weight := max(1, had, uint32(time.Duration(full)*age/slowStart))
		if !s.IsUp() || weight >= full {
			continue
		}
		s.Why = p.by
		p.member(s, weight)
		p.askAgain(s.Since.Add(time.Duration(weight+1) * slowStart / time.Duration(full)))
	}
}

// A decision names the earliest time at which a rule would change it though the facts stay the same. The time is never
// in the past.
func TestARuleThatMovesWithTime(t *testing.T) {
	all := Rules
	defer func() { Rules = all }()
	after := 1 + slices.IndexFunc(Rules, func(r Rule) bool { return r.Name == "up" })
	Rules = slices.Insert(slices.Clone(Rules), after, Rule{Name: "slow start", places: true, step: slowly})

	c := inService(4, 4)
	c.given("1 table=0, 2 table=0")
	decide := func(now time.Time) (said string) {
		d := Decide(c, now)
		c.Adopt(d.State)
		c.Wrote(lvs.DestsOf(d.Places))
		said = fmt.Sprint(weights(d.Places), " by ", d.State.Servers[0].Why, ", again ")
		if d.Again.IsZero() {
			return said + "never"
		}
		return said + d.Again.Sub(noon).String()
	}
	c.given("1 name=up since, 2 name=up since=1s")
	for _, row := range []struct {
		at   time.Duration
		want string
	}{
		{0, "map[1:1 2:1] by slow start, again 4s"},
		{3999 * time.Millisecond, "map[1:1 2:1] by slow start, again 4s"},
		{4 * time.Second, "map[1:2 2:1] by slow start, again 5s"},
		{5 * time.Second, "map[1:2 2:2] by slow start, again 6s"},
		{8 * time.Second, "map[1:4 2:3] by up, again 9s"},
		{8 * time.Second, "map[1:4 2:3] by up, again 9s"},
		{9 * time.Second, "map[1:4 2:4] by up, again never"},
		{10 * time.Second, "map[1:4 2:4] by up, again never"},
	} {
		testkit.Equal(t, decide(noon.Add(row.at)), row.want, "after", row.at)
	}
	h := &proposal{now: noon}
	for _, at := range []time.Duration{-1, 0, 5, 3, 4} {
		h.askAgain(noon.Add(at * time.Second))
	}
	if h.Again != noon.Add(3*time.Second) {
		t.Errorf("the next decision is due at %v, want the earliest time after noon", h.Again)
	}
}
