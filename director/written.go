package director

import (
	"net/netip"
	"slices"

	"ldirectord/ipvsctl"
)

// written is a virtual service as it was last written to the table. Its destinations are no map: with a few of them that
// takes three times the memory.
type written struct {
	settings ipvsctl.Settings
	dests    []ipvsctl.Dest // by address
}

func newWritten(s ipvsctl.Service) *written {
	w := &written{s.Settings, make([]ipvsctl.Dest, 0, len(s.Dests))}
	for _, dest := range s.Dests {
		w.dests = append(w.dests, dest)
	}
	slices.SortFunc(w.dests, func(a, b ipvsctl.Dest) int { return a.Addr.Compare(b.Addr) })
	return w
}

// all are the destinations, as a set of its own.
func (w *written) all() dests {
	all := make(dests, len(w.dests))
	for _, dest := range w.dests {
		all[dest.Addr] = dest
	}
	return all
}

// find is where an address is, or would be.
func (w *written) find(addr netip.AddrPort) (at int, in bool) {
	return slices.BinarySearchFunc(w.dests, addr, func(d ipvsctl.Dest, addr netip.AddrPort) int { return d.Addr.Compare(addr) })
}

func (w *written) has(addr netip.AddrPort) bool {
	_, in := w.find(addr)
	return in
}

// is reports whether a service is as it was written.
func (w *written) is(s ipvsctl.Service) bool {
	if w.settings != s.Settings || len(w.dests) != len(s.Dests) {
		return false
	}
	for _, dest := range w.dests {
		if s.Dests[dest.Addr] != dest {
			return false
		}
	}
	return true
}

// record notes one change that was made.
func (w *written) record(op ipvsctl.Op) {
	at, in := w.find(op.Dest.Addr)
	switch {
	case op.Kind == ipvsctl.EditService:
		w.settings = op.Settings
	case op.Kind == ipvsctl.DelDest && in:
		w.dests = slices.Delete(w.dests, at, at+1)
	case (op.Kind == ipvsctl.AddDest || op.Kind == ipvsctl.EditDest) && in:
		w.dests[at] = op.Dest
	case op.Kind == ipvsctl.AddDest || op.Kind == ipvsctl.EditDest:
		w.dests = slices.Insert(w.dests, at, op.Dest)
	}
}
