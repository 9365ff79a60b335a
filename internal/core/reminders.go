package core

import (
	"ldirectord/internal/health"
	"ldirectord/internal/notify"
)

// This file tells mail which servers are down, for its reminders. Changes to the table do not show this: there may be
// none for a server that is down at the start, nor for one that is no longer down but keeps weight 0.

// Reminders passes on which servers of virtual services with emailalertfreq are down, and which no longer are.
func Reminders(take func(e notify.Event, down bool)) Receiver {
	return func(c *Change) {
		if c.Down != nil {
			take(notify.Event{Time: c.Time, Virtual: c.v.Config.ID, Real: c.s.Dest.Addr.String(),
				Name: c.s.entry.Name(), Reason: c.v.whyDown(c.s)}, *c.Down)
		}
	}
}

// remind tells mail which servers of a virtual service have gone down, and which are no longer down. After a reload it
// tells the states of all servers, because an address may have another server now.
func (t *teller) remind(v *virtual) {
	if v.Config.Mail.Freq == 0 {
		return
	}
	for _, s := range v.servers {
		at := v.serverAt(s.Dest.Addr)
		if at == nil || v.IsOurs() && at.State() == health.Unknown {
			continue // until its first result, what mail was told still applies
		}
		down := v.IsOurs() && at.MovedTo < 0 && at.State() == health.Down
		if !s.told || s.toldDown != down {
			s.told, s.toldDown = true, down
			t.tell(Change{user: user{v: v, s: s}, Down: new(down)})
		}
	}
}

// forget ends the reminders of servers that a reload removes. The argument now is nil if it removes the whole virtual
// service.
func (t *teller) forget(was, now *virtual) {
	for _, s := range was.servers {
		if s.toldDown && (now == nil || now.serverAt(s.Dest.Addr) == nil) {
			t.tell(Change{user: user{v: was, s: s}, Down: new(bool)})
		}
	}
}
