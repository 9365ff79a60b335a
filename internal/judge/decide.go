package judge

import (
	"net/netip"
	"time"

	"ldirectord/internal/lvs"
)

// Decision is the result of all rules for a case at one moment.
type Decision struct {
	State State // the state of the case after the decision
	// Places maps addresses to the destinations that the table should have. It is nil while the contents of the
	// table are unknown.
	Places map[netip.AddrPort]lvs.Dest
	Others map[netip.AddrPort]RuleID // the rules that placed other destinations; for members see Server.Why
	Held   []int                     // the indexes of the held members
	Again  time.Time                 // when time alone may change the decision; zero: never
}

// Decide applies the rules to a case. It has no side effects, and the same case and time give the same decision.
func Decide(c Case, now time.Time) Decision {
	c.State = c.cloneServers()
	p := &proposal{Case: c, now: now}
	for i := range p.Servers {
		p.Servers[i].Why, p.Servers[i].Until = 0, time.Time{}
	}
	if c.Have != nil {
		p.Places = make(map[netip.AddrPort]lvs.Dest, len(c.Have))
	}
	for id, rule := range Rules {
		if p.Places != nil || !rule.places {
			p.by = RuleID(id + 1)
			if rule.step(p); p.over {
				break
			}
		}
	}
	p.Decision.State = p.Case.State
	return p.Decision
}

// proposal is a decision in progress. Each rule may change it.
type proposal struct {
	Case
	Decision // the decision so far; its State is set at the end
	now      time.Time
	by       RuleID    // the rule whose turn it is
	queue    []waiter  // servers that may come back
	leave    []*Server // held servers that the guard does not need

	up      bool // a server is up, or a found destination serves
	unknown bool // some server has no result yet, or waits for others
	over    bool // the rules after this one are skipped
}

// member puts a member with the given weight in the proposed table.
func (p *proposal) member(s *Server, weight uint32) {
	d := s.Dest
	d.Weight = weight
	p.Places[d.Addr] = d
}

// other puts a destination with the given weight in the proposed table. It need not belong to a member.
func (p *proposal) other(d lvs.Dest, weight uint32) {
	if p.Others == nil {
		p.Others = map[netip.AddrPort]RuleID{}
	}
	p.Others[d.Addr] = p.by
	d.Weight = weight
	p.Places[d.Addr] = d
}

// askAgain notes a time at which the result of the current rule may change by itself. It ignores times in the past.
func (p *proposal) askAgain(at time.Time) {
	if at.After(p.now) && (p.Again.IsZero() || at.Before(p.Again)) {
		p.Again = at
	}
}

// serving reports whether the decision so far leaves any destination in service, apart from those taken out by hand. If
// held is not set, held servers don't count: they may be dead.
func (p *proposal) serving(held bool) bool {
	for addr, d := range p.Places {
		if s := p.At(addr); d.Weight > 0 && !p.isOutByHand(addr) && (held || s == nil || !s.Held) {
			return true
		}
	}
	return false
}

// servesBeside reports whether a server other than s serves. Held servers don't count: they may be dead.
func (p *proposal) servesBeside(s *Server) bool {
	for other := range p.all() {
		if other != s && !other.Held && p.Serves(other) {
			return true
		}
	}
	return false
}
