package judge

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"ldirectord/internal/health"
	"ldirectord/internal/testkit"
)

// question is what the rows of a table ask of a section: servers 1 and 2 of weight 4 pass and are in the table, unless
// something else is given, first for all rows and then by each.
type question struct {
	given string
	see   func(*Case) string // the answer; " | " divides its cells
}

const (
	reserve = "servers=4/4/4, 3 backup absent not entered"      // 3 is a backup server
	brakes  = "servers=4/4/4, paths=1, 3 gone, 1 2 3 vippasses" // checked through the virtual address
	ramps   = "servers=40/40/40, slowstart=60"
	leaves  = "5 table=0 byhand, leaver=5, departing.until=1m"
)

// tables have one question each.
var tables = map[string]question{
	"backedup":  {reserve + ", fallback=9", decided},
	"backup":    {reserve, func(c *Case) string { return word(hearRule("backup", "", *c).Backed, "serves") }},
	"kinds":     {"", said},
	"onfail":    {"1 down", failing},
	"section":   {"empty, fallback=9, 1 2 not entered, not known", decided},
	"slowstart": {ramps, decidedOnce},
	"strength":  {"servers=4/4/4, minservers=2", strong},
}

// questions are those of facts.txt, where each row begins with its question.
var questions = map[string]question{
	"available": {"fallback=9", func(c *Case) string {
		return fmt.Sprint(c.Available()) + ", " + fmt.Sprint(c.fallbackWanted())
	}},
	"awaited": {"1 also=up", func(c *Case) string { return word(c.Servers[0].isAwaited(), "awaited") }},
	"away":    {"away, strength.known", func(c *Case) string { return word(c.IsAway(), "away") }},
	"back together": {"back, away, strength.known, 1 awaited", func(c *Case) string {
		return word(c.HasGathered(), "no longer") + word(!c.Gathers(), "not")
	}},
	"changes":             {"1 held kept", func(c *Case) string { return factsOf(&c.Servers[0]) }},
	"decides":             {"", decided},
	"emptied":             {"", func(c *Case) string { return c.changing(false, true) }},
	"fails":               {"", func(c *Case) string { return c.resulting(false) }},
	"fallbacks":           {"1 2 down, empty, checkedfallbacks=8/9", decided},
	"follows":             {"", func(c *Case) string { return c.following(Witness{}) }},
	"follows a suspicion": {"", func(c *Case) string { return c.following(Witness{Suspected: true}) }},
	"follows, left out": {"", func(c *Case) string {
		return c.following(Witness{Suspected: true, out: true})
	}},
	"found":       {"waiting=1, 5 table=2", foundAnew},
	"goal":        {"", func(c *Case) string { return fmt.Sprint(c.Goal(&c.Servers[0])) }},
	"health":      {"", func(c *Case) string { return c.Servers[0].Health().String() }},
	"held by":     {"paceout=2/30", func(c *Case) string { return c.Seen(&c.Servers[0], noon).HeldBy() }},
	"known":       {"1 byhand rerouted, fallbackin, found=5, leaver=6", tableOf},
	"learns":      {"keepserving=1, 1 unknown kept", learning},
	"loss":        {"", func(c *Case) string { return fmt.Sprint(lossOf(&c.Servers[0])) }},
	"looks":       {leaves, func(c *Case) string { return c.looking(false) }},
	"looks, idle": {leaves, func(c *Case) string { return c.looking(true) }},
	"held": {"", func(c *Case) string {
		d := Decide(*c, noon)
		return fmt.Sprint(d.Held, ", again in ", d.Again.Sub(noon))
	}},
	"looks change": {"", func(c *Case) string {
		look := func() bool { return c.Servers[0].Observed(seen(true, true, false)) }
		return fmt.Sprint(look(), look(), look())
	}},
	"members": {"servers=1/1/1/1, 2 at=3, 4 at=5, 1 at=7, 3 at=7", func(c *Case) string {
		return fmt.Sprint(c.AllAt(at(3)), c.AllAt(at(5)), c.AllAt(at(7)), c.AllAt(at(9)), ", ", c.At(at(7)).At)
	}},
	"newest": {brakes, func(c *Case) string { return fmt.Sprint(c.Paths[0].Newest.Server + 1) }},
	"obeyed": {brakes, func(c *Case) string {
		judged := serversAt(c.Obey(!c.Obeys))
		return fmt.Sprint(c.Obeys, judged, c.Withholds(), ", ", shown(c.Servers[1].First.Accused))
	}},
	"proof": {brakes, func(c *Case) string {
		_, open, proof := fellows(c, 0)
		return fmt.Sprint(serversAt(open), " ", shown(proof))
	}},
	"withheld": {brakes, func(c *Case) string {
		return fmt.Sprint(c.IsWithheld(&c.Servers[0].First), c.Withholds())
	}},
	"moves": {"slowstart=40", func(c *Case) string {
		return word(c.Seen(&c.Servers[0], noon).Moves(), "moves")
	}},
	"nobody's": {"", func(c *Case) string { return addresses(c.IsNobodys) }},
	"passes":   {"", func(c *Case) string { return c.resulting(true) }},
	"put in":   {"", func(c *Case) string { return c.changing(true, false) }},
	"quota":    {"servers=4/4/0", func(c *Case) string { return fmt.Sprint(c.Quota()) }},
	"read":     {"", readAgain},
	"released": {"keepserving=1, 1 down held", func(c *Case) string {
		return factsOf(&hearRule("guard, removals, leaves", "", *c).Servers[0])
	}},
	"renamed":   {"", renamed},
	"reroute":   {"", func(c *Case) string { return word(c.MayReroute(c.Have), "may") }},
	"reserve":   {reserve, func(c *Case) string { return fmt.Sprint(c.Available()) }},
	"rules":     {"", ruled},
	"serves":    {"", func(c *Case) string { return word(c.Serves(&c.Servers[0]), "serves") }},
	"state":     {"", stateOf},
	"stays in":  {"", staysIn},
	"taken out": {"", func(c *Case) string { return c.changing(false, false) }},
	"together": {"announce, quiescent, empty, 2 pending, 1 2 not entered", func(c *Case) string {
		return word(hearRule("together", "", *c).over, "wait")
	}},
	"weight at":   {"", func(c *Case) string { return fmt.Sprint(c.WeightAt(at(1))) }},
	"weight":      {"1 ordered=2", func(c *Case) string { return fmt.Sprint(c.Servers[0].Weight()) }},
	"would serve": {"", func(c *Case) string { return word(c.WouldServe(at(1)), "would") }},
}

func TestFacts(t *testing.T) {
	for name, q := range tables {
		for _, row := range testkit.Table(t, "../../testdata/judge/"+name+".txt", 4) {
			q.ask(t, name, row)
		}
	}
	for _, row := range testkit.Table(t, "../../testdata/judge/facts.txt", 4) {
		q, named := questions[row[0]]
		if !named {
			q.see = func(c *Case) string { return c.fields(row[0]) }
		}
		q.ask(t, row[0], row[1:])
	}
}

// ask: what is given before a semicolon is the state before a reload.
func (q question) ask(t *testing.T, name string, row []string) {
	was, now, reloads := strings.Cut(row[1], ";")
	c := sectionWith(q.given + ", " + was)
	if reloads {
		c = c.reloaded(q.given + ", " + now)
	}
	testkit.Equal(t, q.see(&c), strings.TrimRight(strings.Join(row[2:], " | "), " |"), name, row[0])
}

// decided is what the table is to have, after all rules.
func decided(c *Case) string {
	d := Decide(*c, noon)
	return placed(d.Places) + word(d.Places == nil, "unknown")
}

// ruled are the rules that decided the places of the servers, and of what is at 9.
func ruled(c *Case) string {
	d := Decide(*c, noon)
	return strings.TrimSpace(fmt.Sprint(whys(&d.State), " ", d.Others[at(9)]))
}

// renamed is the name of server 1's state after a decision, if that is new.
func renamed(c *Case) string {
	s := &Decide(*c, noon).State.Servers[0]
	return word(s.Since.Equal(noon), s.Name.String())
}

// failing is what the table is to have, and the rule for server 1.
func failing(c *Case) string {
	d := Decide(*c, noon)
	s := &d.State.Servers[0]
	return placed(d.Places) + " | " + s.Why.String() + word(c.OnFail <= 0 && !s.Failed.IsZero(), " since then")
}

// factsOf are the facts of a server that events change.
func factsOf(s *Server) string {
	return strings.TrimSpace(word(s.Held, "held ") + word(s.Kept, "kept ") + word(s.Entered, "entered ") +
		word(s.Turned, "turned ") + word(s.File, "file"))
}

// stateOf are the names of server 1's state, for people and for the rules, and what follows from them.
func stateOf(c *Case) string {
	s, name := &c.Servers[0], "off"
	if s.State() != off {
		name = s.State().String()
	}
	return fmt.Sprint(s.StateName(), " as ", name, word(s.IsUp(), ", is up"), word(s.IsDraining(), ", drains"),
		word(s.works(), ", works"))
}

// tableOf is what is known of the table.
func tableOf(c *Case) string {
	return fmt.Sprintf("%d known %v by hand %d fallback %v", len(c.Have), c.Known, len(c.ByHand), c.FallbackIn) +
		word(c.Have == nil, " lost") + word(c.Found != nil, " found") + word(c.Departing != nil, " leaving") +
		word(c.Servers[0].Rerouted, " rerouted")
}

// resulting is what a result of server 1 changes.
func (c *Case) resulting(ok bool) string {
	s := &c.Servers[0]
	turned := c.Result(s, &s.First, ok, NoAnswer)
	return word(turned, "turns: ") + factsOf(s) + word(s.First.Loss == WrongAnswer, " wrong")
}

// learning is what a result that others had before makes of server 1, a pass and a failure.
func learning(c *Case) string {
	var all []string
	for _, ok := range []bool{true, false} {
		c := Case{c.Section, c.Clone()}
		s := &c.Servers[0]
		s.First.Learn(c.Rule, ok, WrongAnswer)
		c.Learned(s)
		all = append(all, strings.TrimSpace(fmt.Sprint(s.Health(), word(s.First.Proven, " proven"),
			word(s.First.Loss == WrongAnswer, " wrong"), " ", factsOf(s))))
	}
	return strings.Join(all, ", ")
}

// following is what becomes of a suspicion of server 1 by what its checks find.
func (c *Case) following(w Witness) string {
	w.Begins, w.fresh.Connections = true, 1
	w.Follow(&c.Servers[0], noon)
	return word(w.Suspected, "suspected") + w.Over + word(w.out, ", out") +
		word(w.Begins || w.fresh.Connections > 0, ", and what the last look found")
}

// looking is what a look at the server that leaves finds, with or without connections.
func (c *Case) looking(idle bool) string {
	l := &c.Departing[0]
	goes := c.Looked(l, idle, noon)
	return [...]string{"stays", "drained", "late"}[l.Over] + word(goes, ", goes") + word(l.Idle, ", idle") +
		word(c.ByHand[l.Addr], ", by hand")
}

// changing is what a change by hand of server 1 makes of it, where none was there before and where one was.
func (c Case) changing(in, empties bool) string {
	var all []string
	for _, before := range []bool{false, true} {
		if c.State = c.Clone(); before {
			c.byHand(1)
		}
		c.given("1 2 climbs")
		kept := c.Changed(at(1), in, empties)
		all = append(all, word(kept, "kept")+word(c.ByHand[at(1)], " by hand")+
			word(c.Servers[0].Climbs.IsZero(), ", ends")+
			word(c.Servers[1].Climbs.IsZero(), ", ends the other"))
	}
	return strings.Join(slices.Compact(all), ", then ")
}

// foundAnew are the addresses that a first look at the table finds, and how many it has.
func foundAnew(c *Case) string {
	have := c.Have
	c.Have = nil
	c.Read(have)
	return fmt.Sprint(len(c.Have), ":", addresses(func(a netip.AddrPort) bool { return c.Found[a] }))
}

// addresses are the last numbers of those for which is reports true.
func addresses(is func(netip.AddrPort) bool) string {
	var all []string
	for n := range byte(10) {
		if is(at(n)) {
			all = append(all, fmt.Sprint(n))
		}
	}
	return strings.Join(all, " ")
}

// readAgain is whether server 1 is in service after the table, which was unknown, is read.
func readAgain(c *Case) string {
	have := c.Have
	c.Lost()
	c.Read(have)
	return word(c.Servers[0].Entered, "entered")
}

// reloaded is the section after a reload of another file, whose checks have no results yet.
func (c *Case) reloaded(file string) Case {
	file, refined := strings.CutSuffix(file, ", a name has its address")
	now := sectionWith(file)
	for i := range now.Servers {
		s := &now.Servers[i]
		*s = Server{Member: s.Member, First: s.First, More: s.More}
		s.AssumeAll(health.Health{})
	}
	now.over(c)
	for _, check := range c.Servers[0].Checks() {
		if check.Way != nil {
			*check.Way = Way{} // which the new file's check may not share
		}
	}
	if refined {
		now.CarryTable(c)
		now.Servers[0].CarryOrders(&c.Servers[0])
		clear(c.ByHand)
	}
	return now
}

// over reloads the file. A server without a former one at its address is the one that had its place.
func (c *Case) over(was *Case) {
	old := func(i int) *Server {
		for o := range len(was.Servers) + len(was.FallbackServers) {
			if was.entry(o).Dest.Addr == c.entry(i).Dest.Addr {
				return was.entry(o)
			}
		}
		if i < len(was.Servers) {
			return was.entry(i)
		}
		return nil
	}
	c.Carry(was, was.Known, old, func(i, k int) *Check {
		if s := old(i); s != nil && k <= len(s.More) {
			return s.Check(k)
		}
		return nil
	})
}

// staysIn is what a director leaves in the table when it stops, for the next plan, and on standby.
func staysIn(c *Case) string {
	text := word(c.Goes(), ", goes") + word(c.Keeps(), ", keeps") + word(c.MayBeIn(), ", may be in")
	c.Left()
	return strings.TrimPrefix(text+word(c.LeftIn, ", is left in"), ", ")
}

// said are the sentences of all kinds about server 1.
func said(c *Case) string {
	var all []string
	v := c.Seen(&c.Servers[0], noon)
	for _, k := range Kinds {
		if k.Says != nil && k.Says(v) != "" {
			all = append(all, k.Name+": "+k.Says(v))
		}
	}
	return strings.Join(all, " / ")
}

// strong is the strength of a section: servers up, servers needed, then what is true.
func strong(c *Case) string {
	c.Weigh()
	n := c.Strength
	return fmt.Sprintf("%d/%d", n.Up, n.Needed) + word(n.Enough, " enough") + word(n.Known, " known") +
		word(n.Serves, " serves") + word(n.Holds, " holds")
}

// decidedOnce is what the table is to have, the rule of server 2, how long that climbs, and when the next decision is
// due.
func decidedOnce(c *Case) string {
	d := Decide(*c, noon)
	s := &d.State.Servers[1]
	text := placed(d.Places) + " by " + s.Why.String()
	if !s.Climbs.IsZero() {
		text += fmt.Sprint(", for ", noon.Sub(s.Climbs))
	}
	if !d.Again.IsZero() {
		text += fmt.Sprint(", again in ", d.Again.Sub(noon))
	}
	return text
}
