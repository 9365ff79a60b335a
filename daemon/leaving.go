package daemon

import (
	"ldirectord/director"
	"ldirectord/instance"
)

// leavers are the servers that left the configuration of the daemon before, while their connections had not ended.
func (d *daemon) leavers() (all []director.Leaver) {
	for _, l := range d.lock.Leavers {
		all = append(all, director.Leaver(l))
	}
	return all
}

// recordLeavers writes them down for the next daemon.
func (d *daemon) recordLeavers(now []director.Leaver) {
	var all []instance.Leaver
	for _, l := range now {
		all = append(all, instance.Leaver(l))
	}
	d.recorded(d.lock.SetLeavers(all))
}
