package lvs

import "net/netip"

// Wanted is the desired place of one announced address.
type Wanted struct {
	Addr   netip.Addr
	Device string // the device on which it is announced; "": none
	// the configured devices on which it may be (announce, lastresort), including Device
	Devices []string
	// a local route delivers its packets here, even while it is on no device. Local is set whenever Device is
	Local bool
	// leave it on its current device, because that device, or the one where it belongs, is not known yet. Device is
	// then ""
	Undecided bool
	Repair    bool // put it back even if it was removed by hand
}
