package core

import (
	"cmp"
	"slices"
	"time"

	"ldirectord/internal/judge"
	"ldirectord/internal/notify"
	"ldirectord/internal/view"
)

// This file keeps the conditions of the director itself: what this machine lacks to forward packets. Package daemon
// looks at the machine once per checkinterval. After a start, it looks once a second until a look finds no fault.

const (
	enoughLooks  = 3           // looks in a row that find the machine broken, before withdrawon acts
	machineQuiet = time.Minute // a condition that is not Broken is over when no look has found it for this long
)

// machine holds the conditions that were found on this machine.
type machine struct {
	*services
	held    []lack
	fault   string    // why this machine serves nobody; "": it does
	worked  bool      // a look has found no fault
	broken  int       // looks in a row that found a fault, one in each interval
	counted time.Time // the time of the last of these looks
}

// lack is a condition, with the time at which it was last found.
type lack struct {
	view.Condition
	at time.Time
}

// Looked handles the conditions found by a look at this machine, at most one of each kind.
func (c *Core) Looked(now time.Time, found []view.Condition) {
	c.tell.tick(now)
	was := c.machine.withdraws()
	if c.machine.look(found); c.machine.withdraws() != was {
		c.announcer.reconsider()
	}
}

func (m *machine) look(found []view.Condition) {
	now := m.tell.now()
	m.fault = ""
	for _, one := range found {
		i := slices.IndexFunc(m.held, func(s lack) bool { return s.Kind == one.Kind })
		if i < 0 {
			i, m.held = len(m.held), append(m.held, lack{})
			m.tell.line(notify.MachineTrouble, "Trouble on this machine: "+one.Text)
		}
		if m.held[i] = (lack{one, now}); one.Trouble == judge.Broken {
			m.fault = cmp.Or(m.fault, one.Text)
		}
	}
	m.held = slices.DeleteFunc(m.held, func(s lack) bool {
		over := s.at != now && (s.Trouble == judge.Broken || now.Sub(s.at) >= machineQuiet)
		if over {
			m.tell.line(notify.MachineRecovered, "Trouble on this machine is over: "+s.Text)
		}
		return over
	})
	every := m.global.CheckInterval.Duration()
	if !m.worked { // after a start: the looks come faster
		every = time.Second
	}
	switch {
	case m.fault == "":
		m.broken, m.worked = 0, true
	case m.broken == 0 || now.Sub(m.counted) > every/2: // an extra look, as at a reload, does not count
		m.broken, m.counted = m.broken+1, now
	}
}

// withdraws returns the fault of this machine that causes its addresses to be withdrawn, or "" if there is none.
func (m *machine) withdraws() string {
	if m.global.WithdrawOn != "broken" || m.broken < enoughLooks {
		return ""
	}
	return m.fault
}

func (m *machine) describe() (list []view.Condition) {
	for _, s := range m.held {
		list = append(list, s.Condition)
	}
	return list
}
