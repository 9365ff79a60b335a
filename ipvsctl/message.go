package ipvsctl

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"ldirectord/internal/lvs"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// These are commands of linux/ip_vs.h (IPVS_CMD_*). Like the attributes below, they are in the order of its
// enumerations.
const (
	cmdGetService = iota + 4
	cmdNewDest
	cmdSetDest
	cmdDelDest
	cmdGetDest
)

// These are attributes of linux/ip_vs.h (IPVS_CMD_ATTR_*, IPVS_SVC_ATTR_*, IPVS_DEST_ATTR_*).
const (
	cmdAttrService = iota + 1
	cmdAttrDest
)

const (
	svcAttrFamily = iota + 1
	svcAttrProtocol
	svcAttrAddr
	svcAttrPort
	svcAttrMark
	svcAttrScheduler
	svcAttrFlags
	svcAttrTimeout
	svcAttrNetmask
	_ // IPVS_SVC_ATTR_STATS
	svcAttrEngine
)

const (
	destAttrAddr = iota + 1
	destAttrPort
	destAttrForward
	destAttrWeight
	destAttrUpper
	destAttrLower
	destAttrActive
	destAttrInactive
	destAttrPersistent
	_ // IPVS_DEST_ATTR_STATS, of 32 bits
	destAttrFamily
	destAttrStats // IPVS_DEST_ATTR_STATS64, since Linux 4.1
	destAttrTunnelType
	destAttrTunnelPort
	destAttrTunnelFlags
)

// These are the attributes within destAttrStats (IPVS_STATS_ATTR_* in linux/ip_vs.h).
const (
	statsConnections = iota + 1
	statsPacketsIn
	statsPacketsOut
	statsBytesIn
	statsBytesOut
)

const (
	flagHashed  lvs.Flags   = 0x0002 // IP_VS_SVC_F_HASHED, the kernel's own
	forwardMask lvs.Forward = 0x07   // IP_VS_CONN_F_FWD_MASK
)

// attrs contains the values of attributes, indexed by type without its flag bits. The value of a missing attribute is
// nil. All types used here are below 16.
type attrs [16][]byte

// readAttrs parses a list of attributes. Unlike nl.ParseRouteAttr, it does not panic if the list is truncated.
func readAttrs(b []byte) (list attrs) {
	for len(b) >= unix.NLA_HDRLEN {
		size := int(binary.NativeEndian.Uint16(b))
		if size < unix.NLA_HDRLEN || size > len(b) {
			return list
		}
		kind := int(binary.NativeEndian.Uint16(b[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER))
		if kind < len(list) {
			list[kind] = b[unix.NLA_HDRLEN:size]
		}
		b = b[min((size+3)&^3, len(b)):] // each starts at a multiple of four
	}
	return list
}

func keyAttr(key lvs.Key) *nl.RtAttr {
	a := nl.NewRtAttr(cmdAttrService|unix.NLA_F_NESTED, nil)
	a.AddRtAttr(svcAttrFamily, nl.Uint16Attr(family(key.IPv6)))
	if key.Protocol == lvs.Mark {
		a.AddRtAttr(svcAttrMark, nl.Uint32Attr(key.Mark))
		return a
	}
	a.AddRtAttr(svcAttrProtocol, nl.Uint16Attr(uint16(key.Protocol)))
	a.AddRtAttr(svcAttrAddr, key.Addr.Addr().AsSlice())
	a.AddRtAttr(svcAttrPort, nl.BEUint16Attr(key.Addr.Port()))
	return a
}

func destAttr(d lvs.Dest) *nl.RtAttr {
	a := nl.NewRtAttr(cmdAttrDest|unix.NLA_F_NESTED, nil)
	a.AddRtAttr(destAttrAddr, d.Addr.Addr().AsSlice())
	a.AddRtAttr(destAttrPort, nl.BEUint16Attr(d.Addr.Port()))
	a.AddRtAttr(destAttrFamily, nl.Uint16Attr(family(d.Addr.Addr().Is6())))
	a.AddRtAttr(destAttrForward, nl.Uint32Attr(uint32(d.Forward)))
	a.AddRtAttr(destAttrWeight, nl.Uint32Attr(d.Weight))
	a.AddRtAttr(destAttrUpper, nl.Uint32Attr(d.Upper))
	a.AddRtAttr(destAttrLower, nl.Uint32Attr(d.Lower))
	a.AddRtAttr(destAttrTunnelType, nl.Uint8Attr(uint8(d.Encap.Type)))
	a.AddRtAttr(destAttrTunnelPort, nl.BEUint16Attr(d.Encap.Port))
	a.AddRtAttr(destAttrTunnelFlags, nl.Uint16Attr(uint16(d.Encap.Flags)))
	return a
}

func parseService(b []byte) (s lvs.VirtualService, err error) {
	a := readAttrs(b)
	s.Key.IPv6 = num16(a[svcAttrFamily]) == unix.AF_INET6
	s.Settings = lvs.Settings{
		Scheduler: unix.ByteSliceToString(a[svcAttrScheduler]),
		Flags:     lvs.Flags(num32(a[svcAttrFlags])) &^ flagHashed,
		Timeout:   num32(a[svcAttrTimeout]),
		Netmask:   num32(a[svcAttrNetmask]),
		PEName:    unix.ByteSliceToString(a[svcAttrEngine]),
	}
	if !s.Key.IPv6 {
		s.Settings.Netmask = swapMask(s.Settings.Netmask)
	}
	s.Settings = s.Settings.Stored(s.Key.IPv6)
	if s.Key.Mark = num32(a[svcAttrMark]); s.Key.Mark != 0 {
		s.Key.Protocol = lvs.Mark
		return s, nil
	}
	s.Key.Protocol = lvs.Protocol(num16(a[svcAttrProtocol]))
	s.Key.Addr, err = parseAddr(a[svcAttrAddr], a[svcAttrPort], s.Key.IPv6)
	return s, err
}

// parseDest parses a destination and its counters. ipv6 is true for a service of IPv6.
func parseDest(b []byte, ipv6 bool) (d lvs.Dest, c lvs.Counters, err error) {
	a := readAttrs(b)
	if family := a[destAttrFamily]; family != nil { // since Linux 3.18
		ipv6 = num16(family) == unix.AF_INET6
	}
	d = lvs.Dest{
		Forward: lvs.Forward(num32(a[destAttrForward])) & forwardMask,
		Weight:  num32(a[destAttrWeight]),
		Upper:   num32(a[destAttrUpper]),
		Lower:   num32(a[destAttrLower]),
		Encap: lvs.Encap{ // since Linux 5.3
			Port:  hostPort(a[destAttrTunnelPort]),
			Flags: lvs.TunnelFlags(num16(a[destAttrTunnelFlags])),
		},
	}
	if kind := a[destAttrTunnelType]; len(kind) > 0 {
		d.Encap.Type = lvs.Encapsulation(kind[0])
	}
	c = lvs.Counters{
		Active:     num32(a[destAttrActive]),
		Inactive:   num32(a[destAttrInactive]),
		Persistent: num32(a[destAttrPersistent]),
		Traffic:    parseTraffic(a[destAttrStats]),
	}
	d.Addr, err = parseAddr(a[destAttrAddr], a[destAttrPort], ipv6)
	return d, c, err
}

func parseTraffic(b []byte) lvs.Traffic {
	a := readAttrs(b)
	return lvs.Traffic{
		Connections: num64(a[statsConnections]),
		PacketsIn:   num64(a[statsPacketsIn]),
		PacketsOut:  num64(a[statsPacketsOut]),
		BytesIn:     num64(a[statsBytesIn]),
		BytesOut:    num64(a[statsBytesOut]),
	}
}

// parseAddr parses an address and a port. An IPv4 address is in the first four of sixteen bytes.
func parseAddr(b, port []byte, ipv6 bool) (netip.AddrPort, error) {
	switch {
	case ipv6 && len(b) >= 16:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(b)), hostPort(port)), nil
	case !ipv6 && len(b) >= 4:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b)), hostPort(port)), nil
	default:
		return netip.AddrPort{}, fmt.Errorf("an entry with an address of %d bytes", len(b))
	}
}

// swapMask converts an IPv4 mask between network and host byte order.
func swapMask(mask uint32) uint32 {
	return binary.BigEndian.Uint32(binary.NativeEndian.AppendUint32(nil, mask))
}

func family(ipv6 bool) uint16 {
	if ipv6 {
		return unix.AF_INET6
	}
	return unix.AF_INET
}

// number reads a number from the value of an attribute. If the value is too short, the number is 0.
func number[T uint16 | uint32 | uint64](b []byte, size int, read func([]byte) T) (n T) {
	if len(b) >= size {
		n = read(b)
	}
	return n
}

func hostPort(b []byte) uint16 { return number(b, 2, binary.BigEndian.Uint16) }

func num16(b []byte) uint16 { return number(b, 2, binary.NativeEndian.Uint16) }

func num32(b []byte) uint32 { return number(b, 4, binary.NativeEndian.Uint32) }

func num64(b []byte) uint64 { return number(b, 8, binary.NativeEndian.Uint64) }
