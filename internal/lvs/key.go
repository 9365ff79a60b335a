// Package lvs defines the types that the other packages share: virtual services, destinations, tables and operations as
// the kernel knows them, and the settings that affect them. It also compares two tables, orders the operations between
// them (diff.go), and formats addresses and ports.
package lvs

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"
)

// Protocol is the protocol of a virtual service, numbered as in the IP header. Mark means a firewall-mark service.
type Protocol uint8

// The protocols of ip_vs.h.
const (
	Mark Protocol = 0
	TCP  Protocol = 6
	UDP  Protocol = 17
	SCTP Protocol = 132 // only read: no file has such a service
)

var protocolNames = map[Protocol]string{Mark: "fwm", TCP: "tcp", UDP: "udp", SCTP: "sctp"}

// String returns the name of the protocol as written in a file, or its number.
func (p Protocol) String() string {
	if name, ok := protocolNames[p]; ok {
		return name
	}
	return strconv.Itoa(int(p))
}

// Key identifies a virtual service: protocol, address and port, or family and mark.
type Key struct {
	Addr     netip.AddrPort // invalid for a mark
	Mark     uint32         // only for a mark
	Protocol Protocol       `cf:"protocol,shown-empty"`
	IPv6     bool           // the family; for an address, that of Addr
}

// Compare orders keys as ipvsadm lists them: addresses before marks, IPv4 before IPv6, TCP before UDP before SCTP.
func (k Key) Compare(l Key) int {
	return cmp.Or(
		cmp.Compare(k.Mark, l.Mark),
		family(k.IPv6)-family(l.IPv6),
		cmp.Compare(k.Protocol, l.Protocol),
		k.Addr.Compare(l.Addr),
	)
}

// family returns a number by which address families are sorted: IPv4 before IPv6.
func family(ipv6 bool) int {
	if ipv6 {
		return 1
	}
	return 0
}

// Name returns the name of a virtual service in the log: address:port, or the mark.
func (k Key) Name() string {
	if k.Protocol == Mark {
		return strconv.FormatUint(uint64(k.Mark), 10)
	}
	return k.Addr.String()
}

// ID returns the virtual service as the Perl ldirectord logs it: tcp:192.0.2.1:80, fwm:3, fwm6:3.
func (k Key) ID() string {
	kind := k.Protocol.String()
	if k == TimeoutsKey {
		return "timeouts"
	}
	if k.Protocol == Mark && k.IPv6 {
		kind = "fwm6"
	}
	return kind + ":" + k.Name()
}

// String returns the key as arguments of ipvsadm: "-t 10.1.0.1:80", "-f 7", "-f 7 -6".
func (k Key) String() string {
	switch k.Protocol {
	case Mark:
		text := fmt.Sprintf("-f %d", k.Mark)
		if k.IPv6 {
			text += " -6"
		}
		return text
	case TCP:
		return "-t " + k.Addr.String()
	case UDP:
		return "-u " + k.Addr.String()
	case SCTP:
		return "--sctp-service " + k.Addr.String()
	}
	return fmt.Sprintf("protocol %d %s", uint8(k.Protocol), k.Addr)
}
