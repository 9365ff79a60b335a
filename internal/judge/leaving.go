package judge

import (
	"net/netip"
	"slices"
	"time"
)

// From the file: a server that left the file drains.
var departureRule = Rule{"leaver", true, leaving}

// leaving keeps departing servers at weight 0 until they are to be removed.
func leaving(p *proposal) {
	for _, l := range p.Departing {
		if d, in := p.Have.At(l.Addr); in && l.Over == Stays {
			p.other(d, 0)
		}
	}
}

// SendOff notes that a server left the section or moved away, or is a backup server that rests. With draintime, it
// drains from now on for at most that long, or until l.Until if that is earlier. Without draintime, a backup server
// drains until its connections have ended, and any other server is removed at once. A server that is not in the table
// is forgotten at the next write.
func (c *Case) SendOff(l Departure, now time.Time) {
	at, leaves := c.findDeparture(l.Addr)
	s := c.At(l.Addr)
	if leaves || s == nil && c.DrainTime == 0 || s != nil && !c.Rests(s) {
		return
	}
	left := c.DrainTime
	if !l.Until.IsZero() {
		left = min(left, l.Until.Sub(now)) // draintime may have been longer, or the clock was set
	}
	// now has a monotonic reading, so setting the clock no longer changes l.Until
	if l.Until = now.Add(left); c.DrainTime == 0 {
		l.Until = time.Time{}
	}
	delete(c.ByHand, l.Addr)
	c.Departing = slices.Insert(c.Departing, at, l)
}

// Looked notes whether a departing server has no connections left, and reports whether it has to be removed now. It has
// to be once draintime is over, unless it still serves (see replaced), or once it has had weight 0 and no connections
// at two looks in a row.
func (s *State) Looked(l *Departure, idle bool, now time.Time) (goes bool) {
	weight, in := s.WeightAt(l.Addr)
	wasIdle := l.Idle
	l.Idle = idle && in && weight == 0 // a departing server with a weight still serves, see replaced
	switch {
	case !l.Until.IsZero() && !now.Before(l.Until) && !l.Serves:
		l.Over = Late
	case wasIdle && l.Idle: // by now, connections being set up when it got weight 0 are counted
		l.Over = Drained
	default:
		return false
	}
	delete(s.ByHand, l.Addr)
	return true
}

// Departure returns the departing server at an address; nil if there is none.
func (s *State) Departure(addr netip.AddrPort) *Departure {
	at, in := s.findDeparture(addr)
	if !in {
		return nil
	}
	return &s.Departing[at]
}

func (s *State) findDeparture(addr netip.AddrPort) (at int, in bool) {
	return slices.BinarySearchFunc(s.Departing, addr,
		func(l Departure, a netip.AddrPort) int { return l.Addr.Compare(a) })
}
