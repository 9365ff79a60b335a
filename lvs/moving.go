package lvs

import (
	"net/netip"
	"time"
)

// Motion is what moves the weight of a real server in the table. It survives a reload and the end of the daemon. A
// change by hand ends it.
type Motion struct {
	Climbs time.Time `json:",omitzero"` // since when its weight climbs, see slowstart; zero: it does not
}

// Times are all times of a motion.
func (m *Motion) Times() []*time.Time { return []*time.Time{&m.Climbs} }

// Moving is the record of a moving server for the next daemon.
type Moving struct {
	Key    Key
	Addr   netip.AddrPort
	Weight uint32 // in the table when it was recorded
	Of     uint32 // its weight by order or file
	Motion
}
