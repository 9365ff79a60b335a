package parser

import (
	"net/netip"
	"strconv"
)

// FormatAddr writes an address as the configuration does: IPv6 in brackets.
func FormatAddr(a netip.Addr) string {
	if a.Is4() {
		return a.String()
	}
	return "[" + a.String() + "]"
}

// FormatAddrPort writes an address and port as the configuration and the log do.
func FormatAddrPort(a netip.AddrPort) string {
	return FormatAddr(a.Addr()) + ":" + strconv.Itoa(int(a.Port()))
}
