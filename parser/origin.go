package parser

import (
	"math"
	"net/netip"
	"strconv"
	"strings"

	"ldirectord/internal/lvs"
)

// This file reads the origin of check packets: the directives of settings.Origin.

// readCheckSource reads the address of this machine from which checks are sent.
func readCheckSource(v *value) netip.Addr {
	addr, err := lvs.ParseAddr(unquote(v.text))
	if err != nil || addr.Zone() != "" || addr.IsUnspecified() || addr.IsMulticast() {
		v.bad("is not an address of this machine; it must be one such as 192.0.2.9 or 2001:db8::9, " +
			"without a port")
	}
	return addr.Unmap()
}

func readCheckDevice(v *value) string {
	name, ok := parseDevice(v.text)
	if !ok || name == "" {
		v.bad("is not a device; it must be the name of a network device or VRF with at most %d letters, "+
			"digits, dots, hyphens and underscores", maxDevice)
	}
	return name
}

// readCheckMark reads a mark as `ip rule` does: in decimal, or in hexadecimal with 0x.
func readCheckMark(v *value) uint32 {
	digits, hex := strings.CutPrefix(strings.ToLower(unquote(v.text)), "0x")
	if !hex {
		return uint32(number(1, math.MaxUint32)(v))
	}
	n, err := strconv.ParseUint(digits, 16, 32)
	if err != nil || n == 0 {
		v.bad("is not allowed; it must be 1 to 4294967295, such as 16 or 0x10")
	}
	return uint32(n)
}

// origin refuses checksource, checkdevice and checkmark for a check by a program, which opens its own sockets. It also
// refuses a checksource of the other address family.
func (a adviser) origin() {
	for _, name := range []string{"checksource", "checkdevice", "checkmark"} {
		if a.has(name) && a.runsCommand() {
			a.refuse(name, conflict, "%s is not for checktype=%s: a program opens sockets of its own", name,
				a.CheckType)
		}
	}
	if a.hasHeader() && a.CheckSource.IsValid() && a.CheckSource.Is6() != a.IPv6 {
		a.refuse("checksource", conflict, "checksource and the servers must both be IPv4, or both IPv6")
	}
}
