package judge

import (
	"slices"
	"time"

	"ldirectord/checker/health"
)

// Brake is what is known of the way through the virtual address, for one line of checks in a section. When all servers
// that were up fail only through it, the problem is the director's, and their states stay. A pass through it
// shows that the way is fine. A server is accused while its failures by that way are not judged.
type Brake struct {
	Accuses bool      // servers are accused
	Holds   bool      // no server can show that the path is fine, so the states of all stay
	Over    time.Time // when that ended last: a check that began before says nothing
	Newest  Spot      // a check that passed in this wake-up, or else the last that had a result
	Due     bool      // whether it holds is to be settled
}

// Spot is a check of a server, by their places.
type Spot struct {
	Server int32
	Check  int
}

func (s *State) check(at Spot) *Check { return s.Servers[at.Server].Check(at.Check) }

// mayBrake reports whether a server is up, so that the brake may hold it.
func (s *Server) mayBrake() bool { return s.Verdict() == health.Up && !s.Suspended() }

// IsBraked reports whether the state of a server stays by the brake.
func (s *State) IsBraked(c *Check) bool {
	return len(s.Brakes) > 0 && !c.Accused.IsZero() && s.Brakes[c.Line].Holds
}

// IsBraking reports whether failures of one of the checks are kept.
func (s *State) IsBraking() bool {
	return slices.ContainsFunc(s.Brakes, func(b Brake) bool { return b.Holds })
}

// Brake takes the last passage of a check. Kept: it is not to be judged, or not yet. Idle: it says nothing new.
func (c *Case) Brake(at Spot, now time.Time) (kept, idle bool) {
	if len(c.Brakes) == 0 || c.Obeys {
		return false, false
	}
	check := c.check(at)
	b := &c.Brakes[check.Line]
	kept = check.Own && c.Servers[at.Server].mayBrake()
	stale := check.Began.Before(b.Over)
	idle = kept && (b.Holds || stale || !check.Accused.IsZero())
	switch {
	case !kept:
		check.Accused = time.Time{}
	case !stale && check.Accused.IsZero():
		check.Accused, b.Accuses = now, true
	}
	if b.Accuses && (!b.Due || !c.check(b.Newest).Passed) {
		b.Newest, b.Due = at, true
	}
	return kept, idle
}

// Braking is what becomes of a brake.
type Braking struct {
	Over   bool   // it is over: its newest check passed
	Judged []Spot // their last failures count
	Asked  []Spot // these are asked again soon: they may show whether the way is fine
	Holds  []Spot // it begins to hold: these keep their states
}

// Settle decides what the results of a wake-up say together of a line of checks: once, however many servers fail.
// Patience is how long failures wait for a result that shows whose they are.
func (c *Case) Settle(line int, patience time.Duration, now time.Time) (done Braking) {
	b := &c.Brakes[line]
	if !b.Due {
		return done
	}
	b.Due = false
	accused, open, proof := fellows(c, uint8(line))
	switch {
	case b.Holds && len(accused) > 0 && !c.check(b.Newest).Passed:
		return done
	case b.Holds:
		for _, at := range accused {
			c.check(at).Accused = time.Time{}
		}
		*b = Brake{Over: now, Newest: b.Newest}
		done.Over = true
		return done
	}
	alone := len(accused)+len(open) == 1
	var kept []Spot
	for _, at := range accused {
		check := c.check(at)
		if alone || proof.After(check.Began) || now.Sub(check.Accused) > patience {
			check.Accused = time.Time{}
			done.Judged = append(done.Judged, at)
		} else {
			kept = append(kept, at)
		}
	}
	if b.Accuses = len(kept) > 0; !b.Accuses {
		return done
	}
	if done.Asked = open; len(open) == 0 {
		b.Holds, done.Holds = true, kept
	}
	return done
}

// fellows are the checks by one line of the section that are accused, others that may show whether the way is fine, and
// when the last check began that passed by it.
func fellows(c *Case, line uint8) (accused, open []Spot, proof time.Time) {
	for s := range c.all() {
		for k, check := range s.Checks() {
			if check.Line != line || s.Unchecked {
				continue
			}
			if check.Passed && check.Began.After(proof) {
				proof = check.Began
			}
			switch {
			case !check.Accused.IsZero():
				accused = append(accused, Spot{s.At, k})
			case s.mayBrake() && check.Tells:
				open = append(open, Spot{s.At, k})
			}
		}
	}
	return accused, open, proof
}

// Obey notes the order to obey the checks, or that it ended. All failures count then: those that were not judged are
// returned.
func (c *Case) Obey(obeys bool) (judged []Spot) {
	if c.Obeys = obeys; !obeys || len(c.Brakes) == 0 {
		return nil
	}
	clear(c.Brakes)
	for s := range c.all() {
		for k, check := range s.Checks() {
			if !check.Accused.IsZero() {
				check.Accused = time.Time{}
				judged = append(judged, Spot{s.At, k})
			}
		}
	}
	return judged
}
