package judge

import (
	"fmt"
	"maps"
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

type ruleRow struct {
	what  string
	given string
	want  string
}

func testRule(t *testing.T, rule string, rows []ruleRow, got func(*proposal) string) {
	t.Helper()
	for _, row := range rows {
		c := inService(4, 4)
		c.given(row.given)
		h := hearRule(rule, c)
		if got := got(h); got != row.want {
			t.Errorf("%s: %q, want %q", row.what, got, row.want)
		}
		if h.over && rule != "together" {
			t.Errorf("%s: the rules after it are not asked", row.what)
		}
	}
}

func TestRuleBackTogether(t *testing.T) {
	testRule(t, "back together", []ruleRow{
		{"no server is back", "", "no"},
		{"each that is back has passed", "back, away, strength.known", "no"},
		{"one has not", "back, away, strength.known, 2 awaited", "yes"},
		{"its addresses are not away", "back, 2 awaited", "no"},
	}, func(h *proposal) string { return map[bool]string{true: "yes", false: "no"}[h.Gathers()] })
}

const movedAway = "1 moved=2"

func TestRuleMoved(t *testing.T) {
	for _, rule := range []string{"moved", "given up"} {
		testRule(t, rule, []ruleRow{
			{"both are of the file", "", ""},
			{"the new one is up", movedAway, "1"},
			{"the new one is the first", "2 moved=1", "2"},
			{"the new one has no result", movedAway + ", 2 unknown", ""},
			{"the new one fails", movedAway + ", 2 down", ""},
			{"… and so does the former", movedAway + ", 1 down, 2 down",
				"1"},
			{"… which is held", movedAway + ", 1 down, 2 down, 1 held", ""},
			{"both in maintenance, the new one passes",
				movedAway + ", 1 file, 2 file", "1"},
			{"both in maintenance, the new one fails", movedAway + ", 1 file, 2 file down", ""},
			{"the new one alone in maintenance", movedAway + ", 2 file", ""},
			{"the new one is drained by order", movedAway + ", 2 drained", "1"},
			{"the new one tells drain", movedAway + ", 2 says=drain", ""},
		}, func(h *proposal) string { return numbers(h, func(s *Server) bool { return s.Gone }) })
	}
}

func TestTheFormerAddressDrains(t *testing.T) {
	for _, owner := range []string{"", ActiveDirector} {
		c := inService(4, 4)
		c.given(movedAway + ", draintime=60")
		c.Owner = owner
		h := hearRule("moved", c)
		testkit.Equal(t, h.Departure(at(1)) != nil, c.IsOurs(), "the table belongs to", owner, "it drains")
	}
}

func TestRuleNames(t *testing.T) {
	testRule(t, "names", []ruleRow{
		{"a new state", "1 name=up", "2"},
		{"both are as they were", "1 name=up, 2 name=up", ""},
		{"one fails now", "1 name=up, 2 name=up, 1 down", "1"},
	}, func(h *proposal) string { return numbers(h, func(s *Server) bool { return s.Since.Equal(noon) }) })
}

func TestRuleObeyed(t *testing.T) {
	testRule(t, "obeyed", []ruleRow{
		{"no order", "1 down", "false"},
		{"all are up", "obeys", "false"},
		{"one fails", "obeys, 1 down", "true"},
		{"one has no result", "obeys, 1 unknown", "true"},
		{"one fails through the virtual address alone", "obeys, 1 own",
			"true"},
		{"all are up, without checkvip", "obeys, 1 2 noway", "false"},
		{"one fails that has no weight", "obeys, 1 weight=0 down", "false"},
		{"one fails that is drained", "obeys, 1 drained down", "false"},
		{"one fails that is in maintenance", "obeys, 1 file down", "false"},
		{"one is not checked", "obeys, 1 unchecked unknown", "false"},
	}, func(h *proposal) string { return fmt.Sprint(h.Obeys) })
}

// hold makes servers fail that are then held.
func (c *Case) hold(servers ...int) {
	for _, i := range servers {
		c.says(i, health.Down)
		c.Servers[i].Held = true
	}
}

func TestRuleGuard(t *testing.T) {
	testRule(t, "guard, removals, leaves", []ruleRow{
		{"one is to serve, and another does", "keepserving=1, 1 down held", ""},
		{"two are to serve", "keepserving=2, 1 down held", "1 2/2"},
		{"two fail, one is to serve: the one that failed last", "keepserving=1, 1 2 down held, 1 since", "1 1/1"},
		{"two fail, one is to serve: the one that answers", "keepserving=1, 1 2 down held, 1 since, 2 wrong", "2 1/1"},
		{"without a guard", "1 2 down held", ""},
		{"by order the checks are obeyed", "keepserving=2, obeys, 1 2 down held", ""},
		{"its weight is 0", "keepserving=2, 1 weight=0 down held", ""},
		{"it was taken out by hand", "keepserving=2, 1 down held byhand table=0", ""},
		{"servers that are back wait for others", "keepserving=2, back, 1 down held", "1 2/2"},
		{"… and the virtual service was removed by hand", "keepserving=2, back, 1 down held, vanished", ""},
		{"… and it is not known what the table has", "keepserving=2, back, 1 down held, lost", "1 kept"},
		{"a reload changed its check, and the other serves", "keepserving=1, 1 unknown held", "1 2/1"},
		{"it is drained", "keepserving=2, 1 drained down held", "1 kept"},
		{"it passes, and requests nothing any more", "keepserving=2, 1 held", ""},
	}, func(h *proposal) string {
		text, serving := "", 0
		for s := range h.all() {
			serving += bit(h.Serves(s))
		}
		for _, i := range h.Held {
			text += fmt.Sprintf("%d %d/%d", i+1, serving, h.Quota())
		}
		if text == "" && h.Servers[0].Held {
			text = "1 kept"
		}
		return text
	})
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
	if got := fmt.Sprint(whys(&d.State), d.Held, turns); got != "[down down removals removals removals removals guard] [2 3 4 5 6]"+
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

func TestRuleReleased(t *testing.T) {
	turned := "1 byhand turned"
	rows := []ruleRow{
		{"it did not change its state", "1 byhand", "by hand"},
		{"it did", turned, ""},
		{"another one did", "1 byhand, 2 turned", "by hand"},
		{"it went down, and is removed", turned + ", 1 down absent", "by hand"},
		{"… and is to be quiescent", turned + ", 1 down absent, readd", ""},
		{"it went down, and is there", turned + ", 1 down", ""},
		{"it came up, and is removed", turned + ", 1 absent", ""},
		{"the fallback server is as it was", "9 byhand, fallback=9", "by hand"},
		{"the fallback server is not wanted any more", "9 byhand, fallback=9, fallbackwanted", ""},
		{"… or that is not known", "9 byhand, fallback=9, fallbackwanted, 1 unknown, 2 unknown", "by hand"},
	}
	for _, rule := range []string{"released", "let go"} {
		testRule(t, rule, rows, func(h *proposal) string { return map[bool]string{true: "by hand"}[len(h.ByHand) > 0] })
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
		{"one by hand passes now: the other one goes", "1 down held, 2 table=0 byhand turned", map[byte]uint32{2: 4}},
		{"another weight by hand: it goes", "1 down held table=7 byhand",
			map[byte]uint32{2: 4}},
		{"one that changes to gate carries nothing any more: the other one goes", "1 down held, 2 table=0 gate rerouted not connected", map[byte]uint32{2: 4}},
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

func TestRuleLeaver(t *testing.T) {
	leaves := "5 table=3, leaver=5"
	testRule(t, "leaver", []ruleRow{
		{"none", "5 table=3", ""},
		{"it drains", leaves, "5:0"},
		{"it is done", leaves + ", over=drained", ""},
		{"its time is over", leaves + ", over=late", ""},
		{"it is not in the table", leaves + ", 5 absent", ""},
	}, placed)
}

func TestRuleDrain(t *testing.T) {
	drains := "1 drained"
	testRule(t, "drain", []ruleRow{
		{"no order", "", ""},
		{"up", drains, "1:0"},
		{"up, not in the table", drains + ", 1 absent", "1:0"},
		{"without a result", drains + ", 1 unknown", "1:0"},
		{"without a result, not in the table", drains + ", 1 unknown absent", ""},
		{"down", drains + ", 1 down", ""},
	}, placed)
}

func TestRuleDown(t *testing.T) {
	testRule(t, "down", []ruleRow{
		{"both are up", "quiescent", ""},
		{"one fails", "1 down", ""},
		{"… quiescent", "quiescent, 1 down", "1:0"},
		{"without a result", "quiescent, 1 unknown", ""},
		{"in maintenance", "quiescent, 1 file", "1:0"},
		{"held", "quiescent, 1 down held", ""},
	}, placed)
	c := inService(4, 4)
	c.given("1 down")
	if h := hearRule("down", c); h.Servers[0].Why.String() != "down" || h.Servers[1].Why != 0 {
		t.Errorf("why: %v", whys(&h.Case.State))
	}
}

func TestRuleUnknown(t *testing.T) {
	one := "1 unknown"
	testRule(t, "unknown", []ruleRow{
		{"both are up", "", ""},
		{"in service", one, "1:4 unknown"},
		{"in service with another weight", one + ", 1 table=9", "1:4 unknown"},
		{"in the table with weight 0", one + ", 1 table=0", "1:0 unknown"},
		{"not in the table", one + ", 1 absent", " unknown"},
		{"drained", one + ", 1 drained", ""},
		{"down", "1 down", ""},
		{"up, while servers that are back wait for each other", "back, 2 absent",
			"1:4 unknown"},
		{"… down meanwhile", "back, 1 down, 2 down", ""},
	}, func(h *proposal) string { return placed(h) + map[bool]string{true: " unknown"}[h.unknown] })
}

func TestAHeldServerIsTheGuardsWhileOthersWait(t *testing.T) {
	c := inService(4, 4)
	c.given("keepserving=2, 1 down held, back, away, strength.known")
	c.Servers[1].First.Way = &Way{Awaited: true}
	d := Decide(c, noon)
	testkit.Equal(t, fmt.Sprint(whys(&d.State)), "[guard unknown]")
}

func TestRuleUp(t *testing.T) {
	testRule(t, "up", []ruleRow{
		{"both", "", "1:4, 2:4 up"},
		{"one", "1 down", "2:4 up"},
		{"by order with another weight", "1 ordered=3", "1:3, 2:4 up"},
		{"drained", "1 drained", "2:4 up"},
		{"held", "1 down held", "1:4, 2:4 up"},
		{"none", "1 down, 2 unknown", ""},
		{"servers that are back wait for each other", "back", ""},
	}, func(h *proposal) string { return placed(h) + map[bool]string{true: " up"}[h.up] })
}

func TestRuleFound(t *testing.T) {
	testRule(t, "found", []ruleRow{
		{"nothing", "", ""},
		{"it serves", "5 table=3, found=5", "5:3 up"},
		{"it has weight 0", "5 table=0, found=5", "5:0"},
		{"it is gone", "found=5", ""},
	}, func(h *proposal) string { return placed(h) + map[bool]string{true: " up"}[h.up] })
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
		{"it is in the table with weight 0", func(h *proposal) { h.Have.Put(lvs.Dest{Addr: at(9)}) }, "9:1", ""},
		{"it was in before", func(h *proposal) { h.FallbackIn = true }, "9:1", "9:1"},
	} {
		for unknown, want := range map[bool]string{false: row.want, true: row.unknown} {
			c := inService(4, 4)
			section := *c.Section
			section.Fallbacks = []*Member{{Dest: sorry, Unchecked: true}}
			h := &proposal{Case: Case{&section, c.State}, Decision: Decision{Places: dests{}}, unknown: unknown}
			row.given(h)
			if fallback(h); placed(h) != want {
				t.Errorf("%s, a server is unknown: %v: %q, want %q", row.what, unknown, placed(h), want)
			}
		}
	}
}

func TestRuleReplaced(t *testing.T) {
	for _, row := range []struct {
		what  string
		given func(*proposal)
		want  string
	}{
		{"the servers before serve on", func(h *proposal) {}, "5:3"},
		{"… until each has a result", func(h *proposal) { h.unknown = false }, ""},
		{"… or one serves", func(h *proposal) { h.Places[at(2)] = lvs.Dest{Addr: at(2), Weight: 1} }, "2:1"},
		{"… not by weight 0", func(h *proposal) { h.Places[at(2)] = lvs.Dest{Addr: at(2)} }, "2:0, 5:3"},
		{"… not if it was taken out by hand", func(h *proposal) {
			h.Places[at(2)] = lvs.Dest{Addr: at(2), Weight: 1}
			h.Have.Remove(at(2))
			h.byHand(2)
		}, "2:1, 5:3"},
		{"… by hand, too", func(h *proposal) {
			h.Places[at(2)] = lvs.Dest{Addr: at(2), Weight: 1}
			h.has(2, 7)
			h.byHand(2)
		}, "2:1"},
		{"what has weight 0 doesn't", func(h *proposal) { h.has(6, 0) }, "5:3"},
		{"one that is configured doesn't, where no rule places it", func(h *proposal) { h.has(1, 4) }, "5:3"},
		{"… nor one that moved away and is done", func(h *proposal) { h.has(1, 4); h.Servers[0].Gone = true }, "5:3"},
		{"what is placed stays so", func(h *proposal) { h.Places[at(5)] = lvs.Dest{Addr: at(5)} }, "5:0"},
		{"… but for a server that left", func(h *proposal) {
			h.Places[at(5)] = lvs.Dest{Addr: at(5)}
			h.Departing = []Departure{{Addr: at(5)}}
		}, "5:3"},
	} {
		c := inService(4, 4)
		c.given("empty, 5 table=3")
		h := &proposal{Case: c, Decision: Decision{Places: dests{}}, unknown: true}
		row.given(h)
		if replaced(h); placed(h) != row.want {
			t.Errorf("%s: %q, want %q", row.what, placed(h), row.want)
		}
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
	}{{lvs.Route, lvs.Masq, true}, {lvs.Route, lvs.Route, false}, {lvs.Masq, lvs.Masq, false}, {lvs.Masq, lvs.Route, false}} {
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
	for _, row := range []struct {
		what, want string
		given      func(*proposal)
	}{
		{"without connections", "1:4 by gate, 2:4 by gate", func(h *proposal) {}},
		{"one has some", "1:0, 2:4 by gate", func(h *proposal) { h.Servers[0].Connected = true }},
		{"both have some: one after the other", "1:0, 2:4", func(h *proposal) {
			h.Servers[0].Connected, h.Servers[1].Connected = true, true
		}},
		{"… though another server serves", "1:0, 2:4, 3:1", func(h *proposal) {
			h.Servers[0].Connected, h.Servers[1].Connected = true, true
			h.Places[at(3)] = lvs.Dest{Addr: at(3), Weight: 1}
		}},
		{"… the first left before", "1:0, 2:4", func(h *proposal) {
			h.Servers[0].Connected, h.Servers[1].Connected = true, true
			h.says(0, health.Unknown)
			h.Places[at(1)] = lvs.Dest{Addr: at(1), Forward: lvs.Route}
		}},
		{"… and another server serves", "1:0, 2:4, 3:1", func(h *proposal) {
			h.Servers[0].Connected, h.Servers[1].Connected = true, true
			h.says(0, health.Unknown)
			h.Places[at(1)] = lvs.Dest{Addr: at(1), Forward: lvs.Route}
			h.Places[at(3)] = lvs.Dest{Addr: at(3), Weight: 1}
		}},
		{"the first has weight 0, the next one leaves", "1:0, 2:0, 3:1", func(h *proposal) {
			h.Servers[0].Connected, h.Servers[1].Connected = true, true
			h.Places[at(1)] = lvs.Dest{Addr: at(1), Forward: lvs.Route}
			h.Places[at(3)] = lvs.Dest{Addr: at(3), Weight: 1}
		}},
		{"the only other one is held: it may be dead", "1:4, 2:4 by gate", func(h *proposal) {
			h.Servers[0].Connected = true
			h.hold(1)
		}},
		{"it is held", "1:4, 2:4 by gate", func(h *proposal) { h.Servers[0].Connected = true; h.hold(0) }},
		{"it is in by gate", "1:4 by gate, 2:4 by gate", func(h *proposal) {
			h.Servers[0].Connected = true
			h.Have.Put(lvs.Dest{Addr: at(1), Forward: lvs.Route, Weight: 4})
		}},
		{"it is to be in by masq", "1:4, 2:4 by gate", func(h *proposal) {
			h.Servers[0].Connected = true
			h.Places[at(1)] = lvs.Dest{Addr: at(1), Weight: 4}
		}},
		{"it is not in the table", "1:4 by gate, 2:4 by gate", func(h *proposal) {
			h.Servers[0].Connected = true
			h.Have.Remove(at(1))
		}},
		{"it is to go", "2:4 by gate", func(h *proposal) {
			h.Servers[0].Connected = true
			delete(h.Places, at(1))
		}},
	} {
		c := inService(4, 4)
		h := &proposal{Case: c, Decision: Decision{Places: maps.Clone(dests{})}}
		for _, m := range c.Members {
			m.Dest.Forward = lvs.Route
			h.Places[m.Dest.Addr] = m.Dest
		}
		row.given(h)
		if rerouted(h); placed(h) != row.want {
			t.Errorf("%s: %q, want %q", row.what, placed(h), row.want)
		}
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
