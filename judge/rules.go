package judge

import (
	"slices"
	"time"

	"ldirectord/checker/health"
	"ldirectord/lvs"
)

// Rule is one step of a decision. A later rule overrides earlier ones.
type Rule struct {
	Name string
	Who  string // its source
	// places: the rule places destinations, so the contents of the table must be known.
	places bool
	step   func(*hearing) // applies it
	Says   string         // what the rule does, for people
}

// RuleID is the place of a rule in Rules, counted from 1; 0: none.
type RuleID uint8

// String is the rule's name; "" for none.
func (id RuleID) String() string {
	if id == 0 {
		return ""
	}
	return Rules[id-1].Name
}

// Rules are all rules in the order in which they are applied.
var Rules = []Rule{
	{"back together", "announce", false, gathered,
		"servers that come back after too few were up wait for each other"},
	{"moved", "a host name", false, moved,
		"the server at the former address is removed when the one at the new address is up, or when it fails"},
	{"names", "", false, name,
		"each server's state gets a name, and the time when it began"},
	{"held down", "holddown", false, heldDown,
		"a server that fails again soon after its return stays out, longer each time"},
	{"returns", "pace", false, returning,
		"servers return at the configured pace, or at once while too few serve, even those held down"},
	{"obeyed", "an operator", false, obeyed,
		"an order to obey the checks ends when every server is up"},
	{"released", "checks, orders", true, released,
		"a change by hand ends with the server's next change of state"},
	{"guard", "keepserving", false, guard,
		"checks leave that many servers in service; unreachable ones are removed first"},
	{"removals", "paceout", false, removals,
		"checks take out servers at the configured pace, unreachable ones at once"},
	{"observe", "packets of clients", false, observed,
		"a server whose clients get no answers is left out, one at a time, while enough others serve"},
	{"given up", "keepserving", false, moved,
		"the server at a former address is removed when the guard releases it"},
	{"let go", "keepserving", true, released,
		"a change by hand ends when the guard releases that server"},
	{"slowstart", "the file", true, climb,
		"the weight of a server that comes back climbs while others serve"},
	{"onfail", "the file", true, failed,
		"a server that checks take out has weight 0 while it fails or for a time, or is removed"},
	{"backup", "the file", true, backup,
		"backup servers serve once fewer than LOW other servers serve, and drain once HIGH serve"},
	{"together", "announce", true, together,
		"the first servers are added when each has a result, because the order of entries counts"},
	{"leaver", "the file", true, leaving,
		"a server that left the file drains"},
	{"drain", "an operator", true, drained,
		"a drained server has weight 0"},
	{"down", "checks, maintenance", true, down,
		"a server that is out is removed, or has weight 0 with quiescent, unless onfail decides"},
	{"told", "the server", true, leftOut,
		"a server that reports drain has weight 0, one that reports maint is out, unless the guard holds it"},
	{"unknown", "checks", true, unknown,
		"a server without a result stays as it is, as does one that is back and waits for others"},
	{"up", "checks", true, up,
		"a server that passes serves with its weight"},
	{"off", "the file", true, unchecked,
		"a server with checktype = off is not in the table"},
	{"found", "a host name", true, found,
		"the entries in the table stay while a server has no address"},
	{"fallback", "the file", true, fallback,
		"the fallback server serves while no other does"},
	{"replaced", "a reload", true, replaced,
		"while a server has no result and none serves, servers that left the file still serve"},
	{"hand", "another program", true, byHand,
		"a change by hand in the table stays"},
	{"rerouted", "the kernel", true, rerouted,
		"a server changes to gate when its connections have ended, one after the other, while others pass"},
}

// obeyed ends the order to obey the checks when no server is left that a guard could hold.
func obeyed(h *hearing) {
	h.Obeys = h.Obeys && !h.Recovered()
}

// Recovered reports whether every server is up on its own, not only by the brake, requests nothing and waits for
// nothing. Servers that an order takes out, backup servers and servers without an address don't count.
func (c *Case) Recovered() bool {
	for s := range c.all() {
		out := s.File || s.Order.Kind == Drain || s.Order.Kind == Maint
		if out || s.Unchecked || s.Backup || s.Weight() == 0 {
			continue
		}
		if s.Verdict() != health.Up || s.Asks() > health.NoAdmin || s.Waits() {
			return false
		}
		for _, check := range s.Checks() {
			if check.Way != nil && check.Own {
				return false
			}
		}
	}
	return true
}

// guard finds the held servers beyond the quota, which may leave: first those that fail, last those that pass and
// request to be left out. A server whose check was changed by a reload is held at least until the first result. guard
// uses the time since which each server fails, so name is applied before it.
func guard(h *hearing) {
	serving, guards := 0, h.guards()
	var held []*Server
	for s := range h.all() {
		s.Held = s.Held && (s.Verdict() != health.Up || s.Asks() > health.NoAdmin)
		switch serves := h.Serves(s) || s.Rerouted && s.IsUp() && s.Weight() > 0 && !h.servesBeside(s); {
		case s.Held && (!guards || s.Weight() == 0 || s.Backup):
			h.letGo(s)
		case s.Held && (h.isOutByHand(s.Dest.Addr) || h.Gathers() && h.Have != nil && h.weighsNothing(s)):
			s.goOut() // otherwise it would come back without a success
		case s.Backup:
		case serves && s.Held:
			held, h.Held = append(held, s), append(h.Held, int(s.At))
			s.Why = h.by
			fallthrough
		case serves:
			serving++
		}
	}
	slices.SortStableFunc(held, less)
	held = slices.DeleteFunc(held, func(s *Server) bool { return s.Verdict() == health.Unknown })
	h.leave = held[:min(len(held), max(0, serving-h.Quota()))]
}

// removals releases the servers that the guard does not need, at the pace. They may get other names.
func removals(h *hearing) {
	waiting, each := 0, max(1, h.PaceOut.Of(h.Weighted()))
	for _, s := range h.leave {
		if h.waitsToGo(s) {
			turn := h.Removals.Since.Add(h.PaceOut.Every * time.Duration(1+waiting/each))
			h.waits(s, turn, turn)
			waiting++
			continue
		}
		h.letGo(s)
	}
	h.Held = slices.DeleteFunc(h.Held, func(i int) bool { return !h.Servers[i].Held })
	name(h)
}

// moved removes servers at former addresses that are no longer needed. A server in maintenance is no longer needed once
// the one at the new address, also in maintenance, passes its checks.
func moved(h *hearing) {
	for s := range h.all() {
		if s.MovedTo < 0 {
			continue
		}
		to := &h.Servers[s.MovedTo]
		replaced := to.State() == health.Up && (to.Order.Kind == Drain || !to.Drained()) ||
			s.Suspended() && to.Verdict() == health.Up
		if s.Gone = replaced || !s.works(); !s.Gone {
			continue
		}
		if s.Why = h.by; !h.Theirs {
			h.SendOff(Leaver{Addr: s.Dest.Addr}, h.now)
		}
	}
}

// name notes the state of each server and when that state began.
func name(h *hearing) {
	for s := range h.all() {
		if name := s.StateName(); name != s.Name {
			s.Name, s.Since = name, h.now
		}
	}
}

// released ends the overrides of servers whose state has changed, and of the fallback server. It is applied before
// guard, which counts the result. A server that went down and was removed by hand stays out, unless readdquiescent adds
// it again.
func released(h *hearing) {
	for s := range h.all() {
		addr := s.Dest.Addr
		if !s.Turned || !h.ByHand[addr] {
			continue
		}
		_, in := h.Have.At(addr)
		if in || h.Readd || s.State() != health.Down {
			delete(h.ByHand, addr)
		}
	}
	if wanted, known := h.fallbackWanted(); known && wanted != h.FallbackWanted {
		delete(h.ByHand, h.Fallback.Addr)
	}
}

// together adds the first servers of an announced section in one step. mh depends on the order of the entries, which
// must be the same on all directors, whichever server answers first. Nothing is announced before that. Servers that
// were removed by hand together with the virtual service do not wait for this: they are added at once.
func together(h *hearing) {
	if !h.Announce || !h.Quiescent || len(h.Have) > 0 {
		return
	}
	awaited, entered := false, false
	for s := range h.all() {
		awaited, entered = awaited || s.isAwaited(), entered || s.Entered
	}
	if !awaited || entered {
		return
	}
	for s := range h.all() {
		s.Why = h.by
	}
	h.over = true
}

// leaving keeps servers that left the file, and backup servers that are no longer needed, at weight 0.
func leaving(h *hearing) {
	for _, l := range h.Leavers {
		if d, in := h.Have.At(l.Addr); in && l.Over == Stays {
			h.other(d, 0)
		}
	}
}

// drained keeps the connections of a drained server, whatever quiescent is. It does not count as available.
func drained(h *hearing) {
	for s := range h.all() {
		if !s.IsDraining() || s.Order.Kind != Drain || h.Rests(s) {
			continue
		}
		s.Why = h.by
		if _, in := h.Have.At(s.Dest.Addr); in || s.State() == health.Up {
			h.member(s, 0)
		}
	}
}

// down takes a server out of service.
func down(h *hearing) {
	for s := range h.all() {
		if s.State() != health.Down || h.Rests(s) {
			continue
		}
		if h.stays(s) {
			h.member(s, 0)
		}
		// otherwise what it waits for, or onfail, decides
		if !s.Waits() && (h.OnFail == lvs.ByQuiescent || !outByChecks(s)) {
			s.Why = h.by
		}
	}
}

// unknown leaves the entry of a server as it was found: a new server gets no traffic before its first success, and a
// current one stays until its first failure. Servers that are back and wait for others are treated alike.
func unknown(h *hearing) {
	for s := range h.all() {
		state := s.State()
		if s.IsDraining() || h.Rests(s) || state != health.Unknown && (state != health.Up || !h.Gathers()) {
			continue
		}
		h.unknown = true
		if d, in := h.Have.At(s.Dest.Addr); in {
			h.member(s, min(d.Weight, 1)*h.weight(s))
		}
		if !s.Held { // otherwise the guard decides
			s.Why = h.by
		}
	}
}

// up puts servers in service with their weights.
func up(h *hearing) {
	for s := range h.all() {
		if !s.IsUp() || h.Gathers() || h.Rests(s) {
			continue
		}
		h.up = true
		if h.member(s, h.weight(s)); !s.Held && s.Climbs.IsZero() { // otherwise the guard or slowstart decides
			s.Why = h.by
		}
	}
}

// unchecked keeps servers with checktype=off out of the table, unless they were added by hand.
func unchecked(h *hearing) {
	for s := range h.all() {
		if s.Unchecked {
			s.Why = h.by
		}
	}
}

// found leaves destinations of no known server as they are.
func found(h *hearing) {
	for addr := range h.Found {
		if d, in := h.Have.At(addr); in {
			h.other(d, d.Weight)
			h.up = h.up || d.Weight > 0
		}
	}
}

// fallback puts the fallback server in service while every real server is down. While a server is unknown and none is
// up, the fallback server stays in or out.
func fallback(h *hearing) {
	if !h.hasFallback() || h.up || h.NoFallback {
		return
	}
	d, _ := h.Have.At(h.Fallback.Addr)
	if !h.unknown || d.Weight > 0 || h.FallbackIn {
		h.other(h.Fallback, h.Fallback.Weight)
	}
}

// replaced keeps destinations in service that are no longer configured. It applies after a reload that replaced all
// servers, until one of the new ones passes a check. It does not apply to members: checks and orders have decided
// those, even if no other server is left.
func replaced(h *hearing) {
	if !h.unknown || h.serving() {
		return
	}
	for _, d := range h.Have {
		_, wanted := h.Places[d.Addr]
		left := len(h.AllAt(d.Addr)) == 0 && (!wanted || h.Leaver(d.Addr) != nil)
		if left && d.Weight > 0 {
			h.other(d, d.Weight)
		}
	}
}

// byHand keeps changes made by hand.
func byHand(h *hearing) {
	for addr := range h.ByHand {
		if d, in := h.Have.At(addr); in {
			h.other(d, d.Weight)
		} else {
			delete(h.Places, addr)
		}
		if s := h.At(addr); s != nil {
			s.Why = h.by
		}
	}
}

// rerouted delays the change to gate while a server has connections. If others serve, one server at a time gets no new
// connections; it changes to gate when its connections have ended, and then the next one follows. The reason: the
// kernel caches one route for each destination. A packet of an old connection caches a route that is wrong for gate.
// The kernel then sends ARP requests for the virtual address, and no new client gets an answer, even after that
// connection has ended.
func rerouted(h *hearing) {
	left, may := false, h.MayReroute(h.Have)
	for s := range h.all() {
		now, in := h.Have.At(s.Dest.Addr)
		wanted, placed := h.Places[s.Dest.Addr]
		s.Rerouted = may && in && s.Reroutes(now) && placed && wanted.Forward == lvs.Route && s.Connected
		if !s.Rerouted {
			continue
		}
		delete(h.Places, now.Addr)
		// otherwise a held server would return without a success
		leaves := !left && wanted.Weight > 0 && !s.Held && h.passing()
		// which may have left before
		left = left || leaves || wanted.Weight == 0 && s.State() == health.Unknown
		if leaves {
			wanted.Weight, s.Climbs = 0, time.Time{}
		}
		now.Weight = wanted.Weight
		h.Places[now.Addr], s.Why = now, h.by
	}
}

// MayReroute reports whether a server that is configured for gate may still have another forwarding method in the
// table.
func (s *Section) MayReroute(have lvs.Dests) bool {
	return slices.ContainsFunc(s.Members, func(m *Member) bool { return m.Dest.Forward == lvs.Route }) &&
		slices.ContainsFunc(have, func(now lvs.Dest) bool { return now.Forward != lvs.Route })
}

// Reroutes reports whether a member that is configured for gate has another forwarding method in the table.
func (m *Member) Reroutes(now lvs.Dest) bool {
	return now.Forward != lvs.Route && m.Dest.Forward == lvs.Route
}
