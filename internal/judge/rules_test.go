package judge

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

// Each rule alone. Unless a row differs, servers 1 and 2 of weight 4 pass and are in the table.

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// fallbackAt is a section's only fallback server.
func fallbackAt(n byte) []*Member {
	return []*Member{{Dest: lvs.Dest{Addr: at(n), Weight: 1}, Fallback: true, Unchecked: true}}
}

func at(n byte) netip.AddrPort { return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, 0, n}), 80) }

// inService is a section whose servers pass and are in the table with these weights, at 1, 2 and so on.
func inService(weights ...uint32) Case {
	var all []lvs.Dest
	for i, weight := range weights {
		all = append(all, lvs.Dest{Addr: at(byte(i + 1)), Weight: weight})
	}
	c := caseOf(all...)
	c.Have, c.Known = slices.Clone(all), true
	for i := range c.Servers {
		c.Servers[i].Entered = weights[i] > 0
	}
	return c
}

func (c *Case) says(i int, state health.State) { c.Servers[i].AssumeAll(health.Assume(state)) }

func (c *Case) has(n byte, weight uint32) { c.Have.Put(lvs.Dest{Addr: at(n), Weight: weight}) }

func (c *Case) byHand(n byte) { c.ByHand = map[netip.AddrPort]bool{at(n): true} }

// hearRule applies one rule, or several, to a case.
func hearRule(rules string, c Case) *proposal {
	c.State = c.cloneServers()
	h := &proposal{Case: c, now: noon, Decision: Decision{Places: dests{}}}
	for rule := range strings.SplitSeq(rules, ", ") {
		id := slices.IndexFunc(Rules, func(r Rule) bool { return r.Name == rule })
		h.by = RuleID(id + 1)
		Rules[id].step(h)
	}
	return h
}

// whys are the rules that decided the places of the servers.
func whys(s *State) (by []RuleID) {
	for i := range s.Servers {
		by = append(by, s.Servers[i].Why)
	}
	return by
}

// placed is what the table is to have: 1:4 is server 1 with weight 4.
func placed(p *proposal) string {
	var list []string
	for _, d := range lvs.DestsOf(p.Places) {
		text := fmt.Sprintf("%d:%d", d.Addr.Addr().As4()[3], d.Weight)
		if d.Forward == lvs.Route {
			text += " by gate"
		}
		list = append(list, text)
	}
	return strings.Join(list, ", ")
}

// numbers are the servers for which is reports true.
func numbers(p *proposal, is func(*Server) bool) string {
	var list []string
	for i := range p.Servers {
		if s := &p.Servers[i]; is(s) {
			list = append(list, fmt.Sprint(s.At+1))
		}
	}
	return strings.Join(list, ", ")
}

// word is a text if something is so.
func word(is bool, text string) string { return map[bool]string{true: text}[is] }

// views are what the rows of a rule show of it, where that is not the places.
var views = map[string]func(*proposal) string{
	"back together": func(h *proposal) string { return word(h.Gathers(), "waits") },
	"moved / given up": func(h *proposal) string {
		return numbers(h, func(s *Server) bool { return s.Gone })
	},
	"names": func(h *proposal) string {
		return numbers(h, func(s *Server) bool { return s.Since.Equal(noon) })
	},
	"obeyed":                  func(h *proposal) string { return word(h.Obeys, "obeys") },
	"guard, removals, leaves": heldOf,
	"released / let go":       func(h *proposal) string { return word(len(h.ByHand) > 0, "by hand") },
	"unknown": func(h *proposal) string {
		return strings.TrimSpace(placed(h) + word(h.unknown, " unknown"))
	},
	"up":    func(h *proposal) string { return placed(h) + word(h.up, " up") },
	"found": func(h *proposal) string { return placed(h) + word(h.up, " up") },
}

// heldOf are the servers that are held, each with how many serve and how many should.
func heldOf(h *proposal) string {
	text, serving := "", 0
	for s := range h.all() {
		serving += bit(h.Serves(s))
	}
	for _, i := range h.Held {
		text += fmt.Sprintf("%d %d/%d", i+1, serving, h.Quota())
	}
	return text + word(text == "" && h.Servers[0].Held, "1 kept")
}

func TestRules(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/judge/rules.txt", 4) {
		see := views[row[0]]
		if see == nil {
			see = placed
		}
		for rule := range strings.SplitSeq(row[0], " / ") {
			c := inService(4, 4)
			c.given(row[2])
			h := hearRule(rule, c)
			testkit.Equal(t, see(h), row[3], rule, row[1])
			testkit.Equal(t, h.over, false, rule, row[1], "the rules after it are not asked")
		}
	}
}

func TestTheFormerAddressDrains(t *testing.T) {
	for _, owner := range []string{"", ActiveDirector} {
		c := inService(4, 4)
		c.given("1 moved=2, draintime=60")
		c.Owner = owner
		h := hearRule("moved", c)
		testkit.Equal(t, h.Departure(at(1)) != nil, c.IsOurs(), "the table belongs to", owner, "it drains")
	}
}

// hold makes servers fail that are then held.
func (c *Case) hold(servers ...int) {
	for _, i := range servers {
		c.says(i, health.Down)
		c.Servers[i].Held = true
	}
}

// The guard holds one of seven failing servers. Two are removed each minute, the others wait for their turns.
func TestRuleRemovals(t *testing.T) {
	c := inService(4, 4, 4, 4, 4, 4, 4)
	c.given("keepserving=1, paceout=2/60, 1 2 3 4 5 6 7 down held")
	for i := range c.Servers {
		c.Servers[i].First.Loss = WrongAnswer
	}
	d := Decide(c, noon)
	turns := ""
	for i, s := range d.State.Servers {
		if !s.Until.IsZero() {
			turns += fmt.Sprintf(" %d in %v", i+1, s.Until.Sub(noon))
		}
	}
	if got := fmt.Sprint(whys(&d.State), d.Held,
		turns); got != "[down down removals removals removals removals guard] [2 3 4 5 6]"+
		" 3 in 1m0s 4 in 1m0s 5 in 2m0s 6 in 2m0s" || !d.Again.Equal(noon.Add(time.Minute)) {
		t.Errorf("rules, held servers and turns: %s, next decision at %v", got, d.Again)
	}
}

func TestAReleasedServerTurns(t *testing.T) {
	c := inService(4, 4)
	c.given("keepserving=1, 1 down held")
	h := hearRule("guard, removals, leaves", c)
	if s := h.Servers[0]; s.Held || s.Entered || !s.Turned {
		t.Errorf("held %v, entered %v, turned %v", s.Held, s.Entered, s.Turned)
	}
}

// A drained server that is held keeps the state drained. When the guard releases it, it is down.
func TestAReleasedServerGetsItsState(t *testing.T) {
	c := inService(4, 4)
	c.given("keepserving=2, obeys, 1 2 down held, 1 name=draining drained")
	if s := Decide(c, noon).State.Servers[0]; s.Name != Down || !s.Since.Equal(noon) {
		t.Errorf("%v since %v", s.Name, s.Since)
	}
}

// The guard counts a server that is back from a change by hand. A change by hand doesn't keep a server that the guard
// releases.
// A server that waits to change to gate, with weight 0, replaces a held one only where no other server serves.
func TestTheGuardCountsAServerOnItsWayToGate(t *testing.T) {
	for _, row := range []struct {
		what  string
		keeps int32
		given string
		held  bool
	}{
		{"it is the only one", 1, "3 down", false},
		{"as many are to serve", 2, "3 down", true},
		{"another serves", 2, "", true},
		{"it is about to leave for the change", 2, "2 table=4", true},
		{"others are left when it leaves", 1, "2 table=4", false},
		{"one of two is about to leave", 2, "2 table=4 rerouted, 3 table=4 rerouted", true},
		{"it fails", 1, "2 down, 3 down", true},
		{"its weight is 0", 1, "2 weight=0, 3 down", true},
	} {
		c := inService(4, 4, 4)
		c.hold(0)
		c.KeepServing.N, c.Servers[1].Rerouted = row.keeps, true
		c.given("2 table=0")
		c.given(row.given)
		if h := hearRule("guard, leaves", c); h.Servers[0].Held != row.held {
			t.Errorf("%s: held is %v", row.what, !row.held)
		}
	}
}

func TestTheGuardAndChangesByHand(t *testing.T) {
	for _, c := range []struct {
		what  string
		given string
		want  map[byte]uint32
	}{
		{"one by hand passes now: the other one goes", "1 down held, 2 table=0 byhand turned",
			map[byte]uint32{2: 4}},
		{"another weight by hand: it goes", "1 down held table=7 byhand",
			map[byte]uint32{2: 4}},
		{"one that changes to gate carries nothing any more: the other one goes",
			"1 down held, 2 table=0 gate rerouted not connected", map[byte]uint32{2: 4}},
	} {
		decided := inService(4, 4)
		decided.given("keepserving=1, " + c.given)
		testkit.Same(t, weights(Decide(decided, noon).Places), c.want, c.what)
	}
}

func TestRuleTogether(t *testing.T) {
	first := "announce, quiescent, empty, 2 pending, 1 not entered, 2 not entered"
	for _, row := range []struct {
		what  string
		given string
		last  bool
	}{
		{"one has no result", first, true},
		{"all have one", first + ", 2 not pending", false},
		{"the one without is back from before, and kept", first + ", 2 not pending kept unknown", true},
		{"something is in the table", first + ", 1 table=0", false},
		{"one served until the virtual service was removed by hand",
			first + ", 1 entered", false},
		{"its addresses are not announced", first + ", not announce", false},
		{"servers that fail are removed", first + ", not quiescent", false},
	} {
		c := inService(4, 4)
		c.given(row.given)
		if h := hearRule("together", c); h.over != row.last {
			t.Errorf("%s: servers wait for others: %v", row.what, h.over)
		}
	}
}

// Each server has the rule that decided its place, even if it is not in the table.
func TestAServerOutsideTheTableHasARule(t *testing.T) {
	for want, given := range map[string]string{
		"together": "announce, quiescent, empty, 1 pending not entered, 2 not entered",
		"drain":    "2 unknown drained absent",
		"off":      "2 unchecked",
		"hand":     "2 unchecked byhand",
	} {
		c := inService(4, 4)
		c.given(given)
		testkit.Equal(t, Decide(c, noon).State.Servers[1].Why.String(), want, "rule")
	}
}

func TestRuleDownIsTheReason(t *testing.T) {
	c := inService(4, 4)
	c.given("1 down")
	if h := hearRule("down", c); h.Servers[0].Why.String() != "down" || h.Servers[1].Why != 0 {
		t.Errorf("why: %v", whys(&h.Case.State))
	}
}

func TestAHeldServerIsTheGuardsWhileOthersWait(t *testing.T) {
	c := inService(4, 4)
	c.given("keepserving=2, 1 down held, back, away, strength.known")
	c.Servers[1].First.Way = &Way{Awaited: true}
	d := Decide(c, noon)
	testkit.Equal(t, fmt.Sprint(whys(&d.State)), "[guard unknown]")
}

func TestRuleFallback(t *testing.T) {
	sorry := lvs.Dest{Addr: at(9), Weight: 1}
	for _, row := range []struct {
		what    string
		given   func(*proposal)
		want    string
		unknown string // the places if a server's state is unknown
	}{
		{"no server is up", func(h *proposal) {}, "9:1", ""},
		{"one is", func(h *proposal) { h.up = true }, "", ""},
		{"there is none", func(h *proposal) { h.Fallbacks = nil }, "", ""},
		{"servers are not checked", func(h *proposal) { h.NoFallback = true }, "", ""},
		{"it is in the table", func(h *proposal) { h.Have.Put(sorry) }, "9:1", "9:1"},
		{"it is in the table with weight 0", func(h *proposal) { h.Have.Put(lvs.Dest{Addr: at(9)}) }, "9:1",
			""},
		{"it was in before", func(h *proposal) { h.FallbackIn = true }, "9:1", "9:1"},
	} {
		for unknown, want := range map[bool]string{false: row.want, true: row.unknown} {
			c := inService(4, 4)
			section := *c.Section
			section.Fallbacks = []*Member{{Dest: sorry, Unchecked: true}}
			h := &proposal{Case: Case{&section, c.State}, Decision: Decision{Places: dests{}},
				unknown: unknown}
			row.given(h)
			if fallback(h); placed(h) != want {
				t.Errorf("%s, a server is unknown: %v: %q, want %q", row.what, unknown, placed(h), want)
			}
		}
	}
}

// placing makes places those of a text: "3:1, 1:4 by gate, 2:-" has one more, one by gate, and one less.
func (h *proposal) placing(text string) {
	for place := range strings.SplitSeq(text, ", ") {
		words := strings.Fields(strings.Replace(place, ":", " ", 1))
		if len(words) < 2 {
			continue
		}
		d := lvs.Dest{Addr: at(byte(number(words[0])))}
		if delete(h.Places, d.Addr); words[1] == "-" {
			continue
		}
		if d.Weight = uint32(number(words[1])); len(words) > 2 {
			d.Forward = lvs.Route
		}
		h.Places[d.Addr] = d
	}
}

func TestRuleReplaced(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/judge/replaced.txt", 4) {
		c := inService(4, 4)
		c.given("empty, 5 table=3")
		c.given(row[1])
		h := &proposal{Case: c, Decision: Decision{Places: dests{}}, unknown: row[2] != "known"}
		h.placing(row[2])
		replaced(h)
		testkit.Equal(t, placed(h), row[3], row[0])
	}
}

func TestRuleHand(t *testing.T) {
	for _, row := range []struct {
		what, want, by string
		given          string
	}{
		{"nothing is changed", "1:4", "", ""},
		{"another weight", "1:7", "hand", "1 byhand table=7"},
		{"weight 0", "1:0", "hand", "1 byhand table=0"},
		{"removed", "", "hand", "1 byhand absent"},
		{"of no server", "1:4, 5:3", "", "5 byhand table=3"},
	} {
		c := inService(4, 4)
		c.given(row.given)
		id := slices.IndexFunc(Rules, func(r Rule) bool { return r.Name == "hand" })
		h := &proposal{Case: c, by: RuleID(id + 1)}
		h.Places = dests{at(1): {Addr: at(1), Weight: 4}}
		byHand(h)
		if by := h.Servers[0].Why.String(); placed(h) != row.want || by != row.by {
			t.Errorf("%s: %q by %s, want %q by %s", row.what, placed(h), by, row.want, row.by)
		}
	}
}

// A section may reroute only if a server is to have gate and has another forwarding method in the table.
func TestWhichSectionsMayReroute(t *testing.T) {
	for _, row := range []struct {
		wanted, has lvs.Forward
		want        bool
	}{{lvs.Route, lvs.Masq, true}, {lvs.Route, lvs.Route, false}, {lvs.Masq, lvs.Masq, false},
		{lvs.Masq, lvs.Route, false}} {
		c := inService(4, 4)
		c.Members[0].Dest.Forward, c.Members[1].Dest.Forward = lvs.Masq, row.wanted
		c.Have = lvs.Dests{{Addr: at(1), Forward: lvs.Route}, {Addr: at(2), Forward: row.has}}
		testkit.Equal(t, c.MayReroute(c.Have), row.want, row)
	}
	c := inService(4)
	c.given("1 rerouted")
	if d := Decide(c, noon); d.State.Servers[0].Rerouted {
		t.Error("a server is rerouted where none may be")
	}
}

func TestRuleRerouted(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/judge/rerouted.txt", 4) {
		c := inService(4, 4)
		h := &proposal{Case: c, Decision: Decision{Places: dests{}}}
		h.given("1 2 gate")
		h.given(row[1])
		h.placing("1:4 by gate, 2:4 by gate, " + row[2])
		rerouted(h)
		testkit.Equal(t, placed(h), row[3], row[0])
	}
}

// A place has the name of the rule that decided it.
func TestEachPlaceHasARule(t *testing.T) {
	c := inService(4, 4)
	c.given("quiescent, fallback=9, 1 down, 2 down")
	d := Decide(c, noon)
	if a, b := d.State.Servers[0].Why.String(), d.Others[at(9)].String(); a != "down" || b != "fallback" {
		t.Errorf("server: %s, fallback server: %s", a, b)
	}
}
