package core

import (
	"slices"

	"ldirectord/internal/plan"
)

// This file handles servers whose host name has a new address. The new address is a new server. The old server stays in
// service and is checked until the new one is up, or until it fails itself.

// addEarlier adds to the servers of the file those that moved away and serve.
func (v *virtual) addEarlier(serves func(*plan.Entry) bool) {
	added := slices.DeleteFunc(slices.Clone(v.Earlier), func(e *plan.Entry) bool { return !serves(e) })
	if len(added) > 0 {
		s := v.With(added...)
		v.enlist(s, roomFor(s))
	}
}

// endMoved ends the checks of servers that moved away and are no longer needed. It reports whether there was one: with
// draintime it drains, which must be passed on before the table changes.
func (e *examiner) endMoved() (moved bool) {
	ended, gone := false, func(s *server) bool { return s.Gone }
	for _, v := range e.moved {
		before := v.servers
		if n := len(before); n == 0 || before[n-1].MovedTo < 0 {
			continue
		}
		if moved = true; slices.ContainsFunc(before, gone) {
			ended, v.servers = true, slices.DeleteFunc(slices.Clone(before), gone)
			v.touch()
			v.depart(before)
		}
	}
	if !ended {
		return moved
	}
	for _, c := range e.checks {
		c.users = slices.DeleteFunc(c.users, func(x user) bool { return x.s.Gone })
	}
	e.run(nil)
	return moved
}
