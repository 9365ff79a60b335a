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
		c.Servers = append(c.Servers, Server{Member: m, First: Check{Way: &Way{}, Health: health.Assume(health.Up)}})
	}
	c.Index()
	return c
}

// The table of a virtual service with servers 1 and 2 of weight 4, and a fallback server 9.
func TestWhatAVirtualServiceShouldHave(t *testing.T) {
	up, down, unknown := health.Up, health.Down, health.Unknown
	for _, c := range []struct {
		what       string
		one, two   health.State
		quiescent  bool
		drained    bool // server 1
		overridden []byte
		have, want map[byte]uint32
	}{
		{what: "both up", one: up, two: up, want: map[byte]uint32{1: 4, 2: 4}},
		{what: "one down", one: down, two: up, have: map[byte]uint32{1: 4, 2: 4}, want: map[byte]uint32{2: 4}},
		{what: "one down, quiescent", one: down, two: up, quiescent: true, have: map[byte]uint32{1: 4, 2: 4},
			want: map[byte]uint32{1: 0, 2: 4}},
		{what: "both down", one: down, two: down, want: map[byte]uint32{9: 1}},
		{what: "one unknown, one down", one: unknown, two: down, want: map[byte]uint32{}},
		{what: "… and the fallback server is in", one: unknown, two: down, have: map[byte]uint32{9: 1},
			want: map[byte]uint32{9: 1}},
		{what: "… with weight 0", one: unknown, two: down, have: map[byte]uint32{9: 0},
			want: map[byte]uint32{}},
		{what: "unknown ones stay as they are", one: unknown, two: unknown, have: map[byte]uint32{1: 7, 2: 0},
			want: map[byte]uint32{1: 4, 2: 0}},
		{what: "unknown ones are not added", one: unknown, two: up, want: map[byte]uint32{2: 4}},
		{what: "drained", one: up, two: up, drained: true, have: map[byte]uint32{1: 4, 2: 4},
			want: map[byte]uint32{1: 0, 2: 4}},
		{what: "drained before it is in", one: up, two: up, drained: true, want: map[byte]uint32{1: 0, 2: 4}},
		{what: "drained and unknown, not in", one: unknown, two: up, drained: true,
			want: map[byte]uint32{2: 4}},
		{what: "drained, the last one", one: up, two: down, drained: true, want: map[byte]uint32{1: 0, 9: 1}},
		{what: "the servers before serve on", one: unknown, two: unknown, have: map[byte]uint32{5: 3, 6: 0},
			want: map[byte]uint32{5: 3}},
		{what: "… until one is up", one: up, two: unknown, have: map[byte]uint32{5: 3},
			want: map[byte]uint32{1: 4}},
		{what: "… or none is unknown", one: down, two: down, have: map[byte]uint32{5: 3},
			want: map[byte]uint32{9: 1}},
		{what: "… or an unknown one serves", one: unknown, two: unknown, have: map[byte]uint32{1: 1, 5: 3},
			want: map[byte]uint32{1: 4}},
		{what: "an override", one: up, two: up, overridden: []byte{1}, have: map[byte]uint32{1: 0, 2: 4},
			want: map[byte]uint32{1: 0, 2: 4}},
		{what: "an override by removal", one: up, two: up, overridden: []byte{1}, have: map[byte]uint32{2: 4},
			want: map[byte]uint32{2: 4}},
	} {
		t.Run(c.what, func(t *testing.T) {
			decided := caseOf(lvs.DestsOf(destsOf(map[byte]uint32{1: 4, 2: 4}))...)
			decided.Quiescent = c.quiescent
			for i, state := range []health.State{c.one, c.two} {
				decided.Servers[i].AssumeAll(health.Assume(state))
			}
			if c.drained {
				decided.Servers[0].Order.Kind = Drain
			}
			decided.Fallbacks = []*Member{{Dest: lvs.DestsOf(destsOf(map[byte]uint32{9: 1}))[0], Unchecked: true}}
			for _, n := range c.overridden {
				decided.ByHand = map[netip.AddrPort]bool{lvs.DestsOf(destsOf(map[byte]uint32{n: 0}))[0].Addr: true}
			}
			decided.Have = lvs.DestsOf(destsOf(c.have))
			testkit.Same(t, weights(Decide(decided, time.Time{}).Places), c.want)
		})
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
