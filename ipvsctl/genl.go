//go:build linux

package ipvsctl

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Messages of IPVS over generic netlink, for what moby/ipvs gets wrong or leaves out: it does not know
// the family of a destination, tunnels and persistence engines, and reads a weight as 16 bits.
//
// The numbers are those of linux/ip_vs.h (IPVS_CMD_*, IPVS_SVC_ATTR_*, IPVS_DEST_ATTR_*).
const (
	cmdGetService = 4
	cmdNewDest    = 5
	cmdSetDest    = 6
	cmdDelDest    = 7
	cmdGetDest    = 8
)

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
	destAttrFamily      = 11
	destAttrTunnelType  = 13
	destAttrTunnelPort  = 14
	destAttrTunnelFlags = 15
)

const (
	flagHashed  Flags   = 0x0002 // IP_VS_SVC_F_HASHED, the kernel's own
	forwardMask Forward = 0x07   // IP_VS_CONN_F_FWD_MASK
)

// The numbers of linux/genetlink.h.
const (
	ctrlFamily         = 0x10
	ctrlCmdGetFamily   = 3
	ctrlAttrFamilyID   = 1
	ctrlAttrFamilyName = 2
)

var errNoAnswer = fmt.Errorf("no answer from the kernel: %w", context.DeadlineExceeded)

// genlHeader begins every message of generic netlink.
type genlHeader struct{ cmd uint8 }

const genlHeaderLen = 4

func (h genlHeader) Len() int          { return genlHeaderLen }
func (h genlHeader) Serialize() []byte { return []byte{h.cmd, 1, 0, 0} }

// genl is a socket for requests to IPVS. It is not for several goroutines at once.
type genl struct {
	socket *nl.SocketHandle
	family int
}

// openGenl opens the socket; limit is the longest wait for an answer. The family stays to be looked up.
func openGenl(limit time.Duration) (*genl, error) {
	socket, err := nl.GetNetlinkSocketAt(netns.None(), netns.None(), unix.NETLINK_GENERIC)
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	timeout := unix.NsecToTimeval(limit.Nanoseconds())
	if err := errors.Join(socket.SetSendTimeout(&timeout), socket.SetReceiveTimeout(&timeout)); err != nil {
		socket.Close()
		return nil, fmt.Errorf("set the time limit of a netlink socket: %w", err)
	}
	return &genl{socket: &nl.SocketHandle{Socket: socket}}, nil
}

func (g *genl) close() { g.socket.Close() }

// lookup finds the number of IPVS among the families; ENOENT when the kernel has none.
func (g *genl) lookup() error {
	request := g.request(ctrlFamily, ctrlCmdGetFamily, 0)
	request.AddData(nl.NewRtAttr(ctrlAttrFamilyName, nl.ZeroTerminated("IPVS")))
	g.family = 0
	err := g.execute(request, func(message []byte) error {
		for kind, value := range attrs(message) {
			if kind == ctrlAttrFamilyID {
				g.family = int(num16(value))
			}
		}
		return nil
	})
	if err == nil && g.family == 0 {
		err = errors.New("an answer without a family")
	}
	return err
}

// services calls f for each service, without destinations.
func (g *genl) services(f func(Service) error) error {
	request := g.request(g.family, cmdGetService, unix.NLM_F_DUMP)
	return g.execute(request, func(message []byte) error {
		service, err := parseService(nested(message, cmdAttrService))
		if err != nil {
			return err
		}
		return f(service)
	})
}

// service reads one service without destinations; ESRCH when it is not there.
func (g *genl) service(key Key) (service Service, err error) {
	request := g.request(g.family, cmdGetService, 0)
	request.AddData(serviceAttr(key))
	err = g.execute(request, func(message []byte) (err error) {
		service, err = parseService(nested(message, cmdAttrService))
		return err
	})
	return service, err
}

// dests reads the destinations of a service: none when it is not there.
func (g *genl) dests(key Key) (map[netip.AddrPort]Dest, error) {
	request := g.request(g.family, cmdGetDest, unix.NLM_F_DUMP)
	request.AddData(serviceAttr(key))
	dests := make(map[netip.AddrPort]Dest)
	err := g.execute(request, func(message []byte) error {
		dest, err := parseDest(nested(message, cmdAttrDest), key.IPv6)
		if err != nil {
			return err
		}
		dests[dest.Addr] = dest
		return nil
	})
	return dests, err
}

// changeDest adds, edits or deletes a destination.
func (g *genl) changeDest(cmd uint8, key Key, dest Dest) error {
	request := g.request(g.family, cmd, unix.NLM_F_ACK)
	request.AddData(serviceAttr(key))
	request.AddData(destAttr(dest))
	return g.execute(request, func([]byte) error { return nil })
}

func (g *genl) request(family int, cmd uint8, flags int) *nl.NetlinkRequest {
	request := nl.NewNetlinkRequest(family, flags)
	request.Sockets = map[int]*nl.SocketHandle{unix.NETLINK_GENERIC: g.socket}
	request.AddData(genlHeader{cmd})
	return request
}

// execute calls f with the attributes of each message that answers the request, until f fails.
func (g *genl) execute(request *nl.NetlinkRequest, f func(attrs []byte) error) error {
	var failed error
	err := request.ExecuteIter(unix.NETLINK_GENERIC, 0, func(message []byte) bool {
		if len(message) < genlHeaderLen {
			failed = errors.New("an answer too short")
		} else {
			failed = f(message[genlHeaderLen:])
		}
		return failed == nil
	})
	if errors.Is(err, unix.EAGAIN) {
		err = errNoAnswer
	}
	return errors.Join(failed, err)
}

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

func serviceAttr(key Key) *nl.RtAttr {
	a := nl.NewRtAttr(cmdAttrService|unix.NLA_F_NESTED, nil)
	a.AddRtAttr(svcAttrFamily, nl.Uint16Attr(family(key.IPv6)))
	if key.Protocol == Mark {
		a.AddRtAttr(svcAttrMark, nl.Uint32Attr(key.Mark))
		return a
	}
	a.AddRtAttr(svcAttrProtocol, nl.Uint16Attr(uint16(key.Protocol)))
	a.AddRtAttr(svcAttrAddr, key.Addr.Addr().AsSlice())
	a.AddRtAttr(svcAttrPort, netPort(key.Addr.Port()))
	return a
}

func destAttr(d Dest) *nl.RtAttr {
	a := nl.NewRtAttr(cmdAttrDest|unix.NLA_F_NESTED, nil)
	a.AddRtAttr(destAttrAddr, d.Addr.Addr().AsSlice())
	a.AddRtAttr(destAttrPort, netPort(d.Addr.Port()))
	a.AddRtAttr(destAttrFamily, nl.Uint16Attr(family(d.Addr.Addr().Is6())))
	a.AddRtAttr(destAttrForward, nl.Uint32Attr(uint32(d.Forward)))
	a.AddRtAttr(destAttrWeight, nl.Uint32Attr(d.Weight))
	a.AddRtAttr(destAttrUpper, nl.Uint32Attr(d.Upper))
	a.AddRtAttr(destAttrLower, nl.Uint32Attr(d.Lower))
	a.AddRtAttr(destAttrTunnelType, nl.Uint8Attr(uint8(d.Encap.Type)))
	a.AddRtAttr(destAttrTunnelPort, netPort(d.Encap.Port))
	a.AddRtAttr(destAttrTunnelFlags, nl.Uint16Attr(uint16(d.Encap.Flags)))
	return a
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

// parseDest reads a destination of a service of the family that ipv6 says.
func parseDest(b []byte, ipv6 bool) (Dest, error) {
	var (
		d    Dest
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
	return d, err
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

func netPort(port uint16) []byte { return binary.BigEndian.AppendUint16(nil, port) }

// The values of attributes; 0 for one that is too short.

func hostPort(b []byte) uint16 {
	if len(b) < 2 {
		return 0
	}
	return binary.BigEndian.Uint16(b)
}

func num8(b []byte) uint8 {
	if len(b) < 1 {
		return 0
	}
	return b[0]
}

func num16(b []byte) uint16 {
	if len(b) < 2 {
		return 0
	}
	return binary.NativeEndian.Uint16(b)
}

func num32(b []byte) uint32 {
	if len(b) < 4 {
		return 0
	}
	return binary.NativeEndian.Uint32(b)
}
