package parser

import (
	"net/netip"
	"strings"

	"ldirectord/internal/lvs"
	"ldirectord/internal/resolve"
)

// readHost reads an address, with IPv6 in brackets. For a host name it returns what is known about the name. A new name
// is looked up later.
func (u lookup) readHost(text string) (l resolve.HostLookup) {
	a, err := lvs.ParseAddr(text)
	bracketed := strings.HasPrefix(text, "[")
	switch {
	case err != nil || bracketed && !isIPv6(a):
		if l.Reason = notLookedUp(text); l.Reason == "" {
			l = u.names.Host(text, u.ipv6)
		}
	case a.Is6() && !u.ipv6:
		l.Reason = "it is an IPv6 address; IPv4 is needed"
	case a.Is4() && u.ipv6:
		l.Reason = "it is an IPv4 address; IPv6 is needed"
	case a.Is6() && !bracketed:
		l.Reason = bracketsMissing
	default:
		l.Value = a
	}
	return l
}

const bracketsMissing = "an IPv6 address is written in brackets"

// notLookedUp returns the reason why a text is not a host name, or "" if it may be one.
func notLookedUp(text string) string {
	addr, _ := lvs.ParseAddr(text)
	switch {
	case addr.Zone() != "":
		return "it has a scope, which IPVS does not know"
	case strings.HasPrefix(text, "["):
		return "only an IPv6 address is written in brackets, and this is not one"
	case numeric.MatchString(text):
		return "an IPv4 address is four numbers from 0 to 255 without leading zeros"
	case looksLikeIPv6(text):
		return bracketsMissing
	case len(text) > maxHostLength || !all(text, isHostByte):
		return "it is not a host name"
	}
	if first, _, ok := strings.Cut(text, "-"); ok {
		if a, _ := netip.ParseAddr(first); a.Is4() {
			return "it is not a host name; a range is written FIRST->LAST"
		}
	}
	return ""
}

// readPort reads a port number. An empty text means 0. For a service name it returns what is known about the name, like
// readHost.
func (r *resolver) readPort(text, protocol string) resolve.PortLookup {
	if text != "" && !all(text, isDigit) {
		return r.names.Port(text, protocol)
	}
	number, ok := natural("0"+text, 0, maxPort)
	if !ok {
		return resolve.PortLookup{Reason: "it is out of range; a port is a number from 0 to 65535"}
	}
	return resolve.PortLookup{Value: uint16(number)}
}

// OwnAddresses returns the virtual addresses of the file. The value is false if the address is only that of a network.
func (c *Config) OwnAddresses() map[netip.Addr]bool {
	own := map[netip.Addr]bool{}
	for _, v := range c.Virtuals {
		for _, p := range v.Addresses() {
			own[p.Addr()] = own[p.Addr()] || p.IsSingleIP()
		}
	}
	return own
}
