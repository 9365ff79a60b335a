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
	for s := range c.all() {
		for _, check := range s.Checks() {
			check.Awaited = check.isMissed(began)
		}
	}
}

// Awaits reports whether a check of a server is waited for.
func (s *State) Awaits(one *Server, check *Check) bool {
	awaited := s.Gathers() && check.Way != nil && check.Awaited
	return awaited && one.Weight() > 0 && !one.Held && !one.Drained() && !one.Suspended()
}

// HasGathered reports whether no server is waited for any more.
func (c *Case) HasGathered() bool {
	if !c.Gathers() || !c.IsAway() {
		return c.Gathers()
	}
	for s := range c.all() {
		for _, check := range s.Checks() {
			if !s.Unchecked && c.Awaits(s, check) {
				return false
			}
		}
	}
	return true
}

// gathered lets servers that are back come into the table.
func gathered(h *hearing) {
	if h.HasGathered() {
		h.Back = time.Time{}
	}
}

// Took notes how a check went that says something of its server. Back is State's.
func (c *Check) Took(p Passage, back time.Time) {
	if c.Way == nil {
		return
	}
	c.Passage = p
	c.Tells = p.Passed || p.Own
	c.Awaited = p.isMissed(back)
}

// Answered notes that a check ended that says nothing of its server.
func (c *Check) Answered(began, back time.Time) {
	if c.Way != nil {
		c.Awaited = c.Awaited && began.Before(back.Add(stillAway))
	}
}

// isMissed reports whether a check has not passed since servers are back, nor failed for good.
func (p Passage) isMissed(back time.Time) bool {
	return (!p.OK || p.Began.Before(back)) && p.Began.Before(back.Add(stillAway))
}
