package judge

import "ldirectord/internal/health"

// A server may report what it can bear, see health.Telling: no new connections (drain), nothing at all (maint), or a
// percentage of its weight. It never gets more than its weight, and nothing that it reports makes up for a failed
// check. If too many servers ask to be left out, the guard holds the last ones.

// whole is the full weight in ten-thousandths.
const whole = 10_000

// reported returns the part of a server's weight that the server reports it can bear. While a check that only changes
// the weight is down, the result is also multiplied by that check's Part.
func (s *Server) reported() Part {
	p := Part{whole, whole}
	for _, check := range s.Checks() {
		share := uint64(check.Telling.Percent()) * 100
		if check.Part > 0 && check.Health.State == health.Down {
			share = share / 100 * uint64(check.Part)
		}
		p.Num = (p.Num*share + 9999) / 10000
	}
	if s.Held {
		p.Num = max(p.Num, 1)
	}
	return p
}

// Asks returns the strongest request in a server's answers to checks: maintenance, drain, or nothing.
func (s *Server) Asks() (most health.Admin) {
	for _, check := range s.Checks() {
		most = max(most, check.Telling.Asks())
	}
	return most
}

// Report notes what a server reports in an answer to a check. It must be called before the result of that check is
// noted. It returns true if the table may change. While the server serves, a report that restricts it counts once
// enough answers agree. Otherwise a report counts at once, so no server enters service against its own report.
func (c *Case) Report(s *Server, check *Check, reported health.Report) (changed bool) {
	rule := c.Rule
	if s.State() != health.Up || s.Health() != health.Up { // a held server may come back by this answer
		rule = health.Rule{Fall: 1}
	}
	asked, before := s.Asks(), check.Telling.Words
	holds := c.guards() && c.Serves(s) && (s.Entered || !c.IsOurs())
	check.Telling = check.Telling.Next(reported, rule)
	if s.Asks() != asked {
		s.Hold(holds)
		s.Turned = s.Turned || !s.Held
	}
	return check.Telling.Words != before
}

// From the server: unless the guard holds it, a server that reports drain has weight 0, and one that reports maint is
// out.
var reportRule = Rule{"told", true, leftOut}

// leftOut takes out servers that ask to be left out and are not held. A server that reports drain keeps its
// connections, as with an order to drain, but is added to the table only if quiescent is set.
func leftOut(p *proposal) {
	for s := range p.all() {
		kind := s.Order.Kind
		if s.Held || s.Asks() == health.NoAdmin || p.Rests(s) || s.File || kind == Drain || kind == Maint {
			continue
		}
		if s.IsDraining() || s.Suspended() {
			s.Why = p.by
		}
		_, in := p.Have.At(s.Dest.Addr)
		if s.IsDraining() && (in || p.Quiescent && s.State() == health.Up) {
			p.member(s, 0)
		}
	}
}
