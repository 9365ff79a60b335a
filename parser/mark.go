package parser

import (
	"net/netip"
	"slices"
	"strings"

	"ldirectord/internal/lvs"
)

// This file reads the rules that give packets their firewall mark.

// markLine is a mark line as written. The names of its ports are looked up after the whole file is read.
type markLine struct {
	Marking             // without its ports
	ports   []markPorts // nil: all
}

// markPorts is a port, or a range of ports, as written.
type markPorts struct {
	at          Position
	first, last string // equal unless it is a range
}

var markProtocols = []string{"tcp", "udp", "sctp", "all"}

const allPorts = "all"

func readMark(v *value) {
	s := v.section
	if s.host != "" {
		v.refuse(conflict, "a mark line can't be in a section with an address; it sets the section's firewall "+
			"mark on packets, so it belongs under virtual=MARK or virtual6=MARK")
	}
	address, rest := cutWord(v.text)
	rest = trim(rest)
	protocol, ports := cutWord(rest)
	if protocol == "" {
		v.bad("is not complete; it must be %s", markForm)
	}
	m := markLine{Marking: Marking{lvs.Packets{Dest: v.destination(address), Protocol: protocol}, v.position()}}
	if !slices.Contains(markProtocols, protocol) {
		v.wrong("%q is not a protocol that can be marked%s; it must be one of %s", protocol,
			DidYouMean(protocol, markProtocols), strings.Join(markProtocols, ", ")).part = rest
	}
	if m.ports = v.portList(protocol, trim(ports)); v.problem == nil {
		s.marks = append(s.marks, m)
	}
}

// destination reads the address of a host or a network. The address must have the section's family. Names are refused,
// because a rule must not depend on the current answer of DNS.
func (v *value) destination(text string) (none netip.Prefix) {
	host, length, isNetwork := strings.Cut(text, "/")
	addr, err := lvs.ParseAddr(host)
	switch {
	case err != nil || addr.Zone() != "" || addr.Is4In6():
		v.wrong("%q is not an address; it must be numeric, such as 192.0.2.10, 192.0.2.0/28 or 2001:db8::10, "+
			"not a name", text)
		return none
	case addr.Is6() && !v.section.IPv6:
		v.refuse(familyMix,
			"%s is an IPv6 address; under virtual the address must be IPv4; virtual6 is for IPv6", addr)
	case addr.Is4() && v.section.IPv6:
		v.refuse(familyMix,
			"%s is an IPv4 address; under virtual6 the address must be IPv6; virtual is for IPv4", addr)
	}
	bits := addr.BitLen()
	if isNetwork {
		n, ok := natural(length, 0, uint64(bits))
		if !ok {
			v.wrong("%q is not a prefix length; after %s/ comes a number from 0 to %d", length, addr, bits)
		}
		bits = n
	}
	network := netip.PrefixFrom(addr, bits)
	switch {
	case network.Masked() != network:
		v.wrong("%s is not a network, because %s has bits set after the first %d; the network is %s, the "+
			"address alone %s", network, addr, bits, network.Masked(), addr)
	case addr.IsUnspecified() && network.IsSingleIP():
		v.wrong("%s is not the address of a machine; to mark packets to every address, use %s/0", addr, addr)
	}
	return network
}

const portListForm = "it must be a list of ports and ranges such as 80,443,10000:20000, or all"

// portList reads the ports that follow the protocol.
func (v *value) portList(protocol, text string) []markPorts {
	switch {
	case text == "":
		v.wrong("the ports are missing after %s; %s", protocol, portListForm)
	case text == allPorts:
	case protocol == allPorts:
		v.wrong("with protocol all, the ports must be all; only tcp, udp and sctp take a list of " +
			"ports").part = text
	default:
		return readList(v, text, v.readPorts)
	}
	return nil
}

// readPorts reads a port or a range of ports.
func (v *value) readPorts(item, from string) markPorts {
	first, last, isRange := strings.Cut(item, ":")
	if a, b, dashed := strings.Cut(item, "-"); dashed && all(a, isDigit) && all(b, isDigit) {
		v.wrong("%q is not a port; a range is written %s:%s", item, a, b)
	}
	if first == allPorts || last == allPorts {
		v.wrong("all can't be combined with other ports")
	}
	if !all(first, isNameByte) || isRange && !all(last, isNameByte) {
		v.wrong("%q is not a port; %s", item, portListForm)
	}
	if !isRange {
		last = first
	}
	at := v.value + len(v.text) - len(from) // with tabs in between it may be beyond the line
	return markPorts{at: v.at(min(at, len(v.line.text))), first: first, last: last}
}

// maxMarkPorts is the maximum number of ports and ranges in all mark lines of a file, because the kernel may test each
// of them for every packet.
const maxMarkPorts = 1 << 14

// markings returns the mark rules of a section.
func (r *resolver) markings(s *section) (list []Marking) {
	at := r.in(s, wholeSection)
	for i := range s.marks {
		line := &s.marks[i]
		count := max(len(line.ports), 1)
		if r.marked += count; r.marked > maxMarkPorts {
			if r.marked-count <= maxMarkPorts {
				at.error(tooLarge, line.At,
					"the mark lines of the file have more than %d ports and ranges", maxMarkPorts)
			}
			return list
		}
		m, good := line.Marking, true
		for _, ports := range line.ports {
			var v value
			m.Ports = append(m.Ports, r.numbersOf(ports, m.Protocol, &v))
			if p := v.problem; p != nil {
				good = false
				at.error(p.Kind, ports.at, "%s", p.Text)
			}
		}
		if good {
			list = append(list, m)
		}
	}
	return list
}

// numbersOf returns the numbers of ports. It looks up service names for the protocol. Few names are known for sctp,
// so for sctp it accepts the names of any protocol.
func (r *resolver) numbersOf(p markPorts, protocol string, v *value) lvs.Ports {
	if protocol == "sctp" {
		protocol = ""
	}
	first, last := r.packetPort(p.first, protocol, v), r.packetPort(p.last, protocol, v)
	if first > last {
		v.wrong("the range %q is empty; it must be %d:%d", p.first+":"+p.last, last, first)
	}
	return lvs.Ports{First: first, Last: last}
}

// packetPort returns the number of a port, which must not be 0.
func (r *resolver) packetPort(name, protocol string, v *value) uint16 {
	port := r.readPort(name, protocol)
	switch {
	case port.Value == 0 && all(name, isDigit):
		v.wrong("the port %q is out of range; it must be a number from 1 to %d, or all for every port", name,
			maxPort)
	case port.Reason != "":
		v.wrong("the port %q cannot be used: %s", name, port.Reason)
	}
	return port.Value
}

// AllPorts reports whether every port is marked, regardless of how the ports are written.
func (m Marking) AllPorts() bool {
	next := 1 // the first port not known to be marked
	for _, p := range slices.SortedFunc(slices.Values(portsOrAll(m.Ports)),
		func(a, b lvs.Ports) int { return int(a.First) - int(b.First) }) {
		if int(p.First) > next {
			return false
		}
		next = max(next, int(p.Last)+1)
	}
	return next > maxPort
}
