package lvs

import "time"

// Motion is what moves the weight of a real server in the table. It survives a reload and the end of the daemon. A
// change by hand ends it.
type Motion struct {
	Climbs time.Time `json:",omitzero"` // since when its weight climbs, see slowstart; zero: it does not
}

// Times are all times of a motion.
func (m *Motion) Times() []*time.Time { return []*time.Time{&m.Climbs} }
