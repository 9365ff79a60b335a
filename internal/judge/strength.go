package judge

import (
	"fmt"

	"ldirectord/internal/health"
)

// Weigh decides again whether enough servers are up. Because minservers has two numbers, the result depends on the
// previous one.
func (c *Case) Weigh() {
	n := &c.Strength
	found, awaited := c.foundServes(), 0
	n.Up, n.Holds, n.Serves = 0, false, found || c.FallbackIn
	low, high := c.MinServers.Of(c.Weighted())
	if found {
		awaited = len(c.Waiting)
	}
	for s := range c.all() {
		serves := c.InService(s)
		n.Serves = n.Serves || serves
		switch {
		case c.Rests(s), s.Weight() == 0, s.Drained(), s.Suspended():
		case s.isAwaited():
			awaited++
		case s.Held:
			n.Holds = n.Holds || serves
		case serves:
			n.Up++
		}
	}
	former := c.Unreplaced()
	n.Up, n.Serves = n.Up+former, n.Serves || former > 0
	if awaited > 0 && c.Known { // a reload replaced all servers, and the old ones still serve
		n.Serves = n.Serves || c.Have.Serve()
	}
	switch {
	case !n.Known:
		n.Known, n.Enough = awaited == 0, n.Up >= low
	case n.Up >= high:
		n.Enough = true
	case n.Up+awaited < low:
		n.Enough = false
	}
	if n.Needed = low; n.Known && !n.Enough {
		n.Needed = high
	}
}

// InService reports whether a server gets new clients: it serves, and has a weight in the table, as far as that is
// known. A weight by hand counts while the server passes, whatever the file and orders say. An unchecked server has a
// weight only if it was added by hand.
func (c *Case) InService(s *Server) bool {
	known := c.LastKnown()
	weight := known.Weight(s.Dest.Addr)
	if weight > 0 && (s.Unchecked || c.ByHand[s.Dest.Addr] && s.Health() == health.Up) {
		return true
	}
	return c.Serves(s) && (weight > 0 || known == nil)
}

// Unreplaced counts servers that left the file and still serve because no write has fully succeeded since.
func (c *Case) Unreplaced() (n int) {
	for _, d := range c.Last {
		isFormer := c.At(d.Addr) == nil && c.FallbackAt(d.Addr) < 0 && !c.Found[d.Addr] && !c.ByHand[d.Addr]
		if isFormer && d.Weight > 0 {
			n++
		}
	}
	return n
}

// Weighted returns the number of servers with a weight, including servers without an address, but neither backup
// servers nor servers at former addresses.
func (c *Case) Weighted() (n int) {
	for s := range c.all() {
		if s.Weight() > 0 && s.MovedTo < 0 && !s.Backup {
			n++
		}
	}
	for _, weight := range c.Waiting {
		n += int(min(weight, 1))
	}
	return n
}

// Own counts the servers that serve, and those for which that is unknown, without backup servers. Held servers and
// servers whose weight climbs do not count as serving, but found destinations with a weight do.
func (s *State) Own() (up, unknown int) {
	for addr := range s.Found {
		up += int(min(s.Have.Weight(addr), 1))
	}
	for one := range s.all() {
		switch {
		case one.Backup, one.Weight() == 0, one.Drained(), one.Suspended(), one.Waits(),
			s.isOutByHand(one.Dest.Addr):
		case one.MovedTo >= 0 && isOpen(&s.Servers[one.MovedTo]): // the two count as one
		case isOpen(one):
			unknown++
		case one.Health() == health.Up && !one.Held && one.Climbs.IsZero():
			up++
		}
	}
	return up, unknown
}

// isOpen reports whether the state of a server is still open: its checks lack results, and none shows that it is down.
func isOpen(s *Server) bool {
	return s.Health() == health.Unknown || s.Health() == health.Up && s.isAwaited()
}

// OwnServe describes how many servers serve, out of those that Weighted counts.
func (c *Case) OwnServe() string {
	up, _ := c.Own()
	return fmt.Sprintf("%d of %d real servers serve", up, c.Weighted())
}

// Quota returns the number of servers that checks must leave in service; 0 if they may take out all.
func (c *Case) Quota() int { return c.KeepServing.Of(c.Weighted()) }
