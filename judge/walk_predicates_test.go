package judge

import (
	"fmt"
	"iter"
	"slices"

	"ldirectord/checker/health"
	"ldirectord/lvs"
)

// step is one thing that happened, with the worlds before and after it.
type step struct {
	before, after *world
	event
}

// predicates are those that need to know what the walk alone does: what happened, what was decided, and which
// operations were made. Some speak of a step, others of a world in which the director has nothing left to do, and of
// the decision that it takes there once more. Each says what is wrong, or nothing. Those that need facts alone are in
// package always.
var predicates = []struct {
	number int
	step   func(*step) string
	rest   func(*world, *Decision) string
}{
	{2, comesBack, nil},
	{6, fallbackStays, nil},
	{7, handStays, nil},
	{7, handEnds, nil},
	{8, standbyIsIdle, nil},
	{9, ownServer, nil},
	{12, nil, tellsWhy},
	{13, checksStay, nil},
	{14, comesInOrder, nil},
	{15, endsInTime, nil},
	{16, brakesRightly, nil},
	{16, brakeEnds, nil},
}

// excuses are the rules that may give way to one of these, each with the facts that it needs.
var excuses = []struct {
	predicate int
	rule      string
	holds     func(w *world, i int) bool
}{
	{9, "guard", func(w *world, i int) bool { return w.sl.has(guarded) }},
	{9, "unknown", func(w *world, i int) bool { return w.sl.has(strength) }},
	{9, "rerouted", func(w *world, i int) bool { return w.sl.has(rerouted_) }},
	{9, "together", func(w *world, i int) bool { return w.sl.has(together_) }},
	{9, "brake", func(w *world, i int) bool {
		return w.sl.has(brake) && (w.accused(i, 0) || w.sl.checks > 1 && w.accused(i, 1))
	}},
	{9, "moved", func(w *world, i int) bool { return w.Members[i].MovedTo >= 0 }},
}

func (w *world) excused(predicate, i int) bool {
	for _, e := range excuses {
		if e.predicate == predicate && e.holds(w, i) {
			return true
		}
	}
	return false
}

// What is true of a server, without a word of the rules.

// present are the members that have not gone.
func (w *world) present() iter.Seq2[int, *Server] {
	return func(yield func(int, *Server) bool) {
		for i := range w.Servers {
			if s := &w.Servers[i]; !s.Gone && !yield(i, s) {
				return
			}
		}
	}
}

func (w *world) memberAt(slot int) int {
	for i := range w.present() {
		if w.addr(i) == addrs[slot] {
			return i
		}
	}
	return -1
}

func (w *world) addr(i int) (a addrPort) { return w.Members[i].Dest.Addr }

func (w *world) verdict(i int) health.State {
	s := &w.Servers[i]
	states := []health.State{s.First.Health.State}
	for k := range s.More {
		states = append(states, s.More[k].Health.State)
	}
	switch {
	case slices.Contains(states, health.Down):
		return health.Down
	case slices.Contains(states, health.Unknown):
		return health.Unknown
	}
	return health.Up
}

func (w *world) inMaintenance(i int) bool {
	return w.files[w.server(i)] || w.orders[w.server(i)].Kind == Maint
}

func (w *world) drains(i int) bool { return w.orders[w.server(i)].Kind == Drain }

func (w *world) weightOf(i int) uint32 {
	if o := w.orders[w.server(i)]; o.Kind == Weigh {
		return orderedWeight
	}
	return w.Members[i].Dest.Weight
}

// mayServe reports whether nothing but checks speaks against a server.
func (w *world) mayServe(i int) bool {
	return !w.Servers[i].Gone && !w.Members[i].Unchecked && !w.inMaintenance(i) && !w.drains(i)
}

// isGood reports whether a server serves by its checks, or is held.
func (w *world) isGood(i int) bool {
	return w.mayServe(i) && (w.verdict(i) == health.Up || w.Servers[i].Held)
}

func (w *world) someIsGood() (is bool) {
	for i := range w.Servers {
		is = is || w.isGood(i)
	}
	return is
}

func (w *world) weightIn(slot int) uint32 {
	d, _ := w.table.At(addrs[slot])
	return d.Weight
}

func (w *world) comesTogether() bool {
	awaited := false
	for i := range w.Servers {
		for _, c := range w.Servers[i].Checks() {
			awaited = awaited || c.Pending
		}
	}
	for i := range w.Servers {
		awaited = awaited && !w.Servers[i].Entered
	}
	return w.Announce && w.Quiescent && len(w.Have) == 0 && awaited
}

// isUnknown reports whether it is not known of one server that could serve whether it does.
func (w *world) isUnknown() bool {
	for i := range w.Servers {
		if w.mayServe(i) && !w.Servers[i].Held && w.verdict(i) == health.Unknown {
			return true
		}
	}
	return w.Gathers()
}

// serves reports whether the director has the section, and knows its table as it is.
func (w *world) serves() bool {
	return !w.dead && !w.Theirs && !w.failed && w.Known && w.there && slices.Equal(w.Have, w.table)
}

func (w *world) who(i int) string { return slotNames[slotOf(w.addr(i))] }

// The predicates.

// servers are those with a weight.
func (w *world) servers() (n int) {
	for i := range w.Members {
		n += bit(!w.Servers[i].Gone && w.Members[i].MovedTo < 0 && w.weightOf(i) > 0)
	}
	for _, weight := range w.Waiting {
		n += bit(weight > 0)
	}
	return n
}

// comesBack: a virtual service that somebody removed comes back with those that pass.
func comesBack(s *step) string {
	b, w := s.before, s.after
	if s.kind != look || b.there || !w.serves() || w.Gathers() {
		return ""
	}
	for i := range w.present() {
		had, _ := b.Have.At(w.addr(i))
		got, _ := w.table.At(w.addr(i))
		if had.Weight > 0 && got.Weight == 0 && w.mayServe(i) && w.verdict(i) == health.Up && w.weightOf(i) > 0 {
			return w.who(i) + " served until the virtual service was removed, and is not back"
		}
	}
	return ""
}

// fallbackStays: while a server is unknown, and none is up, a check does not change where it is.
func fallbackStays(s *step) string {
	w := s.after
	if s.kind == edit && w.serves() && s.before.serves() && !w.sl.has(hand|ordering|maintained) && w.isUnknown() && !w.Gathers() &&
		s.before.table.Serve() && !w.table.Serve() && s.b != editWeight && !w.Quiescent && s.c == 0 && w.servers() == len(w.Members) {
		return "a reload leaves none in service while a server is unknown"
	}
	if (s.kind != result || !s.before.serves()) && s.kind != start || !w.serves() || !w.hasFallback() || !w.isUnknown() || w.Gathers() || w.ByHand[addrs[sorry]] {
		return ""
	}
	if w.someIsGood() || s.before.someIsGood() {
		return ""
	}
	if (w.weightIn(sorry) > 0) != (s.before.weightIn(sorry) > 0) && (s.before.isUnknown() || s.kind == start) {
		return "it comes or goes while a server is unknown"
	}
	return ""
}

// handStays: what was kept by hand is as it was, but for the server whose state a step changes.
func handStays(s *step) string {
	b, w := s.before, s.after
	if w.dead || !w.serves() || b.failed || !b.there {
		return ""
	}
	refined := s.kind == edit && (s.b == editName || s.b == editAddress && !w.lines[s.a].waits)
	switch s.kind {
	case look:
		for slot, addr := range addrs {
			had, placed := b.Have.At(addr)
			was, in := b.table.At(addr)
			i := w.memberAt(slot)
			undone := w.Repair && !b.Found[addr] || i >= 0 && (w.inMaintenance(i) || w.Servers[i].Rerouted)
			if undone || was == had && in == placed && !w.ByHand[addr] {
				continue
			}
			if now, still := w.table.At(addr); was != now || in != still {
				return slotNames[slot] + " was changed by hand, and is undone"
			}
		}
		fallthrough
	case start, change, removal, demote, promote, obey, lookAtLeaver, retry:
		return ""
	case edit:
		if !refined {
			return ""
		}
	}
	for addr := range b.ByHand {
		slot := slotOf(addr)
		i := w.memberAt(slot)
		o := b.memberAt(slot)
		turns := slot == sorry || o != i || i >= 0 && (b.Servers[i].State() != w.Servers[i].State() || b.verdict(i) != w.verdict(i)) ||
			i >= 0 && (s.kind == order || s.kind == file) && w.server(i) == int(s.a)
		was, in := b.table.At(addr)
		if now, still := w.table.At(addr); !turns && (was != now || in != still) {
			return slotNames[slot] + " was changed by hand, and is not so any more"
		}
	}
	return ""
}

// handEnds: a change by hand ends with the server's next change of state, and with an order or a file for it; of the
// fallback server when it is to come or to go.
func handEnds(s *step) string {
	b, w := s.before, s.after
	if !b.serves() || !w.serves() || s.kind != result && s.kind != order && s.kind != file {
		return ""
	}
	for i, now := range w.present() {
		addr := w.addr(i)
		turns := b.Servers[i].State() != now.State() || s.kind != result && w.server(i) == int(s.a)
		if _, in := b.table.At(addr); turns && b.ByHand[addr] && w.ByHand[addr] && (in || now.State() != health.Down) {
			return w.who(i) + " has another state, and what was changed by hand is still kept"
		}
	}
	turns := b.someIsGood() != w.someIsGood() && !b.isUnknown() && !w.isUnknown() && !w.NoFallback && w.Found == nil
	if turns && b.ByHand[addrs[sorry]] && w.ByHand[addrs[sorry]] {
		return "the fallback server is to come or to go, and what was changed by hand is still kept"
	}
	return ""
}

func standbyIsIdle(s *step) string {
	if !s.after.dead && s.after.Theirs && len(s.after.did) > 0 {
		return "it changes the table while it stands by"
	}
	return ""
}

// ownServer: what is done for one server leaves the others where they are.
func ownServer(s *step) string {
	b, w := s.before, s.after
	if !b.serves() || !w.serves() || s.kind != result && s.kind != order && s.kind != file {
		return ""
	}
	for addr := range w.Found {
		was, in := b.table.At(addr)
		if now, still := w.table.At(addr); (was != now || in != still) && b.Found[addr] {
			return slotNames[slotOf(addr)] + " was found, and is not so any more"
		}
	}
	for i := range w.present() {
		if i == int(s.a) && s.kind == result || w.server(i) == int(s.a) && s.kind != result || w.excused(9, i) || b.excused(9, i) {
			continue
		}
		was, in := b.table.At(w.addr(i))
		if now, still := w.table.At(w.addr(i)); was != now || in != still {
			return w.who(i) + " changes for another server"
		}
	}
	return ""
}

// tellsWhy: a rule with a name decided each place, and who sees the name of the state and the rule knows the cause.
func tellsWhy(w *world, d *Decision) string {
	for addr := range d.Places {
		if by, other := d.Others[addr]; w.At(addr) == nil && !(other && Rules[by-1].places) {
			return "a place has no rule"
		}
	}
	for i, s := range w.present() {
		if d.Why[i] == 0 {
			return w.who(i) + " has no rule"
		}
		cause, told := w.cause(i), &w.sl.causes[s.Name][d.Why[i]]
		if *told == "" {
			*told = cause
		}
		if *told != cause {
			return fmt.Sprintf("%s, %v by rule %v, may be: %s, %s", w.who(i), s.Name, d.Why[i], *told, cause)
		}
	}
	return ""
}

// cause is why a server is where it is, as a person would say it.
func (w *world) cause(i int) string {
	s := &w.Servers[i]
	switch {
	case w.comesTogether():
		return "the first servers come together"
	case s.Rerouted:
		return "changes to gate"
	case w.ByHand[w.addr(i)]:
		return "by hand"
	case w.Members[i].Unchecked:
		return "not checked"
	case w.inMaintenance(i):
		return "maintenance"
	case w.drains(i) && (w.verdict(i) != health.Down || s.Held):
		return "drained"
	case s.Held:
		return "held"
	case w.verdict(i) == health.Up && w.Gathers():
		return "waits for others"
	}
	return w.verdict(i).String()
}

// checksStay: a result changes one check, nothing else does but a start and a reload.
func checksStay(s *step) string {
	b, w := s.before, s.after
	if b.dead || w.dead {
		return ""
	}
	for i := range w.Servers {
		for k, now := range w.Servers[i].Checks() {
			var want *health.Health
			judged := false
			for o := range b.Servers {
				if !b.Servers[o].Gone && b.addr(o) == w.addr(i) {
					want = new(b.Servers[o].Check(k).Health)
					judged = s.counts(i, o, k, want)
				}
			}
			switch {
			case want == nil:
				continue
			case s.kind == edit && s.b == editCheck && k == 0 && w.server(i) == int(s.a):
				continue // it is another check
			case s.kind == edit && want.State == health.Unknown && s.c > 0:
				continue
			}
			failed, _ := want.Next(false, w.sl.rule)
			if now.Health != *want && !(judged && now.Health == failed) {
				return fmt.Sprintf("check %d of %s says something else", k+1, w.who(i))
			}
		}
	}
	return ""
}

// comesInOrder: the first servers of an announced section come in one, so do those that are back; who changes to gate
// has no connections; who leaves the file drains; the server at a former address goes when it is not needed.
func comesInOrder(s *step) string {
	b, w := s.before, s.after
	if w.dead || !w.serves() {
		return ""
	}
	for i := range w.Servers {
		slot := slotOf(w.addr(i))
		was, in := b.table.At(w.addr(i))
		now, _ := w.table.At(w.addr(i))
		to := w.Members[i].MovedTo
		switch {
		case w.Announce && w.Quiescent && len(b.table) == 0 && len(b.Have) == 0 && now.Weight > 0 && w.isPending() && s.kind == result:
			return w.who(i) + " comes before the others had a result"
		case s.kind == result && i == int(s.a) && !b.Gathers() && b.serves() && b.IsAway() && w.expects(i, b) && b.verdict(i) != health.Up && was.Weight == 0 && now.Weight > 0:
			return w.who(i) + " is back before the others were asked"
		case in && was.Forward != lvs.Route && now.Forward == lvs.Route && w.conns[slot]:
			return w.who(i) + " changes to gate with connections"
		case s.kind == result && w.Servers[i].Gone && !b.Servers[i].Gone && w.verdict(int(to)) != health.Up && w.verdict(i) == health.Up:
			return w.who(i) + " goes, and the server at the new address does not pass"
		}
	}
	return ""
}

func (w *world) isPending() bool {
	for _, s := range w.present() {
		for _, c := range s.Checks() {
			if c.Pending {
				return true
			}
		}
	}
	return false
}

// expects reports whether there is a server beside this one that counts.
func (w *world) expects(i int, b *world) bool {
	for o, s := range w.present() {
		if o != i && w.mayServe(o) && w.weightOf(o) > 0 && !s.Held && !b.Servers[o].Held {
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
	drains := w.sl.has(leavers) && s.kind == edit && s.b == editIn && b.serves() && w.serves() && !w.lines[s.a].in
	if slot := b.lines[s.a%2].slot(int(s.a % 2)); drains && b.memberAt(slot) >= 0 {
		if _, in := b.table.At(addrs[slot]); in {
			if _, still := w.table.At(addrs[slot]); !still {
				return slotNames[slot] + " left the file, and does not drain"
			}
		}
	}
	all := true
	for i := range w.present() {
		all = all && (!w.mayServe(i) || w.weightOf(i) == 0 || w.verdict(i) == health.Up && !w.failsOwn(i))
	}
	was, now := &b.Strength, &w.Strength
	switch {
	case !w.obey && !all && b.obey != (s.kind == obey):
		return "the order to obey ends early"
	case w.obey && all && s.kind != obey:
		return "the order to obey does not end"
	case was.Known && !was.Enough && now.Enough && now.Up < 2, was.Known && was.Enough && !now.Enough && now.Up >= 1:
		return "what was enough, or was not, is not counted by its own number"
	}
	return ""
}
