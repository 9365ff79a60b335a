package judge

import "ldirectord/checker/health"

// off is the state of a server that is not checked. It is neither up, down nor unknown: the server is simply not there.
const off health.State = 255

// State is what the table is made from: a server in maintenance is down, whatever its checks say, and one that is held
// is up.
func (s *Server) State() health.State {
	switch {
	case s.Unchecked:
		return off
	case s.Suspended():
		return health.Down
	case s.Held:
		return health.Up
	default:
		return s.Verdict()
	}
}

// StateName is the name of its state, as others see it.
func (s *Server) StateName() Name {
	switch {
	case s.Unchecked:
		return Off
	case s.Suspended():
		return Maintenance
	case s.IsDraining():
		return Draining
	default:
		return [...]Name{health.Unknown: Unknown, health.Up: Up, health.Down: Down}[s.Verdict()]
	}
}

// IsDraining reports whether it could serve and is drained instead.
func (s *Server) IsDraining() bool {
	state := s.State()
	return s.Drained() && (state == health.Up || state == health.Unknown)
}

// IsUp reports whether it serves as far as its checks and orders go.
func (s *Server) IsUp() bool { return s.State() == health.Up && !s.Drained() }

// Weight is its weight, by order or as configured.
func (s *Server) Weight() uint32 {
	if s.Order.Kind == Weigh {
		return s.Order.Weight
	}
	return s.Dest.Weight
}

// works reports whether it has not failed. One in maintenance has not: it serves on when that ends.
func (s *Server) works() bool { return !s.Unchecked && (s.Held || s.Verdict() != health.Down) }

// isAwaited reports whether a check of it has no result yet. Until then it counts as it did before.
func (s *Server) isAwaited() bool {
	for _, check := range s.Checks() {
		if check.Pending {
			return true
		}
	}
	return s.Kept && s.State() == health.Unknown
}

// Verdict is what all checks of a server say together: it is down when one is, up when all are, and else unknown.
func (s *Server) Verdict() health.State {
	verdict := s.First.Health.State
	for k := range s.More {
		switch state := s.More[k].Health.State; {
		case verdict == health.Down || state == health.Up:
		default:
			verdict = state
		}
	}
	return verdict
}

// Suspended reports whether a file or an order takes it out for maintenance.
func (s *Server) Suspended() bool { return s.File || s.Order.Kind == Maint }

// Drained reports whether it gets no new connections by order.
func (s *Server) Drained() bool { return s.Order.Kind == Drain }

// loss is the least of those of its checks that fail.
func (s *Server) loss() Loss {
	least := WrongAnswer
	for _, c := range s.Checks() {
		if c.Health.State == health.Down {
			least = min(least, c.Loss)
		}
	}
	return least
}
