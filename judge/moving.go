package judge

import (
	"net/netip"
	"time"

	"ldirectord/lvs"
)

// Moving is the record of a server whose weight moves, for the next daemon.
type Moving struct {
	Key    lvs.Key
	Addr   netip.AddrPort
	Weight uint32 // in the table when it was recorded
	Of     uint32 // its weight by order or file
	lvs.Motion
}

// Resume notes, at a start, what moved the server's weight when the previous daemon ended. It reports whether the
// weight in the table fits the record: it is not beyond those of then and of now. A server that is out has no weight.
func (c *Section) Resume(s *Server, m Moving, weight uint32, now time.Time) (fits bool) {
	if s.Motion = m.Motion; weight == 0 || m.Climbs.After(now) {
		s.Climbs = time.Time{}
	}
	is := (&hearing{Case: Case{Section: c}, now: now}).weight(s)
	return weight == 0 || m.Of != s.Weight() || min(is, m.Weight) <= weight && weight <= max(is, m.Weight)
}
