package lvs

import "net/netip"

// Wanted is the desired place of one announced address.
type Wanted struct {
	Addr   netip.Addr
	Device string // the device on which it is announced; "": none
	// the configured devices on which it may be (announce, lastresort), including Device
	Devices []string
	// it is served here: a local route delivers its packets even while it is on no device. If Device is set, so is
	// Local
	Local bool
	// leave it on its current device, because its first results are missing. Device is then ""
	Undecided bool
	Repair    bool // put it back even if it was removed by hand
}
