package judge

import "time"

// With announce, after too few servers were up, those that are back enter the table together: once each server that
// counts has passed, or has failed for good. Until then the address is withdrawn, or is on the device of lastresort.
// With only some of the servers, mh would send connections begun through other directors to the wrong ones. All servers
// are checked at once, so the wait is about stillAway. Servers that don't answer prolong it by up to two timeouts of a
// check.

// stillAway delays final failures: another server's failed check is final only if it began at least this long after the
// first server came back. When a link comes up again, the kernel may need a second or two to resolve a server's
// address.
const stillAway = 2 * time.Second

// Gathers reports whether servers that are back wait for the others.
func (s *State) Gathers() bool { return !s.Back.IsZero() }

// IsAway reports whether too few servers are up, and none of the section's addresses is on the device of announce.
func (s *State) IsAway() bool {
	n := &s.Strength
	return s.Away && n.Known && !(n.Enough && n.Serves)
}

// Gather notes that a server is back, according to a check that started at began. The section then waits for its other
// servers.
func (c *Case) Gather(began time.Time) {
	c.Back = began
	for s := range c.all() {
		for _, check := range s.Checks() {
			check.Awaited = check.isMissed(began)
		}
	}
}

// Awaits reports whether the section waits for a check of a server.
func (s *State) Awaits(one *Server, check *Check) bool {
	awaited := s.Gathers() && check.Way != nil && check.Awaited && !check.Agent
	return awaited && one.Weight() > 0 && !one.Held && !one.Drained() && !one.Suspended()
}

// HasGathered reports whether servers are back and need no longer wait for the others.
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

// From announce: servers that come back after too few were up wait for each other.
var gatheredRule = Rule{"back together", false, gathered}

// gathered lets servers that are back enter the table once they no longer have to wait.
func gathered(p *proposal) {
	if p.HasGathered() {
		p.Back = time.Time{}
	}
}

// Took notes a result that counts for the server of the check. For back see Lasting.
func (c *Check) Took(p Passage, back time.Time) {
	if c.Way == nil {
		return
	}
	if p != c.Passage { // a reload brings the last result again
		// a pass at the server's own address shows nothing about the path. But if the result before it did, the
		// next one may, as after the loss of the check's private service in IPVS
		c.Tells = p.tells() || p.OK && c.tells()
	}
	c.Passage = p
	c.Awaited = p.isMissed(back)
}

// tells reports whether a result shows something about the path through the virtual address.
func (p Passage) tells() bool { return p.Passed || p.Own }

// Answered notes the end of a check, even if its result does not count for its server.
func (c *Check) Answered(began, back time.Time) {
	if c.Way != nil {
		c.Awaited = c.Awaited && began.Before(back.Add(stillAway))
	}
}

// isMissed reports whether a check has neither passed nor failed for good since the first server came back.
func (p Passage) isMissed(back time.Time) bool {
	return (!p.OK || p.Began.Before(back)) && p.Began.Before(back.Add(stillAway))
}
