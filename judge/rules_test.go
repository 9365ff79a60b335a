package judge

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"ldirectord/checker/health"
	"ldirectord/lvs"
)

// Each rule alone. Unless a row differs, servers 1 and 2 of weight 4 pass and are in the table.

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// fallbackAt is a section's only fallback server.
func fallbackAt(n byte) []*Member {
	return []*Member{{Dest: lvs.Dest{Addr: at(n), Weight: 1}, Fallback: true}}
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
func hearRule(rules string, c Case) *hearing {
	c.State = c.cloneServers()
	h := &hearing{Case: c, now: noon, Decision: Decision{Places: dests{}}}
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
func placed(h *hearing) string {
	var list []string
	for _, d := range lvs.DestsOf(h.Places) {
		text := fmt.Sprintf("%d:%d", d.Addr.Addr().As4()[3], d.Weight)
		if d.Forward == lvs.Route {
			text += " by gate"
		}
		list = append(list, text)
	}
	return strings.Join(list, ", ")
}

// numbers are the servers for which is reports true.
func numbers(h *hearing, is func(*Server) bool) string {
	var list []string
	for i := range h.Servers {
		if s := &h.Servers[i]; is(s) {
			list = append(list, fmt.Sprint(s.At+1))
		}
	}
	return strings.Join(list, ", ")
}

type ruleRow struct {
	what  string
	given func(*Case)
	want  string
}

func testRule(t *testing.T, rule string, rows []ruleRow, got func(*hearing) string) {
	t.Helper()
	for _, row := range rows {
		c := inService(4, 4)
		row.given(&c)
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
		{"no server is back", func(c *Case) {}, "no"},
		{"each that is back has passed", func(c *Case) { c.Back, c.Away, c.Strength.Known = noon, true, true }, "no"},
		{"one has not", func(c *Case) {
			c.Back, c.Away, c.Strength.Known, c.Servers[1].First.Awaited = noon, true, true, true
		}, "yes"},
		{"its addresses are not away", func(c *Case) { c.Back, c.Servers[1].First.Awaited = noon, true }, "no"},
	}, func(h *hearing) string { return map[bool]string{true: "yes", false: "no"}[h.Gathers()] })
}

func movedAway(c *Case) { c.Members[0].MovedTo = 1 }

func TestRuleMoved(t *testing.T) {
	for _, rule := range []string{"moved", "given up"} {
		testRule(t, rule, []ruleRow{
			{"both are of the file", func(c *Case) {}, ""},
			{"the new one is up", movedAway, "1"},
			{"the new one is the first", func(c *Case) { c.Members[1].MovedTo = 0 }, "2"},
			{"the new one has no result", func(c *Case) { movedAway(c); c.says(1, health.Unknown) }, ""},
			{"the new one fails", func(c *Case) { movedAway(c); c.says(1, health.Down) }, ""},
			{"… and so does the former", func(c *Case) { movedAway(c); c.says(0, health.Down); c.says(1, health.Down) },
				"1"},
			{"… which is held", func(c *Case) {
				movedAway(c)
				c.says(0, health.Down)
				c.says(1, health.Down)
				c.Servers[0].Held = true
			}, ""},
			{"both in maintenance, the new one passes",
				func(c *Case) { movedAway(c); c.Servers[0].File, c.Servers[1].File = true, true }, "1"},
			{"both in maintenance, the new one fails", func(c *Case) {
				movedAway(c)
				c.Servers[0].File, c.Servers[1].File = true, true
				c.says(1, health.Down)
			}, ""},
			{"the new one alone in maintenance", func(c *Case) { movedAway(c); c.Servers[1].File = true }, ""},
			{"the new one is drained by order", func(c *Case) { movedAway(c); c.Servers[1].Order.Kind = Drain }, "1"},
			{"the new one tells drain", func(c *Case) {
				movedAway(c)
				c.Servers[1].First.Telling = health.Tells(health.Words{Admin: health.Drain})
			}, ""},
		}, func(h *hearing) string { return numbers(h, func(s *Server) bool { return s.Gone }) })
	}
}

func TestTheFormerAddressDrains(t *testing.T) {
	for _, owner := range []string{"", ActiveDirector} {
		c := inService(4, 4)
		movedAway(&c)
		c.DrainTime, c.Owner = time.Minute, owner
		h := hearRule("moved", c)
		if drains := h.Leaver(at(1)) != nil; drains != c.IsOurs() {
			t.Errorf("the table belongs to %q; it drains: %v", owner, drains)
		}
	}
}

func TestRuleNames(t *testing.T) {
	testRule(t, "names", []ruleRow{
		{"a new state", func(c *Case) { c.Servers[0].Name = Up }, "2"},
		{"both are as they were", func(c *Case) { c.Servers[0].Name, c.Servers[1].Name = Up, Up }, ""},
		{"one fails now", func(c *Case) {
			c.Servers[0].Name, c.Servers[1].Name = Up, Up
			c.says(0, health.Down)
		}, "1"},
	}, func(h *hearing) string { return numbers(h, func(s *Server) bool { return s.Since.Equal(noon) }) })
}

func TestRuleObeyed(t *testing.T) {
	testRule(t, "obeyed", []ruleRow{
		{"no order", func(c *Case) { c.says(0, health.Down) }, "false"},
		{"all are up", func(c *Case) { c.Obeys = true }, "false"},
		{"one fails", func(c *Case) { c.Obeys = true; c.says(0, health.Down) }, "true"},
		{"one has no result", func(c *Case) { c.Obeys = true; c.says(0, health.Unknown) }, "true"},
		{"one fails through the virtual address alone", func(c *Case) { c.Obeys, c.Servers[0].First.Own = true, true },
			"true"},
		{"all are up, without checkvip", func(c *Case) {
			c.Obeys, c.Servers[0].First.Way, c.Servers[1].First.Way = true, nil, nil
		}, "false"},
		{"one fails that has no weight", func(c *Case) {
			c.Obeys, c.Members[0].Dest.Weight = true, 0
			c.says(0, health.Down)
		}, "false"},
		{"one fails that is drained", func(c *Case) {
			c.Obeys, c.Servers[0].Order.Kind = true, Drain
			c.says(0, health.Down)
		}, "false"},
		{"one fails that is in maintenance", func(c *Case) {
			c.Obeys, c.Servers[0].File = true, true
			c.says(0, health.Down)
		}, "false"},
		{"one is not checked", func(c *Case) {
			c.Obeys, c.Members[0].Unchecked = true, true
			c.says(0, health.Unknown)
		}, "false"},
	}, func(h *hearing) string { return fmt.Sprint(h.Obeys) })
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
		{"one is to serve, and another does", func(c *Case) { c.KeepServing.N = 1; c.hold(0) }, ""},
		{"two are to serve", func(c *Case) { c.KeepServing.N = 2; c.hold(0) }, "1 2/2"},
		{"two fail, one is to serve: the one that failed last", func(c *Case) {
			c.KeepServing.N = 1
			c.hold(0, 1)
			c.Servers[0].Since = noon
		}, "1 1/1"},
		{"two fail, one is to serve: the one that answers", func(c *Case) {
			c.KeepServing.N = 1
			c.hold(0, 1)
			c.Servers[0].Since, c.Servers[1].First.Loss = noon, WrongAnswer
		}, "2 1/1"},
		{"without a guard", func(c *Case) { c.hold(0, 1) }, ""},
		{"by order the checks are obeyed", func(c *Case) { c.KeepServing.N, c.Obeys = 2, true; c.hold(0, 1) }, ""},
		{"its weight is 0", func(c *Case) { c.KeepServing.N, c.Members[0].Dest.Weight = 2, 0; c.hold(0) }, ""},
		{"it was taken out by hand", func(c *Case) {
			c.KeepServing.N = 2
			c.hold(0)
			c.byHand(1)
			c.has(1, 0)
		}, ""},
		{"servers that are back wait for others", func(c *Case) {
			c.KeepServing.N, c.Back = 2, noon
			c.hold(0)
		}, "1 2/2"},
		{"… and the virtual service was removed by hand", func(c *Case) {
			c.KeepServing.N, c.Back = 2, noon
			c.hold(0)
			c.Vanished()
		}, ""},
		{"… and it is not known what the table has", func(c *Case) {
			c.KeepServing.N, c.Back = 2, noon
			c.hold(0)
			c.Lost()
		}, "1 kept"},
		{"a reload changed its check, and the other serves", func(c *Case) {
			c.KeepServing.N = 1
			c.says(0, health.Unknown)
			c.Servers[0].Held = true
		}, "1 2/1"},
		{"it is drained", func(c *Case) {
			c.KeepServing.N, c.Servers[0].Order.Kind = 2, Drain
			c.hold(0)
		}, "1 kept"},
		{"it passes, and requests nothing any more", func(c *Case) { c.KeepServing.N, c.Servers[0].Held = 2, true }, ""},
	}, func(h *hearing) string {
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
	c.KeepServing.N, c.PaceOut = 1, lvs.Pace{Share: lvs.Share{N: 2}, Every: time.Minute}
	c.hold(0, 1, 2, 3, 4, 5, 6)
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
	c.KeepServing.N = 1
	c.hold(0)
	h := hearRule("guard, removals, leaves", c)
	if s := h.Servers[0]; s.Held || s.Entered || !s.Turned {
		t.Errorf("held %v, entered %v, turned %v", s.Held, s.Entered, s.Turned)
	}
}

func TestRuleReleased(t *testing.T) {
	turned := func(c *Case) { c.byHand(1); c.Servers[0].Turned = true }
	rows := []ruleRow{
		{"it did not change its state", func(c *Case) { c.byHand(1) }, "by hand"},
		{"it did", turned, ""},
		{"another one did", func(c *Case) { c.byHand(1); c.Servers[1].Turned = true }, "by hand"},
		{"it went down, and is removed", func(c *Case) {
			turned(c)
			c.says(0, health.Down)
			c.Have.Remove(at(1))
		}, "by hand"},
		{"… and is to be quiescent", func(c *Case) {
			turned(c)
			c.says(0, health.Down)
			c.Have.Remove(at(1))
			c.Readd = true
		}, ""},
		{"it went down, and is there", func(c *Case) { turned(c); c.says(0, health.Down) }, ""},
		{"it came up, and is removed", func(c *Case) { turned(c); c.Have.Remove(at(1)) }, ""},
		{"the fallback server is as it was", func(c *Case) { c.byHand(9); c.Fallbacks = fallbackAt(9) }, "by hand"},
		{"the fallback server is not wanted any more", func(c *Case) {
			c.byHand(9)
			c.Fallbacks, c.FallbackWanted = fallbackAt(9), true
		}, ""},
		{"… or that is not known", func(c *Case) {
			c.byHand(9)
			c.Fallbacks, c.FallbackWanted = fallbackAt(9), true
			c.says(0, health.Unknown)
			c.says(1, health.Unknown)
		}, "by hand"},
	}
	for _, rule := range []string{"released", "let go"} {
		testRule(t, rule, rows, func(h *hearing) string { return map[bool]string{true: "by hand"}[len(h.ByHand) > 0] })
	}
}

// A drained server that is held keeps the state drained. When the guard releases it, it is down.
func TestAReleasedServerGetsItsState(t *testing.T) {
	c := inService(4, 4)
	c.KeepServing.N, c.Obeys = 2, true
	c.hold(0, 1)
	c.Servers[0].Name, c.Servers[0].Order.Kind = Draining, Drain
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
		given func(*Case)
		held  bool
	}{
		{"it is the only one", 1, func(c *Case) { c.says(2, health.Down) }, false},
		{"as many are to serve", 2, func(c *Case) { c.says(2, health.Down) }, true},
		{"another serves", 2, func(c *Case) {}, true},
		{"it fails", 1, func(c *Case) { c.says(1, health.Down); c.says(2, health.Down) }, true},
		{"its weight is 0", 1, func(c *Case) { c.Members[1].Dest.Weight = 0; c.says(2, health.Down) }, true},
	} {
		c := inService(4, 4, 4)
		c.hold(0)
		c.KeepServing.N, c.Servers[1].Rerouted = row.keeps, true
		c.has(2, 0)
		row.given(&c)
		if h := hearRule("guard, leaves", c); h.Servers[0].Held != row.held {
			t.Errorf("%s: held is %v", row.what, !row.held)
		}
	}
}

func TestTheGuardAndChangesByHand(t *testing.T) {
	for _, c := range []struct {
		what  string
		given func(*Case)
		want  map[byte]uint32
	}{
		{"one by hand passes now: the other one goes", func(c *Case) {
			c.hold(0)
			c.has(2, 0)
			c.byHand(2)
			c.Servers[1].Turned = true
		}, map[byte]uint32{2: 4}},
		{"another weight by hand: it goes", func(c *Case) { c.hold(0); c.has(1, 7); c.byHand(1) },
			map[byte]uint32{2: 4}},
		{"one that changes to gate carries nothing any more: the other one goes", func(c *Case) {
			c.hold(0)
			c.has(2, 0)
			c.Members[1].Dest.Forward, c.Servers[1].Rerouted = lvs.Route, true
			c.Servers[1].Counted(0)
		}, map[byte]uint32{2: 4}},
	} {
		decided := inService(4, 4)
		decided.KeepServing.N = 1
		c.given(&decided)
		if got := weights(Decide(decided, noon).Places); !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
}

func TestRuleTogether(t *testing.T) {
	first := func(c *Case) {
		c.Announce, c.Quiescent, c.Have = true, true, lvs.Dests{}
		c.Servers[1].First.Pending = true
		c.Servers[0].Entered, c.Servers[1].Entered = false, false
	}
	for _, row := range []struct {
		what  string
		given func(*Case)
		last  bool
	}{
		{"one has no result", first, true},
		{"all have one", func(c *Case) { first(c); c.Servers[1].First.Pending = false }, false},
		{"the one without is back from before, and kept", func(c *Case) {
			first(c)
			c.Servers[1].First.Pending = false
			c.Servers[1].Kept = true
			c.says(1, health.Unknown)
		}, true},
		{"something is in the table", func(c *Case) { first(c); c.has(1, 0) }, false},
		{"one served until the virtual service was removed by hand",
			func(c *Case) { first(c); c.Servers[0].Entered = true }, false},
		{"its addresses are not announced", func(c *Case) { first(c); c.Announce = false }, false},
		{"servers that fail are removed", func(c *Case) { first(c); c.Quiescent = false }, false},
	} {
		c := inService(4, 4)
		row.given(&c)
		if h := hearRule("together", c); h.over != row.last {
			t.Errorf("%s: servers wait for others: %v", row.what, h.over)
		}
	}
}

// Each server has the rule that decided its place, even if it is not in the table.
func TestAServerOutsideTheTableHasARule(t *testing.T) {
	for want, given := range map[string]func(*Case){
		"together": func(c *Case) {
			c.Announce, c.Quiescent, c.Have = true, true, lvs.Dests{}
			c.Servers[0].First.Pending, c.Servers[0].Entered, c.Servers[1].Entered = true, false, false
		},
		"drain": func(c *Case) {
			c.says(1, health.Unknown)
			c.Servers[1].Order.Kind = Drain
			c.Have.Remove(at(2))
		},
		"off":  func(c *Case) { c.Members[1].Unchecked = true },
		"hand": func(c *Case) { c.Members[1].Unchecked = true; c.byHand(2) },
	} {
		c := inService(4, 4)
		given(&c)
		if by := Decide(c, noon).State.Servers[1].Why.String(); by != want {
			t.Errorf("rule %s, want %s", by, want)
		}
	}
}

func TestRuleLeaver(t *testing.T) {
	leaves := func(c *Case) { c.has(5, 3); c.Leavers = []Leaver{{Addr: at(5)}} }
	testRule(t, "leaver", []ruleRow{
		{"none", func(c *Case) { c.has(5, 3) }, ""},
		{"it drains", leaves, "5:0"},
		{"it is done", func(c *Case) { leaves(c); c.Leavers[0].Over = Drained }, ""},
		{"its time is over", func(c *Case) { leaves(c); c.Leavers[0].Over = Late }, ""},
		{"it is not in the table", func(c *Case) { leaves(c); c.Have.Remove(at(5)) }, ""},
	}, placed)
}

func TestRuleDrain(t *testing.T) {
	drains := func(c *Case) { c.Servers[0].Order.Kind = Drain }
	testRule(t, "drain", []ruleRow{
		{"no order", func(c *Case) {}, ""},
		{"up", drains, "1:0"},
		{"up, not in the table", func(c *Case) { drains(c); c.Have.Remove(at(1)) }, "1:0"},
		{"without a result", func(c *Case) { drains(c); c.says(0, health.Unknown) }, "1:0"},
		{"without a result, not in the table", func(c *Case) {
			drains(c)
			c.says(0, health.Unknown)
			c.Have.Remove(at(1))
		}, ""},
		{"down", func(c *Case) { drains(c); c.says(0, health.Down) }, ""},
	}, placed)
}

func TestRuleDown(t *testing.T) {
	testRule(t, "down", []ruleRow{
		{"both are up", func(c *Case) { c.Quiescent = true }, ""},
		{"one fails", func(c *Case) { c.says(0, health.Down) }, ""},
		{"… quiescent", func(c *Case) { c.Quiescent = true; c.says(0, health.Down) }, "1:0"},
		{"without a result", func(c *Case) { c.Quiescent = true; c.says(0, health.Unknown) }, ""},
		{"in maintenance", func(c *Case) { c.Quiescent, c.Servers[0].File = true, true }, "1:0"},
		{"held", func(c *Case) { c.Quiescent = true; c.hold(0) }, ""},
	}, placed)
	c := inService(4, 4)
	c.says(0, health.Down)
	if h := hearRule("down", c); h.Servers[0].Why.String() != "down" || h.Servers[1].Why != 0 {
		t.Errorf("why: %v", whys(&h.Case.State))
	}
}

func TestRuleUnknown(t *testing.T) {
	one := func(c *Case) { c.says(0, health.Unknown) }
	testRule(t, "unknown", []ruleRow{
		{"both are up", func(c *Case) {}, ""},
		{"in service", one, "1:4 unknown"},
		{"in service with another weight", func(c *Case) { one(c); c.has(1, 9) }, "1:4 unknown"},
		{"in the table with weight 0", func(c *Case) { one(c); c.has(1, 0) }, "1:0 unknown"},
		{"not in the table", func(c *Case) { one(c); c.Have.Remove(at(1)) }, " unknown"},
		{"drained", func(c *Case) { one(c); c.Servers[0].Order.Kind = Drain }, ""},
		{"down", func(c *Case) { c.says(0, health.Down) }, ""},
		{"up, while servers that are back wait for each other", func(c *Case) { c.Back = noon; c.Have.Remove(at(2)) },
			"1:4 unknown"},
		{"… down meanwhile", func(c *Case) { c.Back = noon; c.says(0, health.Down); c.says(1, health.Down) }, ""},
	}, func(h *hearing) string { return placed(h) + map[bool]string{true: " unknown"}[h.unknown] })
}

func TestAHeldServerIsTheGuardsWhileOthersWait(t *testing.T) {
	c := inService(4, 4)
	c.KeepServing.N = 2
	c.hold(0)
	c.Back, c.Away, c.Strength.Known = noon, true, true
	c.Servers[1].First.Way = &Way{Awaited: true}
	d := Decide(c, noon)
	if why := fmt.Sprint(whys(&d.State)); why != "[guard unknown]" {
		t.Error(why)
	}
}

func TestRuleUp(t *testing.T) {
	testRule(t, "up", []ruleRow{
		{"both", func(c *Case) {}, "1:4, 2:4 up"},
		{"one", func(c *Case) { c.says(0, health.Down) }, "2:4 up"},
		{"by order with another weight", func(c *Case) { c.Servers[0].Order = Order{Weigh, 3} }, "1:3, 2:4 up"},
		{"drained", func(c *Case) { c.Servers[0].Order.Kind = Drain }, "2:4 up"},
		{"held", func(c *Case) { c.hold(0) }, "1:4, 2:4 up"},
		{"none", func(c *Case) { c.says(0, health.Down); c.says(1, health.Unknown) }, ""},
		{"servers that are back wait for each other", func(c *Case) { c.Back = noon }, ""},
	}, func(h *hearing) string { return placed(h) + map[bool]string{true: " up"}[h.up] })
}

func TestRuleFound(t *testing.T) {
	testRule(t, "found", []ruleRow{
		{"nothing", func(c *Case) {}, ""},
		{"it serves", func(c *Case) { c.has(5, 3); c.Found = map[netip.AddrPort]bool{at(5): true} }, "5:3 up"},
		{"it has weight 0", func(c *Case) { c.has(5, 0); c.Found = map[netip.AddrPort]bool{at(5): true} }, "5:0"},
		{"it is gone", func(c *Case) { c.Found = map[netip.AddrPort]bool{at(5): true} }, ""},
	}, func(h *hearing) string { return placed(h) + map[bool]string{true: " up"}[h.up] })
}

func TestRuleFallback(t *testing.T) {
	sorry := lvs.Dest{Addr: at(9), Weight: 1}
	for _, row := range []struct {
		what    string
		given   func(*hearing)
		want    string
		unknown string // the places if a server's state is unknown
	}{
		{"no server is up", func(h *hearing) {}, "9:1", ""},
		{"one is", func(h *hearing) { h.up = true }, "", ""},
		{"there is none", func(h *hearing) { h.Fallbacks = nil }, "", ""},
		{"servers are not checked", func(h *hearing) { h.NoFallback = true }, "", ""},
		{"it is in the table", func(h *hearing) { h.Have.Put(sorry) }, "9:1", "9:1"},
		{"it is in the table with weight 0", func(h *hearing) { h.Have.Put(lvs.Dest{Addr: at(9)}) }, "9:1", ""},
		{"it was in before", func(h *hearing) { h.FallbackIn = true }, "9:1", "9:1"},
	} {
		for unknown, want := range map[bool]string{false: row.want, true: row.unknown} {
			c := inService(4, 4)
			section := *c.Section
			section.Fallbacks = []*Member{{Dest: sorry}}
			h := &hearing{Case: Case{&section, c.State}, Decision: Decision{Places: dests{}}, unknown: unknown}
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
		given func(*hearing)
		want  string
	}{
		{"the servers before serve on", func(h *hearing) {}, "5:3"},
		{"… until each has a result", func(h *hearing) { h.unknown = false }, ""},
		{"… or one serves", func(h *hearing) { h.Places[at(2)] = lvs.Dest{Addr: at(2), Weight: 1} }, "2:1"},
		{"… not by weight 0", func(h *hearing) { h.Places[at(2)] = lvs.Dest{Addr: at(2)} }, "2:0, 5:3"},
		{"… not if it was taken out by hand", func(h *hearing) {
			h.Places[at(2)] = lvs.Dest{Addr: at(2), Weight: 1}
			h.Have.Remove(at(2))
			h.byHand(2)
		}, "2:1, 5:3"},
		{"… by hand, too", func(h *hearing) {
			h.Places[at(2)] = lvs.Dest{Addr: at(2), Weight: 1}
			h.has(2, 7)
			h.byHand(2)
		}, "2:1"},
		{"what has weight 0 doesn't", func(h *hearing) { h.has(6, 0) }, "5:3"},
		{"one that is configured doesn't, where no rule places it", func(h *hearing) { h.has(1, 4) }, "5:3"},
		{"… nor one that moved away and is done", func(h *hearing) { h.has(1, 4); h.Servers[0].Gone = true }, "5:3"},
		{"what is placed stays so", func(h *hearing) { h.Places[at(5)] = lvs.Dest{Addr: at(5)} }, "5:0"},
		{"… but for a server that left", func(h *hearing) {
			h.Places[at(5)] = lvs.Dest{Addr: at(5)}
			h.Leavers = []Leaver{{Addr: at(5)}}
		}, "5:3"},
	} {
		c := inService(4, 4)
		c.Have = lvs.Dests{{Addr: at(5), Weight: 3}}
		h := &hearing{Case: c, Decision: Decision{Places: dests{}}, unknown: true}
		row.given(h)
		if replaced(h); placed(h) != row.want {
			t.Errorf("%s: %q, want %q", row.what, placed(h), row.want)
		}
	}
}

func TestRuleHand(t *testing.T) {
	for _, row := range []struct {
		what, want, by string
		given          func(*Case)
	}{
		{"nothing is changed", "1:4", "", func(c *Case) {}},
		{"another weight", "1:7", "hand", func(c *Case) { c.byHand(1); c.has(1, 7) }},
		{"weight 0", "1:0", "hand", func(c *Case) { c.byHand(1); c.has(1, 0) }},
		{"removed", "", "hand", func(c *Case) { c.byHand(1); c.Have.Remove(at(1)) }},
		{"of no server", "1:4, 5:3", "", func(c *Case) { c.byHand(5); c.has(5, 3) }},
	} {
		c := inService(4, 4)
		row.given(&c)
		id := slices.IndexFunc(Rules, func(r Rule) bool { return r.Name == "hand" })
		h := &hearing{Case: c, by: RuleID(id + 1)}
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
		if got := c.MayReroute(c.Have); got != row.want {
			t.Errorf("%+v: %v", row, got)
		}
	}
	c := inService(4)
	c.Servers[0].Rerouted = true
	if d := Decide(c, noon); d.State.Servers[0].Rerouted {
		t.Error("a server is rerouted where none may be")
	}
}

func TestRuleRerouted(t *testing.T) {
	for _, row := range []struct {
		what, want string
		given      func(*hearing)
	}{
		{"without connections", "1:4 by gate, 2:4 by gate", func(h *hearing) {}},
		{"one has some", "1:0, 2:4 by gate", func(h *hearing) { h.Servers[0].Connected = true }},
		{"both have some: one after the other", "1:0, 2:4", func(h *hearing) {
			h.Servers[0].Connected, h.Servers[1].Connected = true, true
		}},
		{"… though another server serves", "1:0, 2:4, 3:1", func(h *hearing) {
			h.Servers[0].Connected, h.Servers[1].Connected = true, true
			h.Places[at(3)] = lvs.Dest{Addr: at(3), Weight: 1}
		}},
		{"… the first left before", "1:0, 2:4", func(h *hearing) {
			h.Servers[0].Connected, h.Servers[1].Connected = true, true
			h.says(0, health.Unknown)
			h.Places[at(1)] = lvs.Dest{Addr: at(1), Forward: lvs.Route}
		}},
		{"… and another server serves", "1:0, 2:4, 3:1", func(h *hearing) {
			h.Servers[0].Connected, h.Servers[1].Connected = true, true
			h.says(0, health.Unknown)
			h.Places[at(1)] = lvs.Dest{Addr: at(1), Forward: lvs.Route}
			h.Places[at(3)] = lvs.Dest{Addr: at(3), Weight: 1}
		}},
		{"the first has weight 0, the next one leaves", "1:0, 2:0, 3:1", func(h *hearing) {
			h.Servers[0].Connected, h.Servers[1].Connected = true, true
			h.Places[at(1)] = lvs.Dest{Addr: at(1), Forward: lvs.Route}
			h.Places[at(3)] = lvs.Dest{Addr: at(3), Weight: 1}
		}},
		{"the only other one is held: it may be dead", "1:4, 2:4 by gate", func(h *hearing) {
			h.Servers[0].Connected = true
			h.hold(1)
		}},
		{"it is held", "1:4, 2:4 by gate", func(h *hearing) { h.Servers[0].Connected = true; h.hold(0) }},
		{"it is in by gate", "1:4 by gate, 2:4 by gate", func(h *hearing) {
			h.Servers[0].Connected = true
			h.Have.Put(lvs.Dest{Addr: at(1), Forward: lvs.Route, Weight: 4})
		}},
		{"it is to be in by masq", "1:4, 2:4 by gate", func(h *hearing) {
			h.Servers[0].Connected = true
			h.Places[at(1)] = lvs.Dest{Addr: at(1), Weight: 4}
		}},
		{"it is not in the table", "1:4 by gate, 2:4 by gate", func(h *hearing) {
			h.Servers[0].Connected = true
			h.Have.Remove(at(1))
		}},
		{"it is to go", "2:4 by gate", func(h *hearing) {
			h.Servers[0].Connected = true
			delete(h.Places, at(1))
		}},
	} {
		c := inService(4, 4)
		h := &hearing{Case: c, Decision: Decision{Places: maps.Clone(dests{})}}
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
	c.Quiescent, c.Fallbacks = true, fallbackAt(9)
	c.says(0, health.Down)
	c.says(1, health.Down)
	d := Decide(c, noon)
	if a, b := d.State.Servers[0].Why.String(), d.Others[at(9)].String(); a != "down" || b != "fallback" {
		t.Errorf("server: %s, fallback server: %s", a, b)
	}
}
