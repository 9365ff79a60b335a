// Package fwmark keeps the rules of the mangle table that give packets their firewall mark
// (iptables-extensions(8), MARK), in a chain of its own.
package fwmark

import "net/netip"

// Protocol of the packets of a rule, as iptables names it.
type Protocol string

// The protocols of a rule.
const (
	TCP  Protocol = "tcp"
	UDP  Protocol = "udp"
	SCTP Protocol = "sctp"
	All  Protocol = "all"
)

// Ports is a range of destination ports, both ends included.
type Ports struct{ First, Last uint16 }

// Rule gives packets to some addresses and ports a mark. Its family is Dest's.
type Rule struct {
	Mark     uint32 // 1 or more
	Dest     netip.Prefix
	Protocol Protocol
	Ports    []Ports // nil: all ports; always nil with All
}
