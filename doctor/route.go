package doctor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// route is the way of packets to an address (ip route get).
type route struct {
	local   bool   // it ends on this machine
	device  string // "" when there is no way
	gateway bool   // by a router
	mtu     int    // bytes of a packet that it takes, 0 when not known
}

// router asks the kernel for routes (rtnetlink(7)).
type router struct {
	fd      int
	seq     uint32
	devices map[int]device // by index
}

func openRouter(devices []device) (*router, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("opening a socket for routes: %w", err)
	}
	wait := unix.NsecToTimeval(probeTime.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("opening a socket for routes: %w", err)
	}
	r := &router{fd: fd, devices: map[int]device{}}
	for _, d := range devices {
		r.devices[d.index] = d
	}
	return r, nil
}

func (r *router) close() { unix.Close(r.fd) }

// to returns the route of packets with a firewall mark, 0 for none. No route is the zero route.
func (r *router) to(addr netip.Addr, mark uint32) (route, error) {
	r.seq++
	if err := unix.Sendto(r.fd, routeRequest(addr, mark, r.seq), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return route{}, fmt.Errorf("asking for the route to %s: %w", addr, err)
	}
	buffer := make([]byte, unix.Getpagesize())
	for {
		n, _, err := unix.Recvfrom(r.fd, buffer, 0)
		if err != nil {
			return route{}, fmt.Errorf("asking for the route to %s: %w", addr, err)
		}
		messages, err := syscall.ParseNetlinkMessage(buffer[:n])
		if err != nil {
			return route{}, fmt.Errorf("asking for the route to %s: %w", addr, err)
		}
		for i := range messages {
			if messages[i].Header.Seq == r.seq { // not a late answer to an earlier question
				return r.parse(&messages[i])
			}
		}
	}
}

func (r *router) parse(m *syscall.NetlinkMessage) (route, error) {
	if m.Header.Type != unix.RTM_NEWROUTE {
		return route{}, nil // an error, as ENETUNREACH: there is no way
	}
	attributes, err := syscall.ParseNetlinkRouteAttr(m)
	if err != nil || len(m.Data) < unix.SizeofRtMsg {
		return route{}, errors.Join(errors.New("a route that can't be read"), err)
	}
	found := route{}
	switch m.Data[7] { // rtm_type
	case unix.RTN_LOCAL:
		found.local = true
	case unix.RTN_UNICAST:
	default: // blackhole, unreachable, prohibit
		return route{}, nil
	}
	for _, a := range attributes {
		switch a.Attr.Type {
		case unix.RTA_OIF:
			if len(a.Value) >= 4 {
				d := r.devices[int(binary.NativeEndian.Uint32(a.Value))]
				found.device, found.mtu = d.name, d.mtu
			}
		case unix.RTA_GATEWAY, unix.RTA_VIA:
			found.gateway = true
		}
	}
	for _, a := range attributes {
		if mtu := metric(a); a.Attr.Type == unix.RTA_METRICS && mtu > 0 {
			found.mtu = mtu
		}
	}
	return found, nil
}

// metric is the MTU among the metrics of a route: attributes within an attribute.
func metric(a syscall.NetlinkRouteAttr) int {
	for b := a.Value; len(b) >= 8; {
		size := int(binary.NativeEndian.Uint16(b))
		if size < 4 || size > len(b) {
			return 0
		}
		if binary.NativeEndian.Uint16(b[2:]) == unix.RTAX_MTU && size >= 8 {
			return int(binary.NativeEndian.Uint32(b[4:]))
		}
		b = b[min((size+3)&^3, len(b)):]
	}
	return 0
}

// routeRequest is a RTM_GETROUTE: netlink header, rtmsg, and the destination and mark as attributes.
func routeRequest(addr netip.Addr, mark, seq uint32) []byte {
	family := byte(unix.AF_INET)
	if addr.Is6() {
		family = unix.AF_INET6
	}
	b := make([]byte, unix.SizeofNlMsghdr+unix.SizeofRtMsg)
	b[unix.SizeofNlMsghdr], b[unix.SizeofNlMsghdr+1] = family, byte(addr.BitLen())
	b = appendAttribute(b, unix.RTA_DST, addr.AsSlice())
	if mark != 0 {
		b = appendAttribute(b, unix.RTA_MARK, binary.NativeEndian.AppendUint32(nil, mark))
	}
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], unix.RTM_GETROUTE)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST)
	binary.NativeEndian.PutUint32(b[8:], seq)
	return b
}

// appendAttribute appends an attribute whose value is a multiple of four bytes long.
func appendAttribute(b []byte, kind uint16, value []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(4+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	return append(b, value...)
}

// device is a network interface.
type device struct {
	name     string
	index    int
	mtu      int
	up       bool
	loopback bool
	hardware net.HardwareAddr // empty where there is no ARP
	prefixes []netip.Prefix   // addresses with the lengths of their networks
}

// devicesHere reads the interfaces.
func devicesHere() ([]device, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("reading the interfaces: %w", err)
	}
	var list []device
	for _, i := range interfaces {
		addrs, err := i.Addrs()
		if err != nil {
			continue // it has gone
		}
		list = append(list, device{
			name: i.Name, index: i.Index, mtu: i.MTU,
			up: i.Flags&net.FlagUp != 0, loopback: i.Flags&net.FlagLoopback != 0,
			hardware: i.HardwareAddr, prefixes: networks(addrs),
		})
	}
	return list, nil
}
