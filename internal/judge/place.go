package judge

import (
	"time"

	"ldirectord/internal/health"
)

// From an operator: a drained server has weight 0.
var drainRule = Rule{"drain", true, drained}

// drained keeps the connections of a server that an order drains, whatever the value of quiescent. The server does not
// count as available. Once it fails, the rule down decides. But with onfail, it keeps its connections while the order
// lasts, see keepsFailing.
func drained(p *proposal) {
	for s := range p.all() {
		if !s.IsDraining() || s.Order.Kind != Drain || p.Rests(s) {
			continue
		}
		s.Why = p.by
		if _, in := p.Have.At(s.Dest.Addr); in || s.State() == health.Up {
			p.member(s, 0)
		}
	}
}

// From –: each server's state is named, and the time when the state began is noted.
var nameRule = Rule{"names", false, name}

// name notes the state of each server and when that state began.
func name(p *proposal) {
	for s := range p.all() {
		s.Rename(p.now)
	}
}

// Rename gives a server's state its name, and notes when it began.
func (s *Server) Rename(now time.Time) {
	if name := s.StateName(); name != s.Name {
		s.Name, s.Since = name, now
	}
}

// From checks, maintenance: a server that is out is removed, or has weight 0 with quiescent, unless onfail or observe
// decides.
var downRule = Rule{"down", true, down}

// down takes servers that are down out of service.
func down(p *proposal) {
	for s := range p.all() {
		if s.State() != health.Down || p.Rests(s) {
			continue
		}
		stays, decided := p.stays(s)
		if stays {
			p.member(s, 0)
		}
		if !s.Waits() && !decided { // otherwise the reason is the rule that makes it wait, or that decided
			s.Why = p.by
		}
	}
}

// stays reports whether a server that is down has weight 0 in the table instead of being removed, and whether a kind of
// condition decides that. Otherwise quiescent does.
func (p *proposal) stays(s *Server) (stays, decided bool) {
	for i := range Kinds {
		if keeps := Kinds[i].keeps; keeps != nil {
			if stays, decided = keeps(p, s); decided {
				return stays, true
			}
		}
	}
	return p.Quiescent, false
}

// outByChecks reports whether checks, and neither maintenance nor observe, keep a server out: either a check fails, or
// one failed and the server waits to come back.
func outByChecks(s *Server) bool {
	return s.State() == health.Down && !s.Suspended() && !isLeftOut(s)
}

// From checks: a server that has no result, or is back and waits for others, stays in or out of service as it was.
var unknownRule = Rule{"unknown", true, unknown}

// unknown leaves a server without a result in or out of service, as the table has it. A new server gets no traffic
// before its first success, and a current server stays until its first failure. A server that stays in service gets the
// weight that it should have now. Servers that are back and wait for others are treated in the same way.
func unknown(p *proposal) {
	for s := range p.all() {
		state := s.State()
		if s.IsDraining() || p.Rests(s) || state != health.Unknown && (state != health.Up || !p.Gathers()) {
			continue
		}
		p.unknown = true
		if d, in := p.Have.At(s.Dest.Addr); in {
			p.member(s, min(d.Weight, 1)*p.weight(s))
		}
		if !s.Held { // otherwise the guard decides
			s.Why = p.by
		}
	}
}

// From checks: a server that passes serves with its weight.
var upRule = Rule{"up", true, up}

// up puts servers in service with their weights.
func up(p *proposal) {
	for s := range p.all() {
		if !s.IsUp() || p.Gathers() || p.Rests(s) {
			continue
		}
		p.up = true
		if p.member(s, p.weight(s)); !s.Held && s.Climbs.IsZero() { // otherwise the guard or slowstart decides
			s.Why = p.by
		}
	}
}

// From the file: a server with checktype = off is not in the table.
var offRule = Rule{"off", true, unchecked}

// unchecked keeps servers with checktype=off out of the table, unless they were added by hand.
func unchecked(p *proposal) {
	for s := range p.all() {
		if s.Unchecked {
			s.Why = p.by
		}
	}
}
