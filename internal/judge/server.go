package judge

import "ldirectord/internal/health"

// off is the state of a server that is not checked. It is neither up, down nor unknown: the server is not in use.
const off health.State = 255

// State returns the state that decides whether the server is in the table. A server in maintenance counts as down,
// whatever its checks find, and so does a server that waits to come back. A held server counts as up.
func (s *Server) State() health.State {
	switch {
	case s.Unchecked:
		return off
	case s.Suspended(), s.Waits():
		return health.Down
	case s.Held:
		return health.Up
	default:
		return s.Health()
	}
}

// StateName returns the name of the server's state in status and alerts.
func (s *Server) StateName() Name {
	switch {
	case s.Unchecked:
		return Off
	case s.Suspended():
		return Maintenance
	case s.IsDraining() && s.Health() != health.Down: // a held server that fails is called down, even if it drains
		return Draining
	default:
		return [...]Name{health.Unknown: Unknown, health.Up: Up, health.Down: Down}[s.Health()]
	}
}

// IsDraining reports whether the server could serve, or is held, but is drained. Any other server that fails is down,
// not draining.
func (s *Server) IsDraining() bool {
	state := s.State()
	return s.Drained() && (state == health.Up || state == health.Unknown)
}

// IsUp reports whether the server counts as up, see State, and is not drained.
func (s *Server) IsUp() bool { return s.State() == health.Up && !s.Drained() }

// Weight returns the server's weight, by order or as configured.
func (s *Server) Weight() uint32 {
	if s.Order.Kind == Weigh {
		return s.Order.Weight
	}
	return s.Dest.Weight
}

// works reports whether the server is checked and, unless it is held, has not failed. Maintenance makes no difference,
// because the server serves again afterwards.
func (s *Server) works() bool { return !s.Unchecked && (s.Held || s.Health() != health.Down) }

// isPending reports whether a check that decides about the server has never ended.
func (s *Server) isPending() bool {
	for _, check := range s.Checks() {
		if check.Pending && check.Part == 0 {
			return true
		}
	}
	return false
}

// isAwaited reports whether a check of the server has never ended, or the server is unknown and stays in service
// meanwhile.
func (s *Server) isAwaited() bool { return s.isPending() || s.Kept && s.State() == health.Unknown }

// Health combines all checks that decide about a server. The server is down if one of them is down, up if all are up,
// and otherwise unknown.
func (s *Server) Health() health.State {
	all := s.First.Health.State
	for k := range s.More {
		switch state := s.More[k].Health.State; {
		case s.More[k].Part > 0, all == health.Down || state == health.Up:
		default:
			all = state
		}
	}
	return all
}

// Suspended reports whether the server is in maintenance because of a file, an order or its own report. The report does
// not count while the server is held, or while an order drains it.
func (s *Server) Suspended() bool {
	asks := !s.Held && s.Order.Kind != Drain && s.Asks() == health.Maint
	return s.File || s.Order.Kind == Maint || asks
}

// Drained reports whether an order or the server's own report keeps new connections away from it, whatever its checks
// find. The report does not count while the server is held.
func (s *Server) Drained() bool { return s.Order.Kind == Drain || !s.Held && s.Asks() == health.Drain }

// lossOf returns the least loss of the failing checks that decide about the server.
func lossOf(s *Server) Loss {
	least := nothingLost
	for _, c := range s.Checks() {
		if c.Health.State == health.Down && c.Part == 0 {
			least = min(least, c.Loss)
		}
	}
	return least
}
