package judge

import (
	"slices"

	"ldirectord/checker/health"
)

var backupRule = Rule{"backup", "the file", true, backup,
	"backup servers serve once fewer than LOW other servers serve, and drain once HIGH serve"}

// backup puts the backup servers in service when fewer than LOW of the section's own servers serve, until HIGH of them
// serve again. Until the own servers have results, the backup servers stay as the table has them. One that is no longer
// needed drains like a server that left the file.
func backup(h *hearing) {
	if !h.reserve {
		return
	}
	was := h.Backed
	up, unknown := h.Own()
	if h.Gathers() {
		up, unknown = 0, up+unknown // none of them is back yet
	}
	low, high := h.BackupBelow.Of(h.Weighted())
	switch {
	case up >= high:
		h.Backed = false
	case up+unknown < low, (unknown > 0 || !h.Known) && h.backupIsIn():
		h.Backed = true
	}
	for s := range h.all() {
		if !s.Backup || h.At(s.Dest.Addr) != s {
			continue
		}
		if was != h.Backed {
			delete(h.ByHand, s.Dest.Addr)
		}
		h.rest(s)
	}
}

// Own counts the section's own servers that serve, and those for which that is unknown. Those that are held or climb do
// not serve.
func (s *State) Own() (up, unknown int) {
	for addr := range s.Found {
		up += int(min(s.Have.Weight(addr), 1))
	}
	for one := range s.all() {
		switch {
		case one.Backup, one.Weight() == 0, one.Drained(), one.Suspended(), one.Waits(),
			s.isOutByHand(one.Dest.Addr):
		case one.MovedTo >= 0 && isOpen(&s.Servers[one.MovedTo]): // the two are one
		case isOpen(one):
			unknown++
		case one.Verdict() == health.Up && !one.Held && one.Climbs.IsZero():
			up++
		}
	}
	return up, unknown
}

// isOpen reports whether the checks of a server have no result yet. One that fails is enough.
func isOpen(s *Server) bool {
	return s.Verdict() == health.Unknown || s.Verdict() == health.Up && s.isAwaited()
}

// backupIsIn reports whether the table has a backup server in service, and not by hand.
func (s *State) backupIsIn() bool {
	return slices.ContainsFunc(s.Servers, func(one Server) bool {
		return one.Backup && !s.weighsNothing(&one) && !s.ByHand[one.Dest.Addr]
	})
}

// Rests reports whether a server is a backup server that is not needed. It is not in the table, unless it drains.
func (s *State) Rests(one *Server) bool {
	return one.Backup && !one.Unchecked && !s.Backed
}

// rest has a backup server drain while it rests and is in the table. One that fails is treated like every server.
func (h *hearing) rest(s *Server) {
	drains := false
	d, in := h.Have.At(s.Dest.Addr)
	if h.Rests(s) {
		s.Why = h.by
		drains = in && !h.ByHand[s.Dest.Addr] && (s.State() != health.Down || h.stays(s))
	}
	leaver := Leaver{Addr: s.Dest.Addr}
	// draintime begins at weight 0
	if at, leaves := h.findLeaver(leaver.Addr); leaves && (!drains || d.Weight > 0) {
		leaver.Name = h.Leavers[at].Name
		h.Leavers = slices.Delete(h.Leavers, at, at+1)
	}
	if drains {
		h.SendOff(leaver, h.now)
	}
}
