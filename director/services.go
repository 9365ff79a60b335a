package director

import (
	"time"

	"ldirectord/checker"
	"ldirectord/lvs"
	"ldirectord/parser"
)

// services are the virtual services of the plan in force, and those that are left of former plans; whether they are
// served, and what tells of them. All who need them share them.
type services struct {
	role
	tell     teller
	global   *parser.Global
	tls      checker.TLSSums
	virtuals []*virtual // in the order of the file
	ours     []*virtual // of these, those that belong in the table
	purges   []*virtual // no longer configured, still in the table
}

// driftInterval is the smallest checkinterval, less a tenth, so that what vanished is back within one interval.
func (all *services) driftInterval() time.Duration {
	interval := all.global.CheckInterval
	for _, v := range all.virtuals {
		interval = min(interval, v.cfg.CheckInterval)
	}
	return max(interval.Duration(), minDrift) * 9 / 10
}

func byKey(virtuals []*virtual) map[lvs.Key]*virtual {
	all := make(map[lvs.Key]*virtual, len(virtuals))
	for _, v := range virtuals {
		all[v.key] = v
	}
	return all
}
