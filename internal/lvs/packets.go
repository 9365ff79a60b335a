package lvs

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Packets describes the packets that a rule marks.
type Packets struct {
	Dest     netip.Prefix // of the family of the mark; host bits are zero
	Protocol string       // tcp, udp, sctp or all
	Ports    []Ports      // nil: all ports; always nil with all
}

// Catches reports whether packets of a protocol to an address and port belong to p.
func (p Packets) Catches(to netip.AddrPort, protocol string) bool {
	if !p.Dest.Contains(to.Addr()) || p.Protocol != "all" && p.Protocol != protocol {
		return false
	}
	port := to.Port()
	isIn := func(r Ports) bool { return r.First <= port && port <= r.Last }
	return p.Ports == nil || slices.ContainsFunc(p.Ports, isIn)
}

// MarkRule gives packets a mark. Its family is that of Dest. In a rule that was read back, an invalid Dest means every
// address. Only the parser validates a rule; iptables refuses a rule that it can't set.
type MarkRule struct {
	Mark uint32 // 1 or more
	Packets
}

// Equal reports whether two rules have the same mark and packets that are written in the same way.
func (r MarkRule) Equal(other MarkRule) bool {
	return r.Mark == other.Mark && r.Packets.Equal(other.Packets)
}

// Equal reports whether p and q are written in the same way. The same ports in another order are not equal.
func (p Packets) Equal(q Packets) bool {
	return p.Dest == q.Dest && p.Protocol == q.Protocol && slices.Equal(p.Ports, q.Ports)
}

// String returns the packets as the directive mark names them in a file: 192.0.2.10 tcp 80,10000:20000.
func (p Packets) String() string {
	dest, ports := p.Dest.String(), "all"
	if p.Dest.IsSingleIP() {
		dest = p.Dest.Addr().String()
	}
	if p.Ports != nil {
		ports = List(p.Ports)
	}
	return dest + " " + p.Protocol + " " + ports
}

// MarshalText implements encoding.TextMarshaler.
func (p Packets) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// List joins the items as the configuration and iptables write a list: 80,443.
func List[T fmt.Stringer](items []T) string {
	texts := make([]string, len(items))
	for i, item := range items {
		texts[i] = item.String()
	}
	return strings.Join(texts, ",")
}
