package parser

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"ldirectord/internal/lvs"
)

// This file finds mark lines for the same packets.

// overlaps warns of mark lines that take packets from each other, or from a virtual service with an address. It
// compares each line only with lines for networks that contain the line's network. The time thus grows with the number
// of lines, not with the number of pairs.
func (r *resolver) overlaps(c *Config) {
	var lines []markedLine
	for i, s := range r.sections {
		for j := range c.Virtuals[i].Marking {
			lines = append(lines, markedLine{s, &c.Virtuals[i].Marking[j]})
		}
	}
	// so that a network comes before the networks that it contains
	slices.SortStableFunc(lines, func(a, b markedLine) int { return a.Dest.Bits() - b.Dest.Bits() })
	m := markedPackets{byPackets: map[packets][]markedPorts{}}
	for _, line := range lines {
		m.add(r, line)
	}
	for _, v := range c.Virtuals {
		if v.Addr.IsValid() {
			m.warnOfAddress(r, v)
		}
	}
}

// markedPackets are the packets of the mark lines.
type markedPackets struct {
	lengths   []int // the prefix lengths so far, ascending
	byPackets map[packets][]markedPorts
}

type markedLine struct {
	*section
	*Marking
}

// packets are the packets of one protocol to a network.
type packets struct {
	dest     netip.Prefix
	protocol string
}

// markedPorts is a range of ports. The ranges of the same packets are sorted and do not overlap.
type markedPorts struct {
	lvs.Ports
	by markedLine
}

var everyPort = []lvs.Ports{{First: 1, Last: maxPort}}

func portsOrAll(list []lvs.Ports) []lvs.Ports {
	if list == nil {
		return everyPort
	}
	return list
}

// add adds a line, and warns of the first earlier line that marks some of the same packets.
func (m *markedPackets) add(r *resolver, line markedLine) {
	warned := false
	for _, ports := range portsOrAll(line.Ports) {
		if other, ok := m.find(line.Dest, line.Protocol, ports); ok && !warned {
			warned = true
			warnOfOverlap(r, line, other)
		}
		at := packets{line.Dest, line.Protocol}
		list := m.byPackets[at]
		// if some of its ports are there already, a warning was given
		if i := after(list, ports.First); i == len(list) || ports.Last < list[i].First {
			m.byPackets[at] = slices.Insert(list, i, markedPorts{ports, line})
		}
	}
	if !slices.Contains(m.lengths, line.Dest.Bits()) {
		m.lengths = append(m.lengths, line.Dest.Bits())
	}
}

func warnOfOverlap(r *resolver, a, b markedLine) {
	if cmp.Or(a.section.line.order-b.section.line.order, int(a.At.Line-b.At.Line)) < 0 {
		a, b = b, a
	}
	at := r.in(a.section, advice)
	switch {
	case a.Marking == b.Marking:
		at.warn(repeated, a.At, "a port appears twice in the list")
	case a.section == b.section:
		at.warn(repeated, a.At, "some of these packets already get the mark from %s: %s",
			piece(b.At.SeenFrom(a.At)), b.brief())
	default:
		at.warn(suspicious, a.At,
			"some of these packets also get mark %d from %s: %s; mark %d applies, because its line "+
				"comes later",
			b.Mark, piece(b.At.SeenFrom(a.At)), b.brief(), a.Mark)
	}
}

// brief returns the line's packets, without most of a long list of ports.
func (m *Marking) brief() string {
	more := len(m.Ports) - maxListed
	if more < 1 {
		return m.String()
	}
	few := m.Packets
	few.Ports = few.Ports[:maxListed]
	return fmt.Sprintf("%s and %d more", few, more)
}

// warnOfAddress warns of a virtual service whose packets get a mark, because the kernel looks up the mark first
// (net/netfilter/ipvs/ip_vs_ctl.c, ip_vs_service_find).
func (m *markedPackets) warnOfAddress(r *resolver, v *Virtual) {
	ports := lvs.Ports{First: v.Addr.Port(), Last: v.Addr.Port()}
	if v.Addr.Port() == 0 {
		ports = everyPort[0]
	}
	addr := v.Addr.Addr()
	if line, ok := m.find(netip.PrefixFrom(addr, addr.BitLen()), v.Protocol.String(), ports); ok {
		r.in(line.section, advice).warn(suspicious, line.At,
			"packets to the virtual service %s (%s) get this mark, and the kernel looks up marks first, "+
				"so they never reach that service",
			v.ID, v.At["virtual"].SeenFrom(line.At))
	}
}

// find returns an added line that marks some of the given packets and whose network contains dest.
func (m *markedPackets) find(dest netip.Prefix, protocol string, ports lvs.Ports) (markedLine, bool) {
	protocols := []string{protocol, allPorts}
	if protocol == allPorts {
		protocols = markProtocols
	}
	for _, bits := range m.lengths {
		wider, err := dest.Addr().Prefix(bits)
		if err != nil || bits > dest.Bits() {
			break
		}
		for _, p := range protocols {
			list := m.byPackets[packets{wider, p}]
			if i := after(list, ports.First); i < len(list) && list[i].First <= ports.Last {
				return list[i].by, true
			}
		}
	}
	return markedLine{}, false
}

// after returns the index of the first range that does not end before a port.
func after(list []markedPorts, port uint16) int {
	i, _ := slices.BinarySearchFunc(list, port,
		func(p markedPorts, port uint16) int { return int(p.Last) - int(port) })
	return i
}
