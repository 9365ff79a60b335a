package checker

import "fmt"

// Idle returns why a check always fails without a request, because a required setting is missing; otherwise nil.
func Idle(c Checker) *SpecError {
	if r, ok := bare(c).(always); ok && !r.OK {
		return &SpecError{"service", fmt.Errorf("%s, so its checks fail", r.Detail)}
	}
	return nil
}
