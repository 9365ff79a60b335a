package judge

import (
	"fmt"
	"slices"

	"ldirectord/internal/health"
	"ldirectord/internal/lab/always"
	"ldirectord/internal/lvs"
)

// step is one event, with the worlds before and after it, and the facts of both.
type step struct {
	before, after *world
	from, to      *always.Moment
	event
}

// predicates are those that need to know what only the walk knows: the event, the decision, and the operations. Each
// returns what is wrong with a step, or nothing. Those that need only facts are in package always.
var predicates = []struct {
	number int
	says   func(*step) string
}{
	{2, comesBack}, {6, fallbackStays}, {6, refusedReplaces}, {7, handStays}, {7, handEnds}, {8, standbyIsIdle},
	{9, ownServer}, {13, checksStay}, {14, comesInOrder}, {15, endsInTime}, {16, brakesRightly}, {16, brakeEnds},
	{17, climbsRightly}, {17, stepsInTime}, {18, holdsDown}, {18, comesAtPace}, {18, comesByOrder},
	{18, remembersFalls}, {21, goesAtPace}, {22, failsRightly}, {22, provesItself}, {23, leavesOutOne},
}

// others are the rules by which a step may change a server that it isn't about, each with the facts that it needs.
var others = []struct {
	rule  string
	holds func(w *world, i int) bool
}{
	{"guard", func(w *world, i int) bool { return w.sl.has(guarded) }},
	{"unknown", func(w *world, i int) bool { return w.sl.has(strength) }},
	{"rerouted", func(w *world, i int) bool { return w.sl.has(rerouted_) }},
	{"together", func(w *world, i int) bool { return w.sl.has(together_) }},
	{"brake", func(w *world, i int) bool { return w.sl.has(brake) && isAccused(&w.Servers[i]) }},
	{"moved", func(w *world, i int) bool { return w.Members[i].MovedTo >= 0 }},
	{"slowstart", func(w *world, i int) bool { return !w.Servers[i].Climbs.IsZero() }},
	{"backup", func(w *world, i int) bool { return w.Members[i].Backup }},
	{"returns", func(w *world, i int) bool { return w.Servers[i].Waits() }},
}

func nameOf(s *Server) string { return callAddr(s.Dest.Addr) }

// first is the name of the first server with which something is wrong, and what that is.
func (w *world) first(wrong func(*Server) string) string {
	for one := range w.all() {
		if what := wrong(one); what != "" {
			return nameOf(one) + what
		}
	}
	return ""
}

// changes reports whether a destination is not as it was.
func (s *step) changes(addr addrPort) bool { return differs(s.from.Table, s.to.Table, addr) }

func differs(a, b lvs.Dests, addr addrPort) bool {
	was, in := a.At(addr)
	now, still := b.At(addr)
	return was != now || in != still
}

// isOf reports whether a step is a result of a server, or an order or a file for it.
func (s *step) isOf(one *Server) bool {
	if s.kind == result {
		return one.At == int32(s.a)
	}
	return s.after.cfg.server[one.At] == int(s.a)
}

// follows reports whether the director knows the table before and after a step.
func (s *step) follows() bool { return s.from.Follows && s.to.Follows }

// isJudged reports whether a step is about one server, and the director knows the table before and after it.
func (s *step) isJudged() bool {
	return s.follows() && (s.kind == result || s.kind == order || s.kind == file)
}

// comesBack: a virtual service that was removed by hand comes back with the servers that pass.
func comesBack(s *step) string {
	if s.kind != look || s.before.there || !s.to.Follows || s.to.Gathers {
		return ""
	}
	for i := range s.to.Servers {
		o := &s.to.Servers[i]
		had, _ := s.from.Have.At(o.Dest.Addr)
		if had.Weight > 0 && !s.to.ServesIn(o) && s.to.IsSure(o, health.Up) && o.Weight > 0 && !o.LeftOut {
			return callAddr(o.Dest.Addr) + " served until the virtual service was removed, and is not back"
		}
	}
	return ""
}

// fallbackStays: while a server is unknown and none is up, a result neither adds nor removes the fallback server.
func fallbackStays(s *step) string {
	b, m, w := s.from, s.to, s.after
	if !m.Follows || !m.IsUnknown() || m.Gathers {
		return ""
	}
	edited := s.kind == edit && s.b != editWeight && s.b != editPolicy && s.c == 0 && b.Follows
	if edited && !w.sl.has(hand|ordering|maintained) && !m.Quiescent && m.Weighted() == len(m.Servers) &&
		b.Table.Serve() && !m.Table.Serve() {
		return "a reload leaves none in service while a server is unknown"
	}
	at := m.Fallback.Addr
	if (s.kind != result || !b.Follows) && s.kind != start || !at.IsValid() || m.ByHand[at] {
		return ""
	}
	changes := (m.WeightIn(at) > 0) != (b.WeightIn(at) > 0) && (b.IsUnknown() || s.kind == start)
	if changes && !m.SomeIsGood() && !b.SomeIsGood() {
		return "the fallback server comes or goes while a server is unknown"
	}
	return ""
}

// refusedReplaces: while the table refuses a server that passes, none leaves that it was to replace as the last one.
// What was changed by hand since the last look is not known.
func refusedReplaces(s *step) string {
	serves := func(one Server) bool { return one.IsUp() && !one.Held && one.Weight() > 0 }
	if s.mishap.kind != refused || !s.from.Follows || s.to.Table.Serve() ||
		!slices.ContainsFunc(s.after.Servers, serves) {
		return ""
	}
	for _, d := range s.from.Table {
		if one := s.after.At(d.Addr); d.Weight > 0 && (one == nil || serves(*one)) {
			return callAddr(d.Addr) + " is taken out, and the table refused what replaces it"
		}
	}
	return ""
}

// handStays: a change by hand stays, except at the server whose state a step changes.
func handStays(s *step) string {
	b, w := s.before, s.after
	if !s.to.Follows || b.failed || !b.there {
		return ""
	}
	looks := s.kind == look || s.kind == time_ && b.climbs() && b.Known
	if looks {
		for _, addr := range addrs {
			one := w.At(addr)
			undone := w.Repair && !b.Found[addr] || one != nil &&
				(s.to.Servers[one.At].Out || one.Rerouted || s.relieves(one) || s.suspects(one))
			byHand := w.ByHand[addr] || differs(b.Have, b.table, addr)
			if byHand && !undone && s.changes(addr) {
				return callAddr(addr) + " was changed by hand, and is undone"
			}
		}
	}
	switch s.kind {
	case look, start, change, removal, demote, promote, obey, lookAtLeaver, retry:
		return ""
	case edit:
		if s.b != editName && (s.b != editAddress || w.lines[s.a].waits) {
			return ""
		}
	}
	for addr := range b.ByHand {
		now, was := w.At(addr), b.At(addr)
		turns := addr == addrs[sorry] || (now == nil) != (was == nil)
		if now != nil && was != nil {
			turns = now.At != was.At || was.Held && !now.Held || s.relieves(now) || s.suspects(now) ||
				now.State() != was.State() || asks(now) != asks(was) || s.verdicts(now.At) ||
				(s.kind == order || s.kind == file) && s.isOf(now)
		}
		if !turns && s.changes(addr) {
			return callAddr(addr) + " was changed by hand, and the change is lost"
		}
	}
	return ""
}

// relieves reports whether a server is a backup server, and backup servers come into service or leave it.
func (s *step) relieves(one *Server) bool { return one.Backup && s.from.Backed != s.to.Backed }

// verdicts reports whether the verdict of a server's checks changes.
func (s *step) verdicts(i int32) bool { return s.from.Servers[i].Health != s.to.Servers[i].Health }

// handEnds: a change by hand ends with the server's next change of state, and with an order or a file for it. For a
// held server it ends when it is no longer held. For the fallback server it ends when that is to come or to go.
func handEnds(s *step) string {
	b, w := s.before, s.after
	if !s.isJudged() {
		return ""
	}
	for now := range w.all() {
		addr := now.Dest.Addr
		turns := b.Servers[now.At].State() != now.State() && !now.Held || s.kind != result && s.isOf(now)
		if _, in := b.table.At(addr); turns && b.ByHand[addr] && w.ByHand[addr] &&
			(in || now.State() != health.Down) {
			return nameOf(now) + " has another state, and what was changed by hand is still kept"
		}
	}
	turns := s.from.SomeIsGood() != s.to.SomeIsGood() && !s.from.IsUnknown() && !s.to.IsUnknown() &&
		!w.NoFallback && w.Found == nil
	if turns && b.ByHand[addrs[sorry]] && w.ByHand[addrs[sorry]] {
		return "the fallback server is to come or to go, and what was changed by hand is still kept"
	}
	return ""
}

func standbyIsIdle(s *step) string {
	if !s.after.IsOurs() && len(s.after.did) > 0 {
		return "the director changes the table while it is a standby"
	}
	return ""
}

// ownServer: a step about one server leaves the others where they are.
func ownServer(s *step) string {
	b, w := s.before, s.after
	if !s.isJudged() {
		return ""
	}
	for addr := range w.Found {
		if b.Found[addr] && s.changes(addr) {
			return callAddr(addr) + " was found, and its destination changes"
		}
	}
	return w.first(func(one *Server) string {
		excused := false
		for _, o := range others {
			excused = excused || o.holds(w, int(one.At)) || o.holds(b, int(one.At))
		}
		if !excused && !s.isOf(one) && s.changes(one.Dest.Addr) {
			return " changes for another server"
		}
		return ""
	})
}

// tellsWhy: each place has the name of the rule that decided it. State and rule together have one cause only.
func tellsWhy(w *world, m *always.Moment) string {
	d := &w.reported
	for addr := range d.Places {
		if by, other := d.Others[addr]; w.At(addr) == nil && !(other && Rules[by-1].places) {
			return "a place has no rule"
		}
	}
	for s := range w.all() {
		why := s.Why
		if why == 0 {
			return nameOf(s) + " has no rule"
		}
		cause, reported := w.cause(s, m), &w.sl.causes[s.Name][why]
		if *reported == "" {
			*reported = cause
		}
		if *reported != cause {
			return fmt.Sprintf("%s, %v by rule %v, may be: %s, %s", nameOf(s), s.Name, why, *reported,
				cause)
		}
	}
	return ""
}

// cause is why a server is where it is, in an operator's words.
func (w *world) cause(s *Server, m *always.Moment) string {
	facts := &m.Servers[s.At]
	switch {
	case m.Together:
		return "the first servers come together"
	case s.Rerouted:
		return "changes to gate"
	case w.ByHand[s.Dest.Addr]:
		return "by hand"
	case s.Unchecked:
		return "not checked"
	case m.Rests(facts):
		return "rests"
	case facts.Out:
		return "maintenance"
	case facts.Drained && (facts.Health != health.Down || s.Held):
		return "drained"
	case facts.Asks > health.NoAdmin && !s.Held && (facts.Health != health.Down || facts.Asks == health.Maint):
		return "asks to be left out"
	case s.Held:
		return "held"
	case facts.Waits:
		return "waits to come back"
	case facts.Health == health.Up && m.Gathers:
		return "waits for others"
	case facts.Health == health.Up && facts.Climbs:
		return "climbs"
	}
	return facts.Health.String()
}

// checksStay: a result changes one check. Nothing else does, except a start and a reload.
func checksStay(s *step) string {
	b, w := s.before, s.after
	if b.dead || w.dead {
		return ""
	}
	for i := range w.Servers {
		one := &w.Servers[i]
		was := b.At(one.Dest.Addr)
		if was == nil {
			continue
		}
		for k, now := range one.Checks() {
			want := was.Check(k).Health
			judged := s.counts(i, was, k, &want)
			switch {
			case s.kind == edit && s.b == editCheck && k == 0 && w.cfg.server[i] == int(s.a):
				continue // it is replaced by another check
			case s.kind == edit && want.State == health.Unknown && s.c > 0:
				continue
			}
			failed := want.Next(false, w.sl.rule)
			if now.Health != want && !(judged && now.Health == failed) {
				return fmt.Sprintf("check %d of %s has another health", k+1, nameOf(one))
			}
		}
	}
	return ""
}

// comesInOrder: the first servers of an announced section come in together, and so do those that are back. A server
// that changes to gate has no connections. A server that leaves the file drains. The one at a former address goes when
// it is not needed.
func comesInOrder(s *step) string {
	b, w := s.before, s.after
	if !s.to.Follows {
		return ""
	}
	isOne := s.kind == result
	for i := range w.Servers {
		one, facts := &w.Servers[i], &s.to.Servers[i]
		was, in := b.table.At(one.Dest.Addr)
		now, _ := w.table.At(one.Dest.Addr)
		first := w.Announce && w.Quiescent && len(b.table) == 0 && len(b.Have) == 0
		back := s.from.Follows && !b.Gathers() && b.IsAway() && was.Weight == 0 && now.Weight > 0
		switch {
		case isOne && first && now.Weight > 0 && slices.ContainsFunc(w.Servers, isPending):
			return nameOf(one) + " comes before the others had a result"
		case isOne && i == int(s.a) && back && s.expects(i) && s.from.Servers[i].Health != health.Up:
			return nameOf(one) + " is back before the others were asked"
		case in && was.Forward != lvs.Route && now.Forward == lvs.Route && w.conns[slotOf(one.Dest.Addr)]:
			return nameOf(one) + " changes to gate with connections"
		case (isOne && !b.Servers[i].Gone || s.kind == edit) && one.Gone && !one.Unchecked &&
			facts.Health == health.Up && s.to.Servers[one.MovedTo].Health != health.Up:
			return nameOf(one) + " goes, and the server at the new address does not pass"
		}
	}
	return ""
}

// expects reports whether there is another server to wait for.
func (s *step) expects(i int) bool {
	for o := range s.to.Servers {
		other := &s.to.Servers[o]
		if o != i && s.to.MayServe(other) && other.Weight > 0 && !other.Held && !s.from.Servers[o].Held {
			return true
		}
	}
	return false
}

func endsInTime(s *step) string {
	b, w := s.before, s.after
	if w.dead || b.dead {
		return ""
	}
	if w.sl.has(departures) && s.kind == edit && s.b == editIn && s.follows() &&
		!w.lines[s.a].in {
		addr := addrs[b.lines[s.a].slot(int(s.a))]
		_, in := b.table.At(addr)
		if _, still := w.table.At(addr); b.At(addr) != nil && in && !still {
			return callAddr(addr) + " left the file, and does not drain"
		}
	}
	all := true
	for i := range s.to.Servers {
		o := &s.to.Servers[i]
		counts := o.Weight > 0 && !o.Backup && !o.Unchecked && !o.Gone && !o.Out && !o.Drained
		up := o.Health == health.Up && !o.Open && o.Asks == health.NoAdmin && (!o.Waits || s.isNewlyOut(i)) &&
			!w.failsOwn(i)
		all = all && (up || !counts)
	}
	was, now := &b.Strength, &w.Strength
	switch {
	case !w.obey && !all && b.obey != (s.kind == obey):
		return "the order to obey ends early"
	case w.obey && all && s.kind != obey:
		return "the order to obey does not end"
	case w.sl.has(policy): // the numbers differ
	case was.Known && !was.Enough && now.Enough && now.Up < 2, was.Known && was.Enough && !now.Enough &&
		now.Up >= 1:
		return "what was enough, or was not, is not counted by its own number"
	}
	return ""
}
