// Package fwmark keeps the rules of the mangle table that give packets their firewall mark
// (iptables-extensions(8), MARK), in a chain of its own.
package fwmark

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

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

// String is the range as iptables writes it: 80, or 10000:20000.
func (p Ports) String() string {
	if p.First == p.Last {
		return fmt.Sprint(p.First)
	}
	return fmt.Sprintf("%d:%d", p.First, p.Last)
}

// Rule gives packets to some addresses and ports a mark. Its family is Dest's. It is as the parser lets it through:
// iptables judges what it can't set.
type Rule struct {
	Mark     uint32       // 1 or more
	Dest     netip.Prefix // invalid in one that is read: every address
	Protocol Protocol
	Ports    []Ports // nil: all ports; always nil with All
}

func joinPorts(ports []Ports) string {
	words := make([]string, len(ports))
	for i, p := range ports {
		words[i] = p.String()
	}
	return strings.Join(words, ",")
}

// mergePorts puts ranges in order and makes one of those that overlap; nil means every port.
func mergePorts(ports []Ports) []Ports {
	sorted := slices.SortedFunc(slices.Values(ports), func(a, b Ports) int { return cmp.Compare(a.First, b.First) })
	var merged []Ports
	for _, p := range sorted {
		if last := len(merged) - 1; last >= 0 && p.First <= merged[last].Last {
			merged[last].Last = max(merged[last].Last, p.Last)
			continue
		}
		merged = append(merged, p)
	}
	if slices.Equal(merged, []Ports{{0, 65535}}) {
		return nil
	}
	return merged
}

// splitPorts divides a list where multiport ends: at 15 ports, of which a range counts as two
// (XT_MULTI_PORTS in linux/netfilter/xt_multiport.h). No ports at all make one part of none.
func splitPorts(ports []Ports) [][]Ports {
	const maxSlots = 15
	parts, used := [][]Ports{nil}, 0
	for _, p := range ports {
		slots := 1
		if p.First != p.Last {
			slots = 2
		}
		if used+slots > maxSlots {
			parts, used = append(parts, nil), 0
		}
		parts[len(parts)-1] = append(parts[len(parts)-1], p)
		used += slots
	}
	return parts
}
