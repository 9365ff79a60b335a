package core

import (
	"ldirectord/view"
)

// minServers is nil without the directive.
func (v *virtual) minServers() *view.MinServers {
	if v.Config.MinServers.Low.N == 0 {
		return nil
	}
	now := v.Case
	now.Weigh()
	n := &now.Strength
	return &view.MinServers{Up: n.Up, Needed: n.Needed, Enough: n.Enough}
}
