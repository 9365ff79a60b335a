package director

import (
	"slices"

	"ldirectord/ipvsctl"
)

// written is a virtual service as it was last written to the table.
type written struct {
	settings ipvsctl.Settings
	dests    ipvsctl.DestList
}

func newWritten(s ipvsctl.Service) *written { return &written{s.Settings, ipvsctl.ListOf(s.Dests)} }

// service is it as the table has a virtual service.
func (w *written) service(key ipvsctl.Key) ipvsctl.Service {
	return ipvsctl.Service{Key: key, Settings: w.settings, Dests: w.dests.Map()}
}

// is reports whether a service is as it was written.
func (w *written) is(s ipvsctl.Service) bool {
	return w.settings == s.Settings && slices.Equal(w.dests, ipvsctl.ListOf(s.Dests))
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
