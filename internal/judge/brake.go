package judge

import (
	"slices"
	"time"

	"ldirectord/internal/health"
)

// Path is the state of the path through the virtual address that the checks of one line use. If all servers that were
// up, at least two, fail only on that path, the director is at fault, and the servers keep their states: the brake
// holds. A single check that passes shows that the path works. A check is accused while its failures on that path are
// not judged yet.
type Path struct {
	Accuses bool      // at least one check is accused
	Holds   bool      // the brake holds: no check is left that might show that the path works
	Over    time.Time // when the brake last ended; checks that began earlier and fail on the path don't count
	Newest  Spot      // a check that passed in this wake-up, otherwise the last one with a result
	Due     bool      // Settle has to decide whether the brake holds
}

// Spot identifies a check by the index of its server and by its own index among that server's checks.
type Spot struct {
	Server int32
	Check  int
}

func (s *State) check(at Spot) *Check { return s.Servers[at.Server].Check(at.Check) }

// mayBeAccused reports whether the brake may hold a server. It may if the server is up and not in maintenance.
func (s *Server) mayBeAccused() bool { return s.Health() == health.Up && !s.Suspended() }

// IsWithheld reports whether the brake withholds the failures of a check, so that its server keeps its state.
func (s *State) IsWithheld(c *Check) bool {
	return len(s.Paths) > 0 && !c.Accused.IsZero() && s.Paths[c.Line].Holds
}

// Withholds reports whether the brake withholds failures of any check.
func (s *State) Withholds() bool {
	return slices.ContainsFunc(s.Paths, func(b Path) bool { return b.Holds })
}

// Accuse handles the latest result of a check through the virtual address. kept means that the check's result is not
// judged, at least not yet; idle means that it changes nothing.
func (c *Case) Accuse(at Spot, now time.Time) (kept, idle bool) {
	if len(c.Paths) == 0 || c.Obeys {
		return false, false
	}
	check := c.check(at)
	b := &c.Paths[check.Line]
	kept = check.Own && c.Servers[at.Server].mayBeAccused()
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

// Settled is the outcome of Settle.
type Settled struct {
	Over   bool   // the brake no longer holds: its newest check passed, or none is accused any more
	Judged []Spot // the last failures of these checks count
	Asked  []Spot // these checks are repeated soon: they may show whether the path works
	Holds  []Spot // the brake begins to hold: these servers keep their states
}

// Settle judges all results that the checks of one line returned in one wake-up. patience is how long failures wait for
// a result that shows whether the servers or the director caused them.
func (c *Case) Settle(line int, patience time.Duration, now time.Time) (done Settled) {
	b := &c.Paths[line]
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
		*b = Path{Over: now, Newest: b.Newest}
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

// fellows looks at the checks of one line. It returns the accused ones, those that may still show whether the path
// works, and the start of the last one that passed.
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
			case s.mayBeAccused() && check.Tells:
				open = append(open, Spot{s.At, k})
			}
		}
	}
	return accused, open, proof
}

// Obey notes that the order to obey the checks was given or has ended. Under the order all failures count, so Obey
// returns the checks whose failures were not judged yet.
func (c *Case) Obey(obeys bool) (judged []Spot) {
	if c.Obeys = obeys; !obeys || len(c.Paths) == 0 {
		return nil
	}
	clear(c.Paths)
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
