package judge

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/lvs"
)

// Servers that checks took out wait in a queue once they pass. Each comes back unless a rule bars it, or makes it wait
// for its turn. While too few servers serve, none of these rules applies.

// Waits reports whether a server passes but is not let back in yet. A server never waits if it is a backup server, is
// drained or in maintenance, or has weight 0.
func (s *Server) Waits() bool {
	passes := s.Fallen && s.Health() == health.Up && s.Weight() > 0
	return passes && !s.Backup && !s.Drained() && !s.Suspended()
}

// isLeftOut reports whether a server passes but is out because its clients got no answers.
func isLeftOut(s *Server) bool { return s.Suspect && s.Waits() }

// noAnswers returns the reason why a server was left out.
func noAnswers(s *Server) string {
	if s.Suspects > 1 {
		return fmt.Sprintf("its clients got no answers, %d times in a row", s.Suspects)
	}
	return "its clients got no answers"
}

// byOrder reports whether a server needs an order to come back, unless too few others serve.
func byOrder(c *Section, s *Server) bool { return (c.Comeback || s.Comeback) == lvs.ByOrder }

// needed returns the number of servers that must serve before any is kept out.
func (c *Case) needed() int {
	_, enough := c.MinServers.Of(c.Weighted())
	return max(enough, c.Quota(), (c.Weighted()+1)/2)
}

// waiter is a server in the queue. While the queue is being built, a server whose Why names a rule is barred by that
// rule.
type waiter struct {
	*Server
	serves bool // it has a weight in the table and may keep it
	needed bool // it comes back at once
}

// From checks: servers that checks took out come back in the order in which they passed, or at once while too few
// serve.
var queueRule = Rule{"queue", false, queue}

// delaysReturn reports whether a server that checks took out may have to wait before it comes back.
func (c *Section) delaysReturn(s *Server) bool {
	return slices.ContainsFunc(Kinds, func(k Kind) bool { return k.delays != nil && k.delays(c, s) })
}

// queue lines up the servers that wait. Servers with a weight in the table come first, because they serve; of those, a
// suspect leaves only while another one serves. Servers that a rule bars come last, and return only if they are needed.
func queue(p *proposal) {
	missing := p.needed()
	pending, _ := p.pending()
	p.Starts = p.Starts && pending > 0
	for s := range p.all() {
		switch {
		case s.Waits():
			p.queue = append(p.queue, waiter{Server: s})
		case s.Fallen && s.Health() == health.Up && s.Asks() <= health.NoAdmin && s.Weight() > 0:
			s.Forgive() // a backup server, or one that an order or maintenance keeps out
		case s.Held, s.Backup:
		case p.Serves(s), p.Starts && p.comesByItself(s), !p.IsOurs() && s.Health() == health.Unknown:
			missing--
		}
	}
	for i := range p.queue {
		w := &p.queue[i]
		w.serves = !p.weighsNothing(w.Server) && (!w.Suspect || !p.servesBeside(w.Server))
	}
	rank := func(w waiter) int {
		switch {
		case w.serves:
			return 0
		case w.Why == 0:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(p.queue, func(a, b waiter) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), a.Since.Compare(b.Since))
	})
	for i := range p.queue {
		w := &p.queue[i]
		if w.needed = missing > 0 || p.Gathers() || w.serves; w.needed {
			missing--
		}
	}
	p.queue = slices.DeleteFunc(p.queue, func(w waiter) bool { return w.Why != 0 && !w.needed })
}

// pending returns the number of servers with a check that has never ended, and the number of all checked servers.
func (c *Case) pending() (n, of int) {
	for s := range c.all() {
		if !s.Unchecked {
			of++
		}
		if s.isPending() {
			n++
		}
	}
	return n, of
}

// comesByItself reports whether a server serves as soon as its first check passes.
func (p *proposal) comesByItself(s *Server) bool {
	return s.isPending() && s.Health() == health.Unknown && !s.Fallen && s.Weight() > 0 && !s.Drained() &&
		!s.Suspended() && !p.isOutByHand(s.Dest.Addr)
}

// waits notes the time of a server's turn, and the time to decide about it again.
func (p *proposal) waits(s *Server, turn, again time.Time) {
	s.Until, s.Why = turn, p.by
	p.askAgain(again)
}

// From checks: a server in the queue comes back when no rule keeps it there.
var letInRule = Rule{"let in", false, letIn}

// letIn lets in the servers that no rule keeps waiting.
func letIn(p *proposal) {
	for _, s := range p.queue {
		s.Fallen, s.Noted, s.Suspect, s.Turn = false, false, false, p.now
	}
}
