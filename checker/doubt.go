package checker

import "fmt"

// Idle is why a check always fails without asking a server, because a setting that it needs is missing, or nil.
func Idle(c Checker) *SpecError {
	if r, ok := bare(c).(always); ok && !r.OK {
		return &SpecError{"service", fmt.Errorf("%s, so its checks fail", r.Detail)}
	}
	return nil
}
