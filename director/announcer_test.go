package director

import (
	"testing"

	"ldirectord/core"
)

// Without addresses the kernel isn't asked to report changes of devices.
func TestOnlyAddressesAreFollowed(t *testing.T) {
	d := New(Deps{Announcer: &devices{changed: make(chan struct{})}})
	if d.carryOut(t.Context(), core.Effects{}); d.changes != nil {
		t.Error("changes of devices are reported without an address")
	}
	if d.carryOut(t.Context(), core.Effects{Follow: true}); d.changes == nil {
		t.Error("changes of devices are not reported with an address")
	}
}
