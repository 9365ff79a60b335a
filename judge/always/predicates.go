package always

import (
	"fmt"
	"slices"

	"ldirectord/checker/health"
)

// Predicate always holds. Step speaks of a step, Rest of a moment in which the director has nothing left to do. Each
// says what is wrong, or nothing.
type Predicate struct {
	Number int // of docs/judgement.md
	Step   func(*Step) string
	Rest   func(*Moment) string
}

// Says are the predicates in words, by their numbers.
var Says = [...]string{
	1:  "who comes into service has passed",
	2:  "who passes serves, with its weight",
	3:  "who fails does not serve",
	4:  "checks alone leave as many in service as the guard says",
	5:  "orders and maintenance are carried out",
	6:  "the fallback server serves while no other does",
	7:  "a change by hand stays until the server's next change of state or a reload",
	8:  "the same facts give the same decision, and no operation",
	9:  "a cause changes its own server alone",
	10: "the next daemon takes no healthy server out, and puts no unchecked one in",
	11: "it settles in three rounds",
	12: "it tells why",
	13: "what a check said stays until it says something else",
	14: "servers that come or go together, or one after the other, do so",
	15: "an order to obey ends when every server is up, and enough is enough by two numbers",
}

// Predicates are those that need no more than facts. The walk has others, of what it alone knows: its events, the
// decision, and its own operations.
var Predicates = []Predicate{
	{1, passed, nil},
	{2, nil, passing},
	{3, nil, failing},
	{4, guardKeeps, nil},
	{5, nil, ordersHold},
	{6, nil, fallbackServes},
	{7, nil, handIsUndone},
	{10, adopts, nil},
	{14, nil, leaves},
}

// excuses are the rules that may give way to a predicate, each with the facts that it needs.
var excuses = []struct {
	predicate int
	rule      string
	holds     func(*Moment, *Server) bool
}{
	{1, "hand", (*Moment).isByHand},
	{2, "hand", (*Moment).isByHand},
	{3, "hand", (*Moment).isByHand},
	{5, "hand", (*Moment).isByHand},
	{2, "unknown", func(m *Moment, _ *Server) bool { return m.Gathers }},
	{2, "rerouted", (*Moment).changesToGate},
	{2, "together", func(m *Moment, _ *Server) bool { return m.Together }},
	{3, "together", func(m *Moment, _ *Server) bool { return m.Together }},
	{10, "moved", func(_ *Moment, s *Server) bool { return s.Gone }},
}

func (m *Moment) isByHand(s *Server) bool { return m.ByHand[s.Dest.Addr] }

func (m *Moment) excused(predicate int, s *Server) bool {
	for _, e := range excuses {
		if e.predicate == predicate && e.holds(m, s) {
			return true
		}
	}
	return false
}

func passed(s *Step) string {
	m := s.After
	if m.Dead || s.Cause == Outside {
		return ""
	}
	for i := range m.Servers {
		o := &m.Servers[i]
		was, _ := s.Before.Have.At(o.Dest.Addr) // who is undone by repair served
		comes := s.Before.weightIn(o.Dest.Addr) == 0 && was.Weight == 0 && m.servesIn(o)
		// guard: who would be held while another has the section, or changes are refused, is held then; so is
		// one that served until somebody removed the virtual service, once the first ones come together
		held := o.Held && (s.Before.Theirs || s.Before.Failed || s.Before.Together)
		if comes && !(m.mayServe(o) && o.Verdict == health.Up) && !held && !m.excused(1, o) {
			return m.Call(o.Dest.Addr) + " comes into service"
		}
	}
	return ""
}

func passing(m *Moment) string {
	for i := range m.Servers {
		s := &m.Servers[i]
		if !m.mayServe(s) || s.Verdict != health.Up || m.excused(2, s) {
			continue
		}
		want := s.Dest
		want.Weight = s.Weight
		if got, in := m.Table.At(want.Addr); !in || got != want {
			return m.Call(want.Addr) + " passes, and is not in as configured"
		}
	}
	return ""
}

func failing(m *Moment) string {
	serving := 0
	for i := range m.Servers {
		if s := &m.Servers[i]; m.isGood(s) && m.servesIn(s) {
			serving++
		}
	}
	for i := range m.Servers {
		s := &m.Servers[i]
		if s.Verdict != health.Down || !s.Gone && !m.mayServe(s) || m.excused(3, s) {
			continue
		}
		got, in := m.Table.At(s.Dest.Addr)
		switch {
		case s.Gone && got.Weight == 0:
		case s.Held && (m.KeepServing.N == 0 || m.Obeys):
			return m.Call(s.Dest.Addr) + " is held without a guard"
		case s.Held && serving > m.KeepServing.Of(m.weighted()):
			return m.Call(s.Dest.Addr) + " is held, and others suffice"
		case s.Held:
		case got.Weight > 0 || in != m.Quiescent && !m.changesToGate(s):
			return m.Call(s.Dest.Addr) + " fails, and is in the table as if it did not"
		}
	}
	return ""
}

func guardKeeps(s *Step) string {
	b, m := s.Before, s.After
	if s.Cause != Checks || !b.Follows || !m.Follows || m.KeepServing.N == 0 || m.Obeys {
		return ""
	}
	was, now := 0, 0
	for i := range b.Servers {
		o := &b.Servers[i]
		if (b.isGood(o) || o.Kept && o.Verdict == health.Unknown && !o.Gone) && b.servesIn(o) {
			was++
		}
	}
	for i := range m.Servers {
		if o := &m.Servers[i]; !o.Gone && m.servesIn(o) {
			now++
		}
	}
	if least := min(was, m.KeepServing.Of(m.weighted())); now < least {
		return fmt.Sprintf("%d in service, %d by the guard", now, least)
	}
	return ""
}

func ordersHold(m *Moment) string {
	for i := range m.Servers {
		s := &m.Servers[i]
		d, in := m.Table.At(s.Dest.Addr)
		switch {
		case s.Gone || s.Unchecked || m.excused(5, s):
		case (s.Out || s.Drained) && d.Weight > 0:
			return m.Call(s.Dest.Addr) + " serves in spite of an order or a file"
		case s.Out && in && !m.Quiescent && !m.changesToGate(s):
			return m.Call(s.Dest.Addr) + " is in the table in spite of maintenance"
		}
	}
	return ""
}

func fallbackServes(m *Moment) string {
	serves := m.weightIn(m.Fallback.Addr) > 0
	if !m.Fallback.Addr.IsValid() || m.ByHand[m.Fallback.Addr] {
		return ""
	}
	good := false
	for i := range m.Servers {
		good = good || m.isGood(&m.Servers[i])
	}
	for addr := range m.Found {
		good = good || m.weightIn(addr) > 0
	}
	switch {
	case m.NoFallback && serves:
		return "it serves with checktype off"
	case m.NoFallback || m.isUnknown() || m.Together:
	case good && serves:
		return "it serves beside a server"
	case !good && !serves:
		return "it does not serve, and no other does"
	}
	return ""
}

// handIsUndone: with repair nothing by hand is left, once it was seen.
func handIsUndone(m *Moment) string {
	if len(m.ByHand) > 0 && m.Repair && m.Found == nil { // what was found is the table's as it is
		return "a change by hand is kept in spite of repair"
	}
	return ""
}

// adopts: a daemon that starts changes no server that its checks have not judged.
func adopts(s *Step) string {
	b, m := s.Before, s.After
	if s.Cause != Started || !m.Follows {
		return ""
	}
	for _, d := range b.Table {
		now, in := m.Table.At(d.Addr)
		if len(m.Waiting) > 0 && m.serverAt(d.Addr) == nil && d.Addr != m.Fallback.Addr &&
			!slices.Contains(b.Passed, d.Addr) &&
			(now != d || !in) {
			return m.Call(d.Addr) + " may be a server without an address, and is not as it was"
		}
	}
	for i := range m.Servers {
		o := &m.Servers[i]
		was, now := b.weightIn(o.Dest.Addr) > 0, m.servesIn(o)
		speaks := o.Out || o.Drained || o.Weight == 0 || m.changesToGate(o) ||
			slices.Contains(b.Passed, o.Dest.Addr)
		switch {
		case o.Unchecked || m.excused(10, o):
		case was && o.Verdict != health.Up:
			return m.Call(o.Dest.Addr) + " was in service, and does not count as up"
		case was && !now && !speaks:
			return m.Call(o.Dest.Addr) + " was in service, and is not"
		case !was && now:
			return m.Call(o.Dest.Addr) + " was not in service, and is"
		}
	}
	return ""
}

// leaves: who left the file drains while another serves.
func leaves(m *Moment) string {
	for _, l := range m.Leavers {
		if m.serverServes() && m.weightIn(l) > 0 && !m.ByHand[l] {
			return m.Call(l) + " left the file, and serves beside others"
		}
	}
	return ""
}

func (m *Moment) serverServes() bool {
	return slices.ContainsFunc(m.Servers, func(s Server) bool { return m.isGood(&s) && m.servesIn(&s) })
}
