package always

import "ldirectord/internal/health"

// backupTurns: backup servers come into service only when too few others could serve. They leave service only when
// enough others do, and then keep their connections.
func backupTurns(s *Step) string {
	b, m := s.Before, s.After
	if !b.Follows && s.Cause != Started || !m.Follows || s.Cause == Outside || m.Gathers {
		return ""
	}
	up, open, unsure := m.own()
	low, high := m.BackupBelow.Of(m.Weighted())
	return m.first(func(o *Server) string {
		if !o.Backup || o.Weight == 0 || o.Touched || m.isByHand(o) || b.isByHand(o) {
			return ""
		}
		_, in := m.Table.At(o.Dest.Addr)
		was, now := b.WeightIn(o.Dest.Addr) > 0, m.ServesIn(o)
		wanted := !o.Out && !o.Drained && o.Asks == health.NoAdmin && !o.Gone
		passes := wanted && o.Health == health.Up && !o.Unchecked
		switch {
		case !was && now && !b.Backed && up+open >= low:
			return " comes, and enough others serve or are unknown"
		case was && !now && passes && up+unsure < high && !m.changesToGate(o):
			return " goes, and too few others serve"
		case was && !in && passes:
			return " is a backup server that is cut"
		}
		return ""
	})
}

// backupServes: backup servers serve while too few others do, and at no other time.
func backupServes(m *Moment, s *Server) string {
	if !s.Backup || s.Unchecked || m.Gathers {
		return ""
	}
	up, open, unsure := m.own()
	low, high := m.BackupBelow.Of(m.Weighted())
	switch {
	case m.Backed && up >= high:
		return " is needed, and enough others serve"
	case !m.Backed && up+open+unsure < low:
		return " is not needed, and too few others serve"
	case m.Rests(s) && m.ServesIn(s) && !m.isByHand(s):
		return " is not needed, and serves"
	}
	return ""
}
