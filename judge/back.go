package judge

import "time"

// Servers that are back where too few were up come into the table together, when each server that counts has passed
// since, or fails for good: the address was withdrawn for that, or is on the last resort, and mh over a part of the
// servers would send the connections of other directors elsewhere. All are asked at once, so that takes one check's
// timeout, or stillAway where that is longer.

// stillAway is how long a server that fails is asked again after the first one is back: the kernel may look for it for
// a second or two where the link was down.
const stillAway = 2 * time.Second

// Gathers reports whether servers that are back wait for others.
func (s *State) Gathers() bool { return !s.Back.IsZero() }

// IsAway reports whether too few servers are up, and the addresses are elsewhere for that.
func (s *State) IsAway() bool {
	n := &s.Strength
	return s.Away && n.Known && !(n.Enough && n.Serves)
}

// Gather notes that a server is back, by a check that began then: the others are waited for.
func (c *Case) Gather(began time.Time) {
	c.Back = began
	for _, s := range c.all() {
		for _, check := range s.Checks() {
			check.Awaited = c.isMissed(check.Passage)
		}
	}
}

// Awaits reports whether a check is waited for.
func (c *Case) Awaits(at Spot) bool {
	s := &c.Servers[at.Server]
	return c.Gathers() && s.Check(at.Check).Awaited && c.Weight(at.Server) > 0 && !s.Held && !s.Drained() &&
		!s.Suspended()
}

// HasGathered reports whether no server is waited for any more.
func (c *Case) HasGathered() bool {
	if !c.Gathers() || !c.IsAway() {
		return c.Gathers()
	}
	for i, s := range c.all() {
		for k := range s.Checks() {
			if !c.Members[i].Unchecked && c.Awaits(Spot{i, k}) {
				return false
			}
		}
	}
	return true
}

// gathered lets servers that are back come into the table.
func gathered(h *hearing) bool {
	if h.HasGathered() {
		h.Back = time.Time{}
	}
	return false
}

// Took notes how a check went that says something of its server.
func (c *Case) Took(at Spot, p Passage) {
	check := c.check(at)
	check.Passage = p
	check.Tells = p.Passed || p.Own
	check.Awaited = c.isMissed(p)
}

// isMissed reports whether a check has not passed since servers are back, nor failed for good.
func (c *Case) isMissed(p Passage) bool {
	return (!p.OK || p.Began.Before(c.Back)) && p.Began.Before(c.Back.Add(stillAway))
}

// Join notes, after a reload, what is known of a check that others may have had before. Pending: it had no result yet.
// Tells: its first one may show whether the way through the virtual address is fine.
func (c *Case) Join(at Spot, p Passage, pending, tells bool) {
	c.Took(at, p)
	check := c.check(at)
	check.Pending, check.Tells = pending, check.Tells || tells
}

// Answered notes that a check ended that says nothing of its server.
func (c *Case) Answered(at Spot, began time.Time) {
	check := c.check(at)
	check.Awaited = check.Awaited && began.Before(c.Back.Add(stillAway))
}
