package director

import "ldirectord/ipvsctl"

// written is a virtual service as it was last written to the table.
type written struct {
	settings ipvsctl.Settings
	dests    ipvsctl.DestList
}

func newWritten(s ipvsctl.Service) *written { return &written{s.Settings, ipvsctl.ListOf(s.Dests)} }

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

// record notes one change that was made, so that a later reading does not take it for somebody else's. Where it is not known
// what was written, w is nil.
func (w *written) record(op ipvsctl.Op) {
	if w == nil {
		return
	}
	switch op.Kind {
	case ipvsctl.EditService:
		w.settings = op.Settings
	case ipvsctl.AddDest, ipvsctl.EditDest:
		w.dests.Put(op.Dest)
	case ipvsctl.DelDest:
		w.dests.Remove(op.Dest.Addr)
	}
}
