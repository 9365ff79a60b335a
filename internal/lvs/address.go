package lvs

import (
	"fmt"
	"net/netip"
	"strings"
)

// FormatAddr writes an address as the configuration does: IPv6 in brackets.
func FormatAddr(a netip.Addr) string {
	if a.Is4() {
		return a.String()
	}
	return "[" + a.String() + "]"
}

// ParseAddr reads an address. An IPv6 address may be in brackets.
func ParseAddr(text string) (netip.Addr, error) {
	if inside, opened := strings.CutPrefix(text, "["); opened && strings.HasSuffix(inside, "]") {
		if addr, err := netip.ParseAddr(strings.TrimSuffix(inside, "]")); addr.Is6() {
			return addr, err
		}
	}
	return netip.ParseAddr(text) // which refuses brackets
}

// Ports is an inclusive range of ports, each from 1 to 65535.
type Ports struct{ First, Last uint16 }

// String returns the range as the configuration and iptables write it: 80, or 10000:20000.
func (p Ports) String() string {
	if p.First == p.Last {
		return fmt.Sprint(p.First)
	}
	return fmt.Sprintf("%d:%d", p.First, p.Last)
}
