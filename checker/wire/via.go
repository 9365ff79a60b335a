package wire

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"ldirectord/checker/raw"
)

// Via is how packets of a check reach the server that a private service of IPVS has, though they go to a virtual
// address. Or, with OnLink and To alone, it is without a router to a server: a route over one is as good as none.
type Via struct {
	OnLink bool
	To     netip.Addr // the virtual address; packets to others go there as ever
	Mark   uint32     // of the service, 1 or more
	Source netip.Addr // of this machine, of To's family, and not a virtual one: to that answers would not come
	MSS    int        // the longest TCP segment, in bytes: the route to an address of this machine knows none
}

// Astray is said of a way by which packets don't come to the private service.
const Astray = "packets with its mark don't come to its private service"

// Knock begins a TCP connection by a way, and leaves it.
func Knock(v Via, to netip.AddrPort) error {
	fd, err := StartTCP(to, &v)
	if err == nil {
		raw.Close(fd)
	}
	return err
}

type viaKey struct{}

// WithVia makes the checks of a context go that way.
func WithVia(ctx context.Context, v Via) context.Context { return context.WithValue(ctx, viaKey{}, &v) }

// viaTo is the way to an address, nil for the usual one.
func viaTo(ctx context.Context, to netip.AddrPort) *Via {
	if v, ok := ctx.Value(viaKey{}).(*Via); ok && v.To == to.Addr().Unmap() {
		return v
	}
	return nil
}

// OpenUDP opens a socket for datagrams to and from a server.
func OpenUDP(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	v := viaTo(ctx, to)
	if v == nil {
		return net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
	}
	d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) (err error) {
		return errors.Join(c.Control(func(fd uintptr) { err = v.prepare(int(fd), false) }), err)
	}}
	return d.DialContext(ctx, "udp", to.String())
}

// prepare sets up a socket that is not connected yet. A port is chosen when it connects, so that one port may serve
// many ways.
func (v *Via) prepare(fd int, tcp bool) error {
	switch {
	case v.OnLink && v.To.Is4():
		return raw.SetOption(fd, unix.SOL_SOCKET, unix.SO_DONTROUTE, 1)
	case v.OnLink: // where the kernel does not know that option (socket(7), ipv6(7)): a router drops the packet
		return raw.SetOption(fd, unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, 1)
	}
	err := raw.SetOption(fd, unix.SOL_SOCKET, unix.SO_MARK, int32(v.Mark))
	if err == nil && tcp {
		err = errors.Join(raw.SetOption(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1),
			raw.SetOption(fd, unix.IPPROTO_TCP, unix.TCP_MAXSEG, int32(v.MSS)))
	}
	return cmp.Or(err, raw.Bind(fd, netip.AddrPortFrom(v.Source, 0)))
}
