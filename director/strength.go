package director

import (
	"cmp"
	"fmt"

	"ldirectord/view"
)

// minServers is nil without the directive.
func (v *virtual) minServers() *view.MinServers {
	if v.cfg.MinServers.Low.N == 0 {
		return nil
	}
	now := v.Case
	now.Weigh()
	n := &now.Strength
	return &view.MinServers{Up: n.Up, Needed: n.Needed, Enough: n.Enough}
}

// weakness is why its addresses should not be announced here; "" while it is healthy, or while results are missing.
func (v *virtual) weakness() string {
	switch n := &v.Strength; {
	case !v.placed:
		return v.label() + " is not in the table" + cmp.Or(": "+v.refused, "")
	case !n.Enough || !n.Serves:
		return fmt.Sprintf("%s: %d of %d up, %d needed", v.label(), n.Up, v.size(), n.Needed)
	}
	return ""
}
