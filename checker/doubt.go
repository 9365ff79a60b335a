package checker

import (
	"fmt"

	"ldirectord/checker/perlre"
)

// Doubt is what works in a Spec and will hardly be of use, or nil: a pattern that may take forever on an answer that
// nearly matches.
func Doubt(s Spec) *SpecError {
	if err := explosion(s.Receive); err != nil {
		return &SpecError{"receive", err}
	}
	for step := range s.Steps.All() {
		if step.Send {
			continue
		}
		if err := explosion(step.Text); err != nil {
			return &SpecError{"expect", err}
		}
	}
	return nil
}

// Idle is why a check always fails without asking a server, because a setting that it needs is missing, or nil.
func Idle(c Checker) *SpecError {
	if r, ok := bare(c).(always); ok && !r.OK {
		return &SpecError{"service", fmt.Errorf("%s, so its checks fail", r.Detail)}
	}
	return nil
}

func explosion(pattern string) error {
	re, err := perlre.Compile(pattern)
	if err != nil { // New tells
		return nil
	}
	pos, why, ok := re.Explodes()
	if !ok {
		return nil
	}
	return fmt.Errorf(
		"%s, at character %d of the pattern: an answer that nearly matches may take too long to be judged", why,
		pos+1)
}
