package core

import (
	"slices"

	"ldirectord/internal/plan"
)

// This file handles servers whose host name has a new address. The new address is a new server. The old server stays in
// service and is checked until the new one is up, or the old one fails.

// addEarlier adds the servers that moved away but still serve. They follow those in the file.
func (v *virtual) addEarlier(serves func(*plan.Entry) bool) {
	added := slices.DeleteFunc(slices.Clone(v.Earlier), func(e *plan.Entry) bool { return !serves(e) })
	if len(added) > 0 {
		s := v.With(added...)
		v.enlist(s, roomFor(s))
	}
}

// movedAway returns the servers that moved away, which are last in the list.
func (v *virtual) movedAway() []*server {
	at := len(v.servers)
	for at > 0 && v.servers[at-1].MovedTo >= 0 {
		at--
	}
	return v.servers[at:]
}

// endMoved ends the checks of servers that moved away and are no longer needed. It reports whether it found a change
// that the next daemon has to know about. Such a change must be passed on before the table changes.
func (e *examiner) endMoved() (changed bool) {
	ended, gone := false, func(s *server) bool { return s.Gone }
	var suspended []*server
	for _, v := range e.moved {
		if before := v.servers; slices.ContainsFunc(v.movedAway(), gone) {
			ended, v.servers = true, slices.DeleteFunc(slices.Clone(before), gone)
			v.touch()
			v.depart(before)
		}
		for _, s := range v.movedAway() {
			if v.IsOurs() && s.Suspended() {
				suspended = append(suspended, s)
			}
		}
	}
	changed = ended || !slices.Equal(suspended, e.suspended)
	if e.suspended = suspended; !ended {
		return changed
	}
	for _, c := range e.checks {
		c.users = slices.DeleteFunc(c.users, func(x user) bool { return x.s.Gone })
	}
	e.run(nil)
	return changed
}
