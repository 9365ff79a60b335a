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

// Each rule alone. Unless a row differs, servers 1 and 2 of weight 4 pass and are in the table.

var noon = testkit.Time("2026-11-22T12:00:00Z")

// fallbackAt is a section's only fallback server.
func fallbackAt(n byte) []*Member {
	return []*Member{{Dest: lvs.Dest{Addr: at(n), Weight: 1}, Fallback: true, Unchecked: true}}
}

func at(n byte) netip.AddrPort { return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, 0, n}), 80) }

type dests = map[netip.AddrPort]lvs.Dest

// inService is a section whose servers pass and are in the table with these weights, at 1, 2 and so on.
func inService(weights ...uint32) Case {
	c := Case{Section: &Section{Rule: health.Rule{Fall: 1, Rise: 1}}}
	for i, weight := range weights {
		m := &Member{At: int32(i), Dest: lvs.Dest{Addr: at(byte(i + 1)), Weight: weight}, MovedTo: -1}
		c.Members = append(c.Members, m)
		c.Servers = append(c.Servers, Server{Member: m, Entered: weight > 0,
			First: Check{Way: &Way{}, Health: health.Assume(health.Up)}})
		c.Have = append(c.Have, m.Dest)
	}
	c.Known = true
	c.Index()
	return c
}

func (c *Case) has(n byte, weight uint32) { c.Have.Put(lvs.Dest{Addr: at(n), Weight: weight}) }

func (c *Case) byHand(n byte) { c.ByHand = map[netip.AddrPort]bool{at(n): true} }

// hearRule applies one rule, or several, to a case, after others have placed servers.
func hearRule(rules, soFar string, c Case) *proposal {
	c.State = c.cloneServers()
	h := &proposal{Case: c, now: noon, Decision: Decision{Places: dests{}}}
	h.placing(soFar)
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
func placed(places dests) string {
	var list []string
	for _, d := range lvs.DestsOf(places) {
		text := fmt.Sprintf("%d:%d", d.Addr.Addr().As4()[3], d.Weight)
		list = append(list, text+word(d.Forward == lvs.Route, " by gate"))
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

// views are what holds before each row of a rule, and what the rows show of it, where that is not the places.
var views = map[string]struct {
	given string
	see   func(*proposal) string
}{
	"back together": {"", func(h *proposal) string { return word(h.Gathers(), "waits") }},
	"moved / given up": {"", func(h *proposal) string {
		return numbers(h, func(s *Server) bool { return s.Gone }) + word(len(h.Departing) > 0, " drains")
	}},
	"names": {"", func(h *proposal) string {
		return numbers(h, func(s *Server) bool { return s.Since.Equal(noon) })
	}},
	"obeyed":                  {"", func(h *proposal) string { return word(h.Obeys, "obeys") }},
	"guard, removals, leaves": {"", heldOf},
	"guard, leaves": {"servers=4/4/4, 1 down held, 2 rerouted table=0", func(h *proposal) string {
		return word(h.Servers[0].Held, "held")
	}},
	"released / let go": {"", func(h *proposal) string { return word(len(h.ByHand) > 0, "by hand") }},
	"down":              {"", placedBy},
	"hand":              {"; 1:4", placedBy},
	"fallback":          {"fallback=9", nil},
	"replaced":          {"empty, 5 table=3", nil},
	"rerouted":          {"1 2 gate; 1:4 by gate, 2:4 by gate", nil},
	"unknown": {"", func(h *proposal) string {
		return strings.TrimSpace(placed(h.Places) + word(h.unknown, " unknown"))
	}},
	"up":    {"", placedUp},
	"found": {"", placedUp},
}

func placedUp(h *proposal) string { return placed(h.Places) + word(h.up, " up") }

// placedBy shows for which servers the rule is the reason.
func placedBy(h *proposal) string {
	return strings.TrimSpace(placed(h.Places) + word(h.Servers[0].Why == h.by, " by it") +
		word(h.Servers[1].Why != 0, ", and the other"))
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
		view := views[row[0]]
		if view.see == nil {
			view.see = func(h *proposal) string { return placed(h.Places) }
		}
		for rule := range strings.SplitSeq(row[0], " / ") {
			c, soFar := inService(4, 4), ""
			for _, given := range []string{view.given, row[2]} {
				state, places, _ := strings.Cut(given, ";")
				c.given(state)
				soFar += "," + places
			}
			h := hearRule(rule, soFar, c)
			testkit.Equal(t, view.see(h), row[3], rule, row[1])
			testkit.Equal(t, h.over, false, rule, row[1], "the rules after it are not asked")
		}
	}
}

// placing is what rules before did: "3:1, 1:4 by gate, 2:-, unknown" is one place more, one by gate, and one less, and
// a server without a result.
func (h *proposal) placing(text string) {
	for place := range strings.SplitSeq(text, ",") {
		words := strings.Fields(strings.Replace(place, ":", " ", 1))
		if len(words) < 2 {
			h.up = h.up || slices.Contains(words, "up")
			h.unknown = h.unknown || slices.Contains(words, "unknown")
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
