package wire

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"ldirectord/checker/settings"
	"ldirectord/internal/raw"
)

// Via is the path of a check's packets. Packets to a virtual address reach one server through a private service of
// IPVS. Without a Mark, Via is the path to a server's own address. With OnLink the packets do not pass a router.
type Via struct {
	settings.Path // zero for a private service

	To   netip.Addr // a virtual address or the server's own; for other addresses, only the Origin of Path applies
	Mark uint32     // the mark of the service; 0: none
	// this machine's source address, of To's family and not virtual: answers to a virtual address would not arrive
	Source netip.Addr
	MSS    int // the longest TCP segment, in bytes: the route to a local address sets no limit

	Ports *Ports // nil: all source ports can be used
	// Start either calls send, which begins a connection, or returns an error, which ends the attempt. If Start is
	// nil, send is called directly.
	Start func(send func() error) error
}

type viaKey struct{}

// WithVia makes the checks of a context use the path v.
func WithVia(ctx context.Context, v Via) context.Context { return context.WithValue(ctx, viaKey{}, &v) }

// ViaFrom returns the path of packets to a server itself; nil: the usual path.
func ViaFrom(from settings.Path, to netip.Addr) *Via {
	if from == (settings.Path{}) {
		return nil
	}
	return &Via{Path: from, To: to.Unmap()}
}

// ViaTo returns the path to an address; nil: the usual path.
func ViaTo(ctx context.Context, to netip.AddrPort) *Via {
	v, ok := ctx.Value(viaKey{}).(*Via)
	switch {
	case !ok:
		return nil
	case v.To == to.Addr().Unmap():
		return v
	}
	return ViaFrom(settings.Path{Origin: v.Origin}, to.Addr())
}

// OpenUDP opens a socket for datagrams to and from a server.
func OpenUDP(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	return notSelf(func() (net.Conn, error) { return openUDP(ctx, to) })
}

// notSelf opens sockets until one does not reach itself, maxPorts at most. The kernel may choose the port of a dead
// server on this machine for a socket.
func notSelf(open func() (net.Conn, error)) (net.Conn, error) {
	for range maxPorts {
		c, err := open()
		if err != nil || c.LocalAddr().String() != c.RemoteAddr().String() {
			return c, err
		}
		c.Close()
	}
	return nil, syscall.ECONNREFUSED
}

func openUDP(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	v := ViaTo(ctx, to)
	if v == nil {
		return net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
	}
	d := net.Dialer{Control: control(func(fd int) error { return v.prepare(fd, false) })}
	if v.Start != nil {
		if err := v.Start(func() error { return Knock(to, *v) }); err != nil {
			return nil, err
		}
	}
	return d.DialContext(ctx, "udp", to.String())
}

// control returns the Control of a net.Dialer or net.ListenConfig that prepares its socket.
func control(prepare func(fd int) error) func(network, address string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		var lacks error
		err := c.Control(func(fd uintptr) { lacks = prepare(int(fd)) })
		return cmp.Or(err, lacks)
	}
}

// Listen opens a port of our own address for a connection from a server. Packets to the server have the Origin of its
// check, and our address as their source.
func Listen(ctx context.Context, own netip.Addr, server netip.AddrPort) (*net.TCPListener, error) {
	var of settings.Origin
	if v := ViaTo(ctx, server); v != nil {
		of = v.Origin
		of.CheckSource = netip.Addr{}
	}
	c := net.ListenConfig{Control: control(func(fd int) error { return raw.SetOrigin(fd, own.Is6(), of) })}
	c.SetMultipathTCP(false) // like the connections of checks
	l, err := c.Listen(ctx, "tcp", netip.AddrPortFrom(own, 0).String())
	if err != nil {
		return nil, err
	}
	return l.(*net.TCPListener), nil
}

// Knock starts a TCP connection on a path and abandons it, so that a private service counts a connection. A datagram
// would not do: the service forwards it without a connection, and does not count it at once.
func Knock(to netip.AddrPort, v Via) error {
	v.Start = nil
	fd, err := StartTCP(to, &v)
	if err == nil {
		raw.Close(fd)
	}
	return err
}

// prepare sets up a socket before it is connected. The kernel chooses the port when the socket connects, so that one
// port can serve many paths.
func (v *Via) prepare(fd int, tcp bool) error {
	if err := raw.SetOrigin(fd, v.To.Is6(), v.Origin); err != nil {
		return err
	}
	switch {
	case v.OnLink && v.To.Is4():
		return raw.SetOption(fd, unix.SOL_SOCKET, unix.SO_DONTROUTE, 1)
	case v.OnLink:
		// A kernel may lack SO_DONTROUTE for IPv6 (socket(7), ipv6(7)). With this hop limit, a router drops the
		// packet.
		return raw.SetOption(fd, unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, 1)
	case v.Mark == 0:
		return nil
	}
	err := raw.SetOption(fd, unix.SOL_SOCKET, unix.SO_MARK, int32(v.Mark))
	if err == nil && tcp {
		err = errors.Join(raw.SetOption(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1),
			raw.SetOption(fd, unix.IPPROTO_TCP, unix.TCP_MAXSEG, int32(v.MSS)))
	}
	return cmp.Or(err, raw.Bind(fd, netip.AddrPortFrom(v.Source, 0)))
}
