package judge

import (
	"slices"

	"ldirectord/internal/health"
)

// From keepserving: checks leave this number of servers in service; unreachable ones are removed first.
var guardRule = Rule{"guard", false, guard}

var guardKind = Kind{Name: "held", Trouble: Noted,
	Says: func(v View) string {
		if !v.One.Held || !v.One.Until.IsZero() || v.One.Drained() {
			return ""
		}
		return "held"
	},
	Holds: func(v View) string {
		if !v.One.Held || !v.One.Until.IsZero() || v.KeepServing.N == 0 {
			return ""
		}
		return "keepserving = " + v.KeepServing.String()
	},
}

// guard finds the held servers that may leave service because enough others serve. Servers that fail leave first, and
// servers that pass but ask to be left out leave last. If a reload changed the check of a server, the server is held at
// least until the first result. guard uses the time at which each server began to fail, so the rule that names the
// states is applied before it.
func guard(p *proposal) {
	serving, guards, left := 0, p.guards(), false
	var held []*Server
	for s := range p.all() {
		s.Held = s.Held && (s.Health() != health.Up || s.Asks() > health.NoAdmin)
		serves := p.Serves(s)
		if s.Rerouted && !s.Held && s.IsUp() && s.Weight() > 0 && !p.isOutByHand(s.Dest.Addr) {
			serves = left || !p.servesBeside(s) // one at a time gets weight 0, see rerouted
			left = left || !serves
		}
		switch {
		case s.Held && (!guards || s.Weight() == 0 || s.Backup):
			s.letGo()
		case s.Held && (p.isOutByHand(s.Dest.Addr) || p.Gathers() && p.Have != nil && p.weighsNothing(s)):
			s.goOut() // otherwise it would come back without a success
		case s.Backup:
		case serves && s.Held:
			held, p.Held = append(held, s), append(p.Held, int(s.At))
			s.Why = p.by
			fallthrough
		case serves:
			serving++
		}
	}
	slices.SortStableFunc(held, less)
	held = slices.DeleteFunc(held, func(s *Server) bool { return s.Health() == health.Unknown })
	p.leave = held[:min(len(held), max(0, serving-p.Quota()))]
}

// guards reports whether servers may be held.
func (c *Case) guards() bool { return (c.KeepServing.N > 0 || c.PaceOut.N > 0) && !c.Obeys }

// letGo releases a held server. A failing server is then noted as fallen; a server that only asks to be left out is
// not.
func (s *Server) letGo() {
	s.Held, s.Entered, s.Turned = false, false, true
	s.Fallen = s.Health() != health.Up
}

// From checks: a server leaves service when no rule holds it.
var leaveRule = Rule{"leaves", false, leave}

// leave releases the servers that no rule holds. Then it names the states again, because a release may change the state
// of a server.
func leave(p *proposal) {
	for _, s := range p.leave {
		s.letGo()
	}
	p.Held = slices.DeleteFunc(p.Held, func(i int) bool { return !p.Servers[i].Held })
	name(p)
}

// From an operator: an order to obey the checks ends when every server is up.
var obeyRule = Rule{"obeyed", false, obeyed}

// obeyed ends the order to obey the checks when all servers have recovered.
func obeyed(p *proposal) {
	p.Obeys = p.Obeys && !p.Recovered()
}

// Recovered reports whether every server is up, does not ask to be left out, and does not wait to come back. A server
// that is up only because of the brake, or because the table had it at the start, does not count as up. Servers that an
// order or a maintenance file takes out, servers with weight 0, unchecked servers, backup servers and servers without
// an address don't count.
func (c *Case) Recovered() bool {
	for s := range c.all() {
		out := s.File || s.Order.Kind == Drain || s.Order.Kind == Maint
		if out || s.Unchecked || s.Backup || s.Weight() == 0 {
			continue
		}
		if s.Health() != health.Up || s.isPending() || s.Asks() > health.NoAdmin || s.Waits() {
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
