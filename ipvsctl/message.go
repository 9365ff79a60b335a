//go:build linux

package ipvsctl

import (
	"encoding/binary"
	"fmt"
	"iter"
	"net/netip"

	"golang.org/x/sys/unix"
)

// The commands of linux/ip_vs.h (IPVS_CMD_*).
const (
	cmdGetService = 4
	cmdNewDest    = 5
	cmdSetDest    = 6
	cmdDelDest    = 7
	cmdGetDest    = 8
)

// The numbers of linux/genetlink.h.
const (
	genlHeaderLen      = 4 // what begins every message
	ctrlFamily         = 0x10
	ctrlCmdGetFamily   = 3
	ctrlAttrFamilyID   = 1
	ctrlAttrFamilyName = 2
)

// The attributes of linux/ip_vs.h (IPVS_CMD_ATTR_*, IPVS_SVC_ATTR_*, IPVS_DEST_ATTR_*).
const (
	cmdAttrService = 1
	cmdAttrDest    = 2
)

const (
	svcAttrFamily    = 1
	svcAttrProtocol  = 2
	svcAttrAddr      = 3
	svcAttrPort      = 4
	svcAttrMark      = 5
	svcAttrScheduler = 6
	svcAttrFlags     = 7
	svcAttrTimeout   = 8
	svcAttrNetmask   = 9
	svcAttrEngine    = 11
)

const (
	destAttrAddr        = 1
	destAttrPort        = 2
	destAttrForward     = 3
	destAttrWeight      = 4
	destAttrUpper       = 5
	destAttrLower       = 6
	destAttrActive      = 7
	destAttrInactive    = 8
	destAttrPersistent  = 9
	destAttrFamily      = 11
	destAttrStats       = 12 // IPVS_DEST_ATTR_STATS64, since Linux 4.1
	destAttrTunnelType  = 13
	destAttrTunnelPort  = 14
	destAttrTunnelFlags = 15
)

// The attributes of linux/ip_vs.h in destAttrStats (IPVS_STATS_ATTR_*).
const (
	statsConnections = 1
	statsPacketsIn   = 2
	statsPacketsOut  = 3
	statsBytesIn     = 4
	statsBytesOut    = 5
)

const (
	flagHashed  Flags   = 0x0002 // IP_VS_SVC_F_HASHED, the kernel's own
	forwardMask Forward = 0x07   // IP_VS_CONN_F_FWD_MASK
)

// attrs goes through a list of attributes: their types without the flag bits, and their values.
func attrs(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= unix.NLA_HDRLEN {
			size := int(binary.NativeEndian.Uint16(b))
			kind := binary.NativeEndian.Uint16(b[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
			if size < unix.NLA_HDRLEN || size > len(b) || !yield(kind, b[unix.NLA_HDRLEN:size]) {
				return
			}
			b = b[min((size+3)&^3, len(b)):] // each starts at a multiple of four
		}
	}
}

// nested is the value of the first attribute of a type; nil without one.
func nested(b []byte, kind uint16) []byte {
	for k, value := range attrs(b) {
		if k == kind {
			return value
		}
	}
	return nil
}

// appendAttr appends an attribute, filled up to a multiple of four.
func appendAttr(b []byte, kind uint16, value ...byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(unix.NLA_HDRLEN+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, value...)
	return append(b, 0, 0, 0)[:(len(b)+3)&^3]
}

func append16(b []byte, kind, value uint16) []byte {
	return appendAttr(b, kind, binary.NativeEndian.AppendUint16(nil, value)...)
}

func append32(b []byte, kind uint16, value uint32) []byte {
	return appendAttr(b, kind, binary.NativeEndian.AppendUint32(nil, value)...)
}

// appendPort appends a port, in the order of the network.
func appendPort(b []byte, kind, port uint16) []byte {
	return appendAttr(b, kind, byte(port>>8), byte(port))
}

// nest makes what was appended to b after the attribute at start the value of that.
func nest(b []byte, start int) []byte {
	binary.NativeEndian.PutUint16(b[start:], uint16(len(b)-start))
	return b
}

func appendKey(b []byte, key Key) []byte {
	start := len(b)
	b = appendAttr(b, cmdAttrService|unix.NLA_F_NESTED)
	b = append16(b, svcAttrFamily, family(key.IPv6))
	if key.Protocol == Mark {
		return nest(append32(b, svcAttrMark, key.Mark), start)
	}
	b = append16(b, svcAttrProtocol, uint16(key.Protocol))
	b = appendAttr(b, svcAttrAddr, key.Addr.Addr().AsSlice()...)
	return nest(appendPort(b, svcAttrPort, key.Addr.Port()), start)
}

func appendDest(b []byte, d Dest) []byte {
	start := len(b)
	b = appendAttr(b, cmdAttrDest|unix.NLA_F_NESTED)
	b = appendAttr(b, destAttrAddr, d.Addr.Addr().AsSlice()...)
	b = appendPort(b, destAttrPort, d.Addr.Port())
	b = append16(b, destAttrFamily, family(d.Addr.Addr().Is6()))
	b = append32(b, destAttrForward, uint32(d.Forward))
	b = append32(b, destAttrWeight, d.Weight)
	b = append32(b, destAttrUpper, d.Upper)
	b = append32(b, destAttrLower, d.Lower)
	b = appendAttr(b, destAttrTunnelType, uint8(d.Encap.Type))
	b = appendPort(b, destAttrTunnelPort, d.Encap.Port)
	return nest(append16(b, destAttrTunnelFlags, uint16(d.Encap.Flags)), start)
}

func parseService(b []byte) (Service, error) {
	var (
		s    Service
		addr []byte
		port uint16
	)
	for kind, value := range attrs(b) {
		switch kind {
		case svcAttrFamily:
			s.Key.IPv6 = num16(value) == unix.AF_INET6
		case svcAttrProtocol:
			s.Key.Protocol = Protocol(num16(value))
		case svcAttrAddr:
			addr = value
		case svcAttrPort:
			port = hostPort(value)
		case svcAttrMark:
			s.Key.Mark = num32(value)
		case svcAttrScheduler:
			s.Settings.Scheduler = unix.ByteSliceToString(value)
		case svcAttrFlags:
			s.Settings.Flags = Flags(num32(value)) &^ flagHashed
		case svcAttrTimeout:
			s.Settings.Timeout = num32(value)
		case svcAttrNetmask:
			s.Settings.Netmask = num32(value)
		case svcAttrEngine:
			s.Settings.PEName = unix.ByteSliceToString(value)
		}
	}
	if !s.Key.IPv6 {
		s.Settings.Netmask = swapMask(s.Settings.Netmask)
	}
	s.Settings = s.Settings.stored(s.Key.IPv6)
	if s.Key.Mark != 0 {
		s.Key.Protocol = Mark
		return s, nil
	}
	ip, err := parseAddr(addr, s.Key.IPv6)
	s.Key.Addr = netip.AddrPortFrom(ip, port)
	return s, err
}

// parseDest reads a destination of a service of the family that ipv6 says, and its counters.
func parseDest(b []byte, ipv6 bool) (d Dest, c Counters, err error) {
	var (
		addr []byte
		port uint16
	)
	for kind, value := range attrs(b) {
		switch kind {
		case destAttrFamily: // since Linux 3.18
			ipv6 = num16(value) == unix.AF_INET6
		case destAttrAddr:
			addr = value
		case destAttrPort:
			port = hostPort(value)
		case destAttrForward:
			d.Forward = Forward(num32(value)) & forwardMask
		case destAttrWeight:
			d.Weight = num32(value)
		case destAttrUpper:
			d.Upper = num32(value)
		case destAttrLower:
			d.Lower = num32(value)
		case destAttrActive:
			c.Active = num32(value)
		case destAttrInactive:
			c.Inactive = num32(value)
		case destAttrPersistent:
			c.Persistent = num32(value)
		case destAttrStats:
			c.Traffic = parseTraffic(value)
		case destAttrTunnelType: // since Linux 5.3, like the other two
			d.Encap.Type = Encapsulation(num8(value))
		case destAttrTunnelPort:
			d.Encap.Port = hostPort(value)
		case destAttrTunnelFlags:
			d.Encap.Flags = TunnelFlags(num16(value))
		}
	}
	ip, err := parseAddr(addr, ipv6)
	d.Addr = netip.AddrPortFrom(ip, port)
	return d, c, err
}

func parseTraffic(b []byte) (t Traffic) {
	for kind, value := range attrs(b) {
		switch kind {
		case statsConnections:
			t.Connections = num64(value)
		case statsPacketsIn:
			t.PacketsIn = num64(value)
		case statsPacketsOut:
			t.PacketsOut = num64(value)
		case statsBytesIn:
			t.BytesIn = num64(value)
		case statsBytesOut:
			t.BytesOut = num64(value)
		}
	}
	return t
}

// parseAddr reads an address; one of IPv4 fills the first four of sixteen bytes.
func parseAddr(b []byte, ipv6 bool) (netip.Addr, error) {
	switch {
	case ipv6 && len(b) >= 16:
		return netip.AddrFrom16([16]byte(b)), nil
	case !ipv6 && len(b) >= 4:
		return netip.AddrFrom4([4]byte(b)), nil
	default:
		return netip.Addr{}, fmt.Errorf("an entry with an address of %d bytes", len(b))
	}
}

// swapMask turns a mask of IPv4 from the kernel's order, the network's, into ours and back.
func swapMask(mask uint32) uint32 {
	return binary.BigEndian.Uint32(binary.NativeEndian.AppendUint32(nil, mask))
}

func family(ipv6 bool) uint16 {
	if ipv6 {
		return unix.AF_INET6
	}
	return unix.AF_INET
}

// number reads the value of an attribute; 0 for one that is too short.
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

func num8(b []byte) uint8 {
	if len(b) < 1 {
		return 0
	}
	return b[0]
}
