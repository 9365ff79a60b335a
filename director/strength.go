package director

import (
	"cmp"
	"fmt"
)

// MinServers reports whether enough servers of a virtual service are up.
type MinServers struct {
	Up     int  `json:"up"`     // servers that count
	Needed int  `json:"needed"` // how many servers are enough: LOW, or HIGH after there were fewer than LOW
	Enough bool `json:"enough"`
}

// minServers is nil without the directive.
func (v *virtual) minServers() *MinServers {
	if v.cfg.MinServers.Low.N == 0 {
		return nil
	}
	now := v.Case
	now.Weigh()
	return &MinServers{now.Strength.Up, now.Strength.Needed, now.Strength.Enough}
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
