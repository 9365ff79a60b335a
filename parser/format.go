package parser

import "net/netip"

// FormatAddr writes an address as the configuration does: IPv6 in brackets.
func FormatAddr(a netip.Addr) string {
	if a.Is4() {
		return a.String()
	}
	return "[" + a.String() + "]"
}
