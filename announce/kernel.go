package announce

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

const (
	ourProtocol = 77 // of routes (rtm_protocol) and addresses (IFA_PROTO): free in iproute2's rt_protos
	ourLabel    = ":ldir"
	ifaProto    = 11 // IFA_PROTO of if_addr.h, since Linux 5.18; an earlier one ignores it
	maxReads    = 3  // of a list that changes meanwhile
	loopback    = 1  // the index of lo in every network namespace
	forever     = 1<<32 - 1
)

// rtnetlink is the kernel of this network namespace.
type rtnetlink struct {
	handle *netlink.Handle
	addrs  map[int]*nl.SocketHandle // the library's addresses have no protocol
}

// openKernel opens it for a short time. An answer may take as long as limit.
func openKernel(limit time.Duration) (kernel, error) {
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("opening a socket for addresses: %w", err)
	}
	socket, err := nl.Subscribe(unix.NETLINK_ROUTE)
	if err != nil {
		handle.Close()
		return nil, fmt.Errorf("opening a socket for addresses: %w", err)
	}
	tv := unix.NsecToTimeval(limit.Nanoseconds())
	_ = handle.SetStrictCheck(true) // only our table of routes is sent; a kernel before 4.20 sends all
	err = errors.Join(handle.SetSocketTimeout(limit), socket.SetSendTimeout(&tv), socket.SetReceiveTimeout(&tv))
	return &rtnetlink{handle, map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: {Socket: socket}}}, err
}

func (k *rtnetlink) close() {
	k.handle.Close()
	k.addrs[unix.NETLINK_ROUTE].Close()
}

func (k *rtnetlink) read() (s state, err error) {
	for range maxReads {
		if s, err = k.readOnce(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	if err != nil {
		return state{}, fmt.Errorf("reading devices and addresses: %w", err)
	}
	return s, nil
}

func (k *rtnetlink) readOnce() (s state, err error) {
	links, err := k.handle.LinkList()
	for _, l := range links {
		a := l.Attrs()
		s.devices = append(s.devices, device{a.Name, a.Index, a.Flags&net.FlagUp != 0, l.Type() == "dummy"})
	}
	lists, err2 := k.request(unix.RTM_GETADDR, unix.NLM_F_DUMP, nl.NewIfAddrmsg(unix.AF_UNSPEC))
	for _, m := range lists {
		if h, ok := readAddress(m); ok {
			s.held = append(s.held, h)
		}
	}
	err = errors.Join(err, err2)
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		routes, err3 := k.handle.RouteListFiltered(family, &netlink.Route{Table: unix.RT_TABLE_LOCAL, Protocol: ourProtocol}, netlink.RT_FILTER_TABLE|netlink.RT_FILTER_PROTOCOL)
		for _, r := range routes {
			if addr, ok := netip.AddrFromSlice(r.Dst.IP); ok {
				s.local = append(s.local, addr.Unmap())
			}
		}
		if family == unix.AF_INET || !noIPv6(err3) {
			err = errors.Join(err, err3)
		}
	}
	return s, err
}

func noIPv6(err error) bool { return errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOENT) }

// readAddress reads one message of the list.
func readAddress(m []byte) (h holding, ok bool) {
	msg := nl.DeserializeIfAddrmsg(m)
	attrs, err := nl.ParseRouteAttr(m[msg.Len():])
	if err != nil {
		return h, false
	}
	flags := uint32(msg.Flags)
	h = holding{bits: int(msg.Prefixlen), device: int(msg.Index)}
	for _, a := range attrs {
		switch a.Attr.Type {
		case unix.IFA_LOCAL:
			h.addr, ok = netip.AddrFromSlice(a.Value)
		case unix.IFA_ADDRESS: // that of the peer, where there is a local one
			if !ok {
				h.addr, _ = netip.AddrFromSlice(a.Value)
			}
		case unix.IFA_LABEL:
			h.marked = h.marked || strings.HasSuffix(strings.TrimRight(string(a.Value), "\x00"), ourLabel)
		case ifaProto:
			h.marked = h.marked || slices.Equal(a.Value, []byte{ourProtocol})
		case unix.IFA_FLAGS:
			flags = nl.NativeEndian().Uint32(a.Value)
		}
	}
	const ours = unix.IFA_F_PERMANENT | unix.IFA_F_NODAD | unix.IFA_F_DEPRECATED
	h.alike = h.addr.Is6() && h.bits == h.addr.BitLen() && flags&ours == ours
	return h, h.addr.IsValid()
}

func (k *rtnetlink) request(kind, flags int, data ...nl.NetlinkRequestData) ([][]byte, error) {
	r := nl.NewNetlinkRequest(kind, flags)
	r.Sockets = k.addrs
	for _, d := range data {
		r.AddData(d)
	}
	return r.Execute(unix.NETLINK_ROUTE, 0)
}

func (k *rtnetlink) do(s step) (err error) {
	switch s.what {
	case putRoute:
		if err = k.handle.RouteAppend(routeOf(s.addr)); errors.Is(err, unix.EEXIST) {
			err = nil
		}
	case takeRoute:
		if err = k.handle.RouteDel(routeOf(s.addr)); errors.Is(err, unix.ESRCH) {
			err = nil
		}
	case putAddress:
		err = k.address(unix.RTM_NEWADDR, unix.NLM_F_ACK|unix.NLM_F_CREATE|unix.NLM_F_EXCL, s)
	case takeAddress:
		if err = k.address(unix.RTM_DELADDR, unix.NLM_F_ACK, s); errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.ENODEV) {
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", s.what, s.addr, err)
	}
	return nil
}

// routeOf delivers the packets of an address here, like the one that the kernel adds for an address of lo.
func routeOf(addr netip.Addr) *netlink.Route {
	return &netlink.Route{
		Dst: &net.IPNet{IP: addr.AsSlice(), Mask: net.CIDRMask(addr.BitLen(), addr.BitLen())}, LinkIndex: loopback,
		Table: unix.RT_TABLE_LOCAL, Type: unix.RTN_LOCAL, Scope: netlink.SCOPE_HOST, Protocol: ourProtocol,
	}
}

// address adds or removes one. IPv4: without a broadcast address, with which FRR keeps an address that was removed. IPv6: without
// looking for duplicates, and never chosen as the source of this machine's own packets.
func (k *rtnetlink) address(kind, flags int, s step) error {
	msg := nl.NewIfAddrmsg(nl.GetIPFamily(s.addr.AsSlice()))
	msg.Prefixlen, msg.Index, msg.Scope = uint8(s.bits), uint32(s.device.index), unix.RT_SCOPE_UNIVERSE
	data := []nl.NetlinkRequestData{msg, nl.NewRtAttr(unix.IFA_LOCAL, s.addr.AsSlice()), nl.NewRtAttr(unix.IFA_ADDRESS, s.addr.AsSlice())}
	if kind == unix.RTM_NEWADDR {
		data = append(data, nl.NewRtAttr(ifaProto, []byte{ourProtocol}))
		if s.addr.Is4() {
			data = append(data, nl.NewRtAttr(unix.IFA_LABEL, nl.ZeroTerminated(label(s.device.name))))
		} else {
			lifetime := nl.IfaCacheInfo{IfaCacheinfo: unix.IfaCacheinfo{Valid: forever}} // preferred for 0 seconds
			msg.Flags = unix.IFA_F_NODAD
			data = append(data, nl.NewRtAttr(unix.IFA_CACHEINFO, lifetime.Serialize()))
		}
	}
	_, err := k.request(kind, flags, data...)
	return err
}

// label is that of an address on a device. The kernel takes 15 bytes, and cuts the name of a device that is renamed likewise.
func label(device string) string {
	return device[:min(len(device), unix.IFNAMSIZ-1-len(ourLabel))] + ourLabel
}
