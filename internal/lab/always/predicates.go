package always

import (
	"fmt"
	"slices"

	"ldirectord/internal/health"
	"ldirectord/internal/lvs"
)

// Predicate is a statement that always holds. Step examines a step, Rest a moment in which the director has nothing
// left to do, and One each server at such a moment. Each returns what is wrong, or "" if nothing is. One leaves out the
// server's name.
type Predicate struct {
	Number int // of docs/measured/walk.md
	Step   func(*Step) string
	Rest   func(*Moment) string
	One    func(*Moment, *Server) string
}

// Says lists the predicates in words, by their numbers.
var Says = [...]string{
	1:  "a server that comes into service has passed",
	2:  "a server that passes serves, with its weight",
	3:  "a server that fails does not serve",
	4:  "checks alone leave as many in service as the guard requires",
	5:  "orders and maintenance are carried out",
	6:  "the fallback server serves while no other does",
	7:  "a change by hand stays until the server's next change of state or a reload",
	8:  "the same facts give the same decision, and no change of the table",
	9:  "an event changes its own server alone",
	10: "a daemon that starts takes no healthy server out, and puts no unchecked one in",
	11: "three rounds lead to a table that stays",
	12: "each destination has a rule that explains it",
	13: "the result of a check stays until there is another one",
	14: "servers that come or leave together do, and servers that change in turn do",
	15: "an order to obey ends when every server is up; minservers counts by its two numbers",
	16: "a failure through the virtual address alone waits for proof, and is ignored while the brake holds",
	17: "a server that joins others climbs; no weight exceeds that of the file or the order",
	18: "a server that failed again soon after its return stays out for its time; servers return at the pace",
	19: "a server that reports drain or maint gets no new client, unless the guard holds it",
	20: "backup servers serve while too few others do, and keep their connections when they leave",
	21: "a server that fails and accepts connections leaves in its turn",
	22: "a server that fails keeps its place in the table, or loses it, as onfail says",
	23: "a suspected server is left out alone, while enough others serve",
}

// Predicates lists the predicates that need only facts. The walk has others, which need what only the walk knows: its
// events, the decision, and its own operations.
var Predicates = []Predicate{
	{1, passed, nil, nil},
	{2, staysIn, nil, passing},
	{3, nil, nil, failing},
	{3, nil, isSomebodys, nil},
	{4, guardKeeps, nil, nil},
	{5, nil, nil, ordersHold},
	{6, fallbackComes, fallbackServes, nil},
	{6, leavesNone, nil, nil},
	{7, nil, handIsUndone, nil},
	{10, adopts, nil, nil},
	{14, drainsOn, leaves, nil},
	{20, backupTurns, nil, backupServes},
	{14, nil, nil, formerGoes},
	{14, nil, changesInTurn, nil},
	{17, nil, nil, weighsNoMore},
	{18, nil, nil, waitsBeside},
	{19, nil, nil, wordsHold},
	{23, leavesOutOne, nil, leftOut},
}

// Ask reports what is wrong with a step.
func (s *Step) Ask(report func(number int, what string)) {
	for _, p := range Predicates {
		if p.Step != nil {
			tell(report, p.Number, p.Step(s))
		}
	}
}

// Ask reports what is wrong with a moment in which the director has nothing left to do.
func (m *Moment) Ask(report func(number int, what string)) {
	for _, p := range Predicates {
		if p.Rest != nil {
			tell(report, p.Number, p.Rest(m))
		}
		if p.One != nil {
			tell(report, p.Number, m.first(func(s *Server) string { return p.One(m, s) }))
		}
	}
}

func tell(report func(number int, what string), number int, what string) {
	if what != "" {
		report(number, what)
	}
}

// first returns the name of the first server with which something is wrong, and what that is.
func (m *Moment) first(wrong func(*Server) string) string {
	for i := range m.Servers {
		if what := wrong(&m.Servers[i]); what != "" {
			return m.Call(m.Servers[i].Dest.Addr) + what
		}
	}
	return ""
}

// excuses lists exceptions. The predicate does not apply to a server for which holds returns true, because there the
// rule decides.
var excuses = []struct {
	predicate int
	rule      string
	holds     func(*Moment, *Server) bool
}{
	{1, "hand", (*Moment).isByHand},
	{2, "hand", (*Moment).isByHand},
	{1, "slowstart", (*Moment).climbs},
	{2, "slowstart", (*Moment).climbs},
	{3, "hand", (*Moment).isByHand},
	{5, "hand", (*Moment).isByHand},
	{2, "unknown", func(m *Moment, _ *Server) bool { return m.Gathers }},
	{2, "rerouted", (*Moment).changesToGate},
	{2, "together", func(m *Moment, _ *Server) bool { return m.Together }},
	{3, "together", func(m *Moment, _ *Server) bool { return m.Together }},
	{2, "held down", func(_ *Moment, s *Server) bool { return s.Waits }},
	{10, "told", func(_ *Moment, s *Server) bool { return s.Asks > health.NoAdmin && !s.Held }},
	{10, "observe", func(_ *Moment, s *Server) bool { return s.LeftOut }}, // as the previous daemon had decided
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
	for _, d := range m.Table {
		was, _ := s.Before.Have.At(d.Addr)
		comes := d.Weight > 0 && s.Before.WeightIn(d.Addr) == 0 && was.Weight == 0
		if comes && m.configured(d.Addr) == nil && d.Addr != m.Fallback.Addr && !m.ByHand[d.Addr] {
			return m.Call(d.Addr) + " comes into service, and is not configured"
		}
	}
	return m.first(func(o *Server) string {
		was, _ := s.Before.Have.At(o.Dest.Addr) // a server that repair puts back was serving
		comes := s.Before.WeightIn(o.Dest.Addr) == 0 && was.Weight == 0 && m.ServesIn(o)
		// The guard may have had to wait while another daemon had the section, or while changes were refused.
		held := o.Held && (s.Before.Taken || s.Before.Failed)
		switch {
		case !comes || o.Unsure || m.excused(1, o):
		case !m.IsSure(o, health.Up) && !held:
			return " comes into service"
		case !m.isAsConfigured(o) && !m.changesToGate(o):
			return " comes into service, and not as configured"
		}
		return ""
	})
}

// staysIn: a server that passes is not taken out, not even for a moment.
func staysIn(s *Step) string {
	m := s.After
	if m.Dead || m.Taken || s.Cause == Outside {
		return ""
	}
	return m.first(func(o *Server) string {
		goes := s.Before.WeightIn(o.Dest.Addr) > 0 && !m.ServesIn(o)
		had, _ := s.Before.Have.At(o.Dest.Addr) // weight 0: a server that waits was added by hand
		excused := m.excused(2, o) && (!o.Waits || had.Weight == 0 || o.LeftOut)
		if goes && m.IsSure(o, health.Up) && o.Weight > 0 && !excused {
			return " passes, and is taken out"
		}
		return ""
	})
}

func passing(m *Moment, s *Server) string {
	if m.MayServe(s) && s.Health == health.Up && !m.excused(2, s) && !m.isAsConfigured(s) {
		return " passes, and is not in as configured"
	}
	return ""
}

// serving returns how many servers with a weight serve, except backup servers.
func (m *Moment) serving() (n int) {
	for i := range m.Servers {
		if s := &m.Servers[i]; !s.Backup && s.Weight > 0 && m.isGood(s) && m.ServesIn(s) {
			n++
		}
	}
	return n
}

// suffice reports whether more servers serve than checks must leave.
func (m *Moment) suffice() bool { return m.serving() > m.KeepServing.Of(m.Weighted()) }

func failing(m *Moment, s *Server) string {
	if s.Health != health.Down || !s.Gone && !m.MayServe(s) || m.excused(3, s) {
		return ""
	}
	got, in := m.Table.At(s.Dest.Addr)
	switch {
	case s.Gone && got.Weight == 0:
	case s.Held && (m.KeepServing.N == 0 && !s.Lingers || m.Obeys):
		return " is held without a guard"
	case s.Held && !s.Lingers && m.suffice():
		return " is held, and others suffice"
	case s.Held && !m.isAsConfigured(s) && !m.changesToGate(s) && !m.Gathers:
		return " is held, and is not in as configured"
	case s.Held:
	case got.Weight > 0 || m.isAgainstOnFail(s, in) && !m.changesToGate(s):
		return " fails, and is in the table as if it did not"
	}
	return ""
}

// isAgainstOnFail reports whether a failing server is in the table, or is not, although onfail requires the opposite.
func (m *Moment) isAgainstOnFail(s *Server, in bool) bool {
	switch {
	case m.OnFail == lvs.ByQuiescent:
		return in != m.Quiescent
	case s.Ends && !s.Drained:
		return in
	}
	return !in && m.Quiescent && m.OnFail < 0
}

// isSomebodys: each destination in the table is configured, or has a reason to be there.
func isSomebodys(m *Moment) string {
	for _, d := range m.Table {
		s := m.serverAt(d.Addr)
		switch {
		case s != nil && d.Forward != s.Dest.Forward && !m.changesToGate(s) && !m.isByHand(s) && !m.Rests(s):
			return m.Call(d.Addr) + " is in the table by another forwarding method"
		case s != nil && !s.Unchecked, d == m.Fallback && !m.NoFallback, m.departure(d.Addr) != nil:
		case m.ByHand[d.Addr], m.Found[d.Addr], m.IsUnknown(), m.Together:
		default:
			return m.Call(d.Addr) + " is in the table, and is no server of the section"
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
		kept := o.Kept && o.Health == health.Unknown && !o.Gone
		// A server with weight 0 by file or order serves only by hand. The guard does not count it.
		if (b.isGood(o) || kept) && o.Weight > 0 && !o.Backup && b.ServesIn(o) {
			was++
		}
	}
	for i := range m.Servers {
		if o := &m.Servers[i]; !o.Gone && !o.Backup && m.ServesIn(o) {
			now++
		}
	}
	if least := min(was, m.KeepServing.Of(m.Weighted())); now < least {
		return fmt.Sprintf("%d in service, %d by the guard", now, least)
	}
	return ""
}

func ordersHold(m *Moment, s *Server) string {
	d, in := m.Table.At(s.Dest.Addr)
	switch {
	case s.Gone || s.Unchecked || m.excused(5, s):
	case (s.Out || s.Drained) && d.Weight > 0:
		return " serves in spite of an order or a file"
	case m.Rests(s):
	case s.Out && in != m.Quiescent && !m.changesToGate(s) && !m.Together:
		return " is in maintenance, and is in the table as if it were not"
	case s.Out || !s.Drained || s.Health == health.Unknown || m.Together || m.changesToGate(s):
	case s.Health == health.Down && !s.Held && !m.isAgainstOnFail(s, in):
	case in != (m.Quiescent || s.Held || s.Health == health.Up):
		return " is drained, and is in the table as if it were not"
	}
	return ""
}

func fallbackServes(m *Moment) string {
	serves := m.WeightIn(m.Fallback.Addr) > 0
	if !m.Fallback.Addr.IsValid() || m.ByHand[m.Fallback.Addr] {
		return ""
	}
	good := m.SomeIsGood()
	for addr := range m.Found {
		good = good || m.WeightIn(addr) > 0
	}
	switch {
	case m.NoFallback && serves:
		return "it serves with checktype off"
	case m.NoFallback || m.IsUnknown() || m.Together:
	case good && serves:
		return "it serves beside a server"
	case !good && !serves:
		return "it does not serve, and no other does"
	}
	return ""
}

// fallbackComes: the fallback server comes into service only when no server serves and none is unknown.
func fallbackComes(s *Step) string {
	b, m := s.Before, s.After
	at := m.Fallback.Addr
	if m.Dead || s.Cause == Outside || !at.IsValid() || b.WeightIn(at) > 0 || m.WeightIn(at) == 0 {
		return ""
	}
	for i := range m.Servers {
		switch o := &m.Servers[i]; {
		case m.IsSure(o, health.Up), o.Held && m.IsSure(o, health.Down):
			return "it comes, and " + m.Call(o.Dest.Addr) + " serves"
		case m.IsSure(o, health.Unknown) && !o.Held && !b.FallbackIn:
			return "it comes, and " + m.Call(o.Dest.Addr) + " is unknown"
		}
	}
	return ""
}

// leavesNone: the last server that serves is not taken out while another could serve, or while the state of those that
// replace it is unknown.
func leavesNone(s *Step) string {
	b, m := s.Before, s.After
	if m.Dead || m.Taken || s.Cause == Outside || !b.Table.Serve() || m.Table.Serve() ||
		m.Failed || // the changes that were to follow were not made
		b.Have != nil && !b.Have.Serve() || m.Have.Serve() { // a change by hand is not known yet
		return ""
	}
	left := slices.ContainsFunc(b.Table, func(d lvs.Dest) bool {
		return d.Weight > 0 && (b.Have == nil || b.Have.Weight(d.Addr) > 0) && d.Addr != m.Fallback.Addr &&
			m.configured(d.Addr) == nil
	})
	allDown := true
	for i := range m.Servers {
		o := &m.Servers[i]
		if o.Touched || m.isByHand(o) || m.Gathers || m.Together {
			allDown = false
			continue
		}
		if o.Weight > 0 && m.IsSure(o, health.Up) || left && m.IsSure(o, health.Unknown) {
			return "none serves, and " + m.Call(o.Dest.Addr) + " could, or is not known"
		}
		if o.Former {
			continue
		}
		allDown = allDown && !o.Unsure && !o.Held && (!m.MayServe(o) || o.Health == health.Down)
	}
	if allDown && m.Fallback.Addr.IsValid() && !m.NoFallback && !m.FallbackTouched {
		return "none serves, and the fallback server could"
	}
	return ""
}

// handIsUndone: with repair, no change by hand remains once the daemon has seen it.
func handIsUndone(m *Moment) string {
	for addr := range m.ByHand {
		if m.Repair && !m.Found[addr] { // what was found at the start stays as it is
			return m.Call(addr) + " was changed by hand, and that is kept in spite of repair"
		}
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
	return m.first(func(o *Server) string {
		was, now := b.WeightIn(o.Dest.Addr) > 0, m.ServesIn(o)
		speaks := o.Out || o.Drained || o.Weight == 0 || m.changesToGate(o) ||
			slices.Contains(b.Passed, o.Dest.Addr)
		switch {
		case o.Unchecked || m.excused(10, o):
		case was && o.Health != health.Up:
			return " was in service, and does not count as up"
		case was && !now && !speaks:
			return " was in service, and is not"
		case !was && now:
			return " was not in service, and is"
		}
		return ""
	})
}

// drainsOn: a server that left the file stays while it has connections and its draintime is not over.
func drainsOn(s *Step) string {
	b, m := s.Before, s.After
	if m.Dead || m.Taken || s.Cause == Outside {
		return ""
	}
	for _, l := range b.Departing {
		_, in := b.Table.At(l.Addr)
		if _, still := m.Table.At(l.Addr); l.Stays && in && !still && m.drains(&l) {
			return m.Call(l.Addr) + " left the file, and does not drain"
		}
	}
	return ""
}

// drains reports whether a departing server has to drain: it left the file, or is a healthy backup server that rests.
func (m *Moment) drains(l *Departure) bool {
	s := m.serverAt(l.Addr)
	return s == nil && !l.Endless || s != nil && m.Rests(s) && s.Health == health.Up && !s.Out
}

// leaves: a server that left the file has weight 0, unless it serves until the state of another is known.
func leaves(m *Moment) string {
	for _, l := range m.Departing {
		if (m.serverServes() || !m.IsUnknown()) && m.WeightIn(l.Addr) > 0 && !m.ByHand[l.Addr] && !m.Together {
			return m.Call(l.Addr) + " left the file, and serves beside others"
		}
	}
	return ""
}

func (m *Moment) serverServes() bool {
	return slices.ContainsFunc(m.Servers, func(s Server) bool { return m.isGood(&s) && m.ServesIn(&s) })
}

// formerGoes: the server at a former address goes when the one at the new address is up.
func formerGoes(m *Moment, s *Server) string {
	if !s.Former || s.Gone || s.Unchecked {
		return ""
	}
	now := &m.Servers[s.To]
	passes := now.Health == health.Up && !now.Waits && (now.Asks == health.NoAdmin || now.Drained)
	if !now.Out && (passes || now.Held) || s.Out && passes {
		return " is at a former address, and stays beside the one at the new address"
	}
	return ""
}

// changesInTurn: servers change to gate when their connections have ended. If others serve, one such server at a time
// gets no new connections; the others keep their weights.
func changesInTurn(m *Moment) string {
	waits := 0
	for i := range m.Servers {
		s := &m.Servers[i]
		if !m.changesToGate(s) || !m.isGood(s) || m.isByHand(s) || s.Weight == 0 {
			continue
		}
		switch weight := m.WeightIn(s.Dest.Addr); {
		case weight == s.Bears() || m.Gathers || s.Climbs && weight > 0 && weight < s.Weight:
		case weight > 0:
			return m.Call(s.Dest.Addr) + " changes to gate, and has another weight"
		default:
			waits++
		}
	}
	if waits > 1 || waits == 1 && !m.Table.Serve() {
		return "more than one waits to change to gate, or none serves for it"
	}
	return ""
}

// weighsNoMore: no server has more than the weight that the file or an order gives it.
func weighsNoMore(m *Moment, s *Server) string {
	if !s.Gone && !m.isByHand(s) && m.WeightIn(s.Dest.Addr) > s.Weight {
		return " has more than its weight"
	}
	return ""
}

// wordsHold: a server that passes and reports drain or maint has no weight, unless the guard needs it and holds it.
func wordsHold(m *Moment, s *Server) string {
	d, in := m.Table.At(s.Dest.Addr)
	switch {
	case s.Asks == health.NoAdmin || s.Gone || s.Unchecked || s.Unsure || m.isByHand(s):
	case !s.Held && d.Weight > 0:
		return " asks to be left out, and serves"
	case !s.Held && s.Asks == health.Maint && in != m.Quiescent && !s.Drained && !m.changesToGate(s) &&
		!m.Together && !m.Rests(s):
		return " reports maint, and is in the table as if it did not"
	case !s.Held || s.Health != health.Up || !m.MayServe(s):
	case m.KeepServing.N == 0 || m.Obeys:
		return " is held against its word without a guard"
	case m.suffice():
		return " is held against its word, and others suffice"
	case d.Weight == 0 && s.Weight > 0 && !m.changesToGate(s) && !m.Gathers:
		return " is held, and has no weight"
	}
	return ""
}

// waitsBeside: a server waits to come back only while enough serve: as many as the guard requires, and at least half of
// those with a weight.
func waitsBeside(m *Moment, s *Server) string {
	serving := 0
	for i := range m.Servers {
		o := &m.Servers[i]
		if !o.Held && m.isGood(o) && m.ServesIn(o) || o.Kept && o.Health == health.Unknown || m.SoonServes(o) {
			serving++
		}
	}
	least := max(m.KeepServing.Of(m.Weighted()), (m.Weighted()+1)/2)
	if s.Waits && !s.Gone && !s.Unsure && serving < least {
		return " waits, and too few serve"
	}
	return ""
}

// SoonServes reports whether a server serves as soon as its first checks pass.
func (m *Moment) SoonServes(s *Server) bool {
	isOut := m.isByHand(s) && !m.ServesIn(s)
	return s.Unasked && s.Health == health.Unknown && m.MayServe(s) && s.Weight > 0 && !s.Backup && !isOut
}

// leavesOutOne: one server at a time is left out because its clients get no answers.
func leavesOutOne(s *Step) string {
	out := 0
	for i := range s.After.Servers {
		if o := &s.After.Servers[i]; o.LeftOut && !o.Gone {
			out++
		}
	}
	if out > 1 {
		return "two servers are left out"
	}
	return ""
}

// leftOut: a server that is left out does not serve.
func leftOut(m *Moment, s *Server) string {
	if s.LeftOut && s.Waits && m.ServesIn(s) && !m.isByHand(s) && !m.Gathers {
		return " is left out, and serves"
	}
	return ""
}
