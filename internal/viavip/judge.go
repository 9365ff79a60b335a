package viavip

import (
	"cmp"
	"fmt"
	"strings"

	"ldirectord/checker"
)

// Kernel holds the facts that decide whether answers from a virtual address can come back to this machine.
type Kernel struct {
	Device      string // the one on which they come in: that of the route to the server
	Local       bool   // the virtual address belongs to this machine
	Same        bool   // Device has the virtual address, or the route to it
	AcceptLocal bool   // net.ipv4.conf: accept_local of Device or of all is 1
	Strict      bool   // the greater rp_filter of Device and of all is 1
}

// Drops reports which settings drop answers from an IPv4 virtual address (ip-sysctl in the kernel's documentation).
// IPv6 has neither setting.
func (k Kernel) Drops() (acceptLocal, reversePath bool) {
	return k.Local && !k.AcceptLocal, k.Strict && !k.Same
}

// Judge returns the reason why an answer through a virtual address is void; "" if it counts. A success counts if the
// private service was there all the time. A failure counts if, in addition, an answer could have come back.
func Judge(r checker.Result, stayed, ipv6 bool, k Kernel) (void string) {
	acceptLocal, reversePath := k.Drops()
	device := strings.ReplaceAll(cmp.Or(k.Device, "all"), ".", "/") // as sysctl(8) takes it
	switch {
	case !stayed:
		return errLost.Error()
	case r.OK || !r.Conclusive() || ipv6:
		return ""
	case acceptLocal:
		return fmt.Sprintf("it is an address of this machine, and net.ipv4.conf.%s.accept_local is 0", device)
	case reversePath:
		return fmt.Sprintf("it is not on %s, and rp_filter is strict there: the larger of "+
			"net.ipv4.conf.%s.rp_filter and net.ipv4.conf.all.rp_filter is 1", k.Device, device)
	}
	return ""
}
