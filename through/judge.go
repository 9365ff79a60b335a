package through

import (
	"fmt"

	"ldirectord/checker"
)

// Verdict is what an answer through a virtual address says of the server.
type Verdict uint8

// The verdicts.
const (
	None Verdict = iota // nothing: the check was not conclusive
	Up
	Down
	Void // the way can't be judged
)

// Kernel is what decides whether answers of a virtual address can come back to this machine.
type Kernel struct {
	Device      string // by which they come: that of the check's own address
	Local       bool   // the virtual address is one of this machine
	Same        bool   // it is, or the route to it leads, on Device
	NoRoute     bool   // nothing leads to it
	AcceptLocal bool   // net.ipv4.conf: accept_local of Device or of all is 1
	Strict      bool   // the greater rp_filter of Device and of all is 1
}

// Judge judges an answer, and says why one is void. It counts only if the private service stayed all the time, and a failure
// only if an answer could have come back (ip-sysctl of the kernel's documentation; IPv6 has neither setting).
func Judge(r checker.Result, stayed, ipv6 bool, k Kernel) (v Verdict, why string) {
	switch {
	case !stayed:
		return Void, "the private service was lost"
	case r.OK:
		return Up, ""
	case r.Local || r.Unjudged:
		return None, ""
	case k.NoRoute:
		return Void, "nothing leads there from here"
	case !ipv6 && k.Local && !k.AcceptLocal:
		return Void, fmt.Sprintf("it is an address of this machine, and net.ipv4.conf.%s.accept_local is 0", k.Device)
	case !ipv6 && k.Strict && !k.Same:
		return Void, fmt.Sprintf("it is not on %s, and net.ipv4.conf.%[1]s.rp_filter is 1", k.Device)
	}
	return Down, ""
}
