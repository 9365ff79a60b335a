package director

import (
	"testing"
)

// Without addresses the kernel isn't asked to report changes of devices.
func TestOnlyAddressesAreFollowed(t *testing.T) {
	a := &announcer{kernel: &devices{changed: make(chan struct{})}}
	if a.follow(t.Context()); a.changes != nil {
		t.Error("changes of devices are reported without an address")
	}
	a.list = []*announcement{{}}
	if a.follow(t.Context()); a.changes == nil {
		t.Error("changes of devices are not reported with an address")
	}
}
