package director

import (
	"cmp"

	"ldirectord/checker/health"
	"ldirectord/ipvsctl"
	"ldirectord/notify"
)

// emitOp records a change of the table in the words that log watchers know.
func (d *Director) emitOp(v *virtual, op ipvsctl.Op) {
	e := notify.Event{Virtual: v.cfg.ID, Weight: int(op.Dest.Weight)}
	switch op.Kind {
	case ipvsctl.AddService:
		e.Say(notify.AddedVirtual, "Added virtual server: %s", v.name)
	case ipvsctl.EditService:
		e.Say(notify.ChangedVirtual, "Changed virtual server: %s", v.name)
	case ipvsctl.DelService:
		e.Say(notify.PurgedVirtual, "Purged virtual server (%s): %s", v.tag, v.name)
	default:
		d.emitDestOp(v, op, &e)
	}
	d.teller.emit(e)
}

func (d *Director) emitDestOp(v *virtual, op ipvsctl.Op, e *notify.Event) {
	if v.emitLeaving(op, e) {
		return
	}
	s := v.serverAt(op.Dest.Addr)
	kind, name, table := "real", "", op.Dest.Addr.String()
	switch {
	case v.isFallback(op, s):
		kind, name, e.Fallback = "fallback", v.fallbackName, true
	case s != nil:
		if name = s.label(); op.Dest.Addr == s.real.Addr {
			table = name
		}
		worst := s.worst()
		e.Reason = v.named(s, worst, worst.reason)
		if why := s.suspended(); why != "" {
			e.Reason = "maintenance: " + why
		}
		d.addDetails(v, s, e)
	}
	down := s != nil && s.state() == health.Down
	e.Real = op.Dest.Addr.String()
	switch op.Kind {
	case ipvsctl.AddDest:
		e.Say(notify.Added, "Added %s server: %s (%s) (Weight set to %d)", kind, name, v.name, op.Dest.Weight)
		if kind == "real" && down && d.global.ReaddQuiescent {
			e.Say(notify.Quiescent, "Readd Quiescent real server: %s (%s) (Weight set to 0)", name, v.name)
		}
	case ipvsctl.EditDest:
		if kind == "real" && s != nil && (s.draining() || s.rerouted) && op.Dest.Weight == 0 {
			e.Say(notify.Drained, "Drained real server: %s (%s) (Weight set to 0)",
				tableName(table, name), v.called())
			e.Reason = cmp.Or(s.note(), e.Reason)
			return
		}
		e.Say(notify.Restored, "Restored %s server: %s (%s) (Weight set to %d)",
			kind, name, v.name, op.Dest.Weight)
		if kind == "real" && down {
			e.Say(notify.Quiescent, "Quiescent %s server: %s (%s) (Weight set to 0)",
				kind, tableName(table, name), v.name)
		}
	case ipvsctl.DelDest:
		e.Say(notify.Deleted, "Deleted %s server: %s (%s)", kind, tableName(table, name), v.name)
		if s == nil && !e.Fallback {
			e.Say(notify.Purged, "Purged real server (%s): %s (%s)", v.tag, table, v.name)
		}
	}
}

// addDetails adds what a mail says of a server besides. The servers are counted once for all events of a moment.
func (d *Director) addDetails(v *virtual, s *server, e *notify.Event) {
	if v.cfg.Mail.To == "" {
		return
	}
	if now := d.teller.now(); !v.leftAt.Equal(now) {
		v.left, v.leftAt = 0, now
		for _, s := range v.servers {
			if v.serves(s) {
				v.left++
			}
		}
	}
	e.Name, e.Left, e.Servers = s.name(), v.left, v.size()
	if s.before != "" && s.before != "unknown" {
		e.Before, e.Lasted = s.before, s.lasted
	}
}

// tableName is how a server is named when it goes: by the table's port, with the configured one where
// it differs.
func tableName(table, configured string) string {
	if configured == "" || table == configured {
		return table
	}
	return table + " mapped from " + configured
}
