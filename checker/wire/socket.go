package wire

import (
	"context"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"ldirectord/internal/raw"
)

// dialTCP connects without net.Dialer, which takes twice as long and allocates twice as often (BenchmarkDialOwn,
// BenchmarkDialNet). net.Dialer starts a goroutine and a timer for each connection, and asks the kernel for both
// addresses.
func dialTCP(ctx context.Context, to netip.AddrPort, deadline time.Time) (*Conn, error) {
	via := ViaTo(ctx, to)
	fd, err := StartTCP(to, via)
	if err != nil {
		return nil, err
	}
	s := NewSocket(fd, to)
	c, err := Guard(ctx, s, deadline)
	if err != nil {
		return nil, err
	}
	// Without this option, data after a TLS handshake waits for an acknowledgement.
	err = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	if err == nil {
		err = s.connect()
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	via.Connected(fd, to)
	return c, nil
}

// socket is a TCP socket in Go's poller.
type socket struct {
	*os.File
	to netip.AddrPort
}

// NewSocket puts a socket into Go's poller.
func NewSocket(fd int, to netip.AddrPort) *socket { return &socket{os.NewFile(uintptr(fd), "tcp"), to} }

// firstUsual is the first port that the kernel may choose: ip_local_port_range can't begin below
// ip_unprivileged_port_start, which is 1024 unless somebody lowers it (ip-sysctl; Linux 4.11).
const firstUsual = 1024

// StartTCP makes a non-blocking socket, and starts to connect it. If via is nil, the connection takes the usual path.
func StartTCP(to netip.AddrPort, via *Via) (int, error) {
	self := netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	for try := 1; ; try++ {
		fd, err := startTCP(to, via)
		isSelf := err == nil && to.Port() >= firstUsual && localOf(fd) == self
		// Start succeeds only if the connection is new to its server, whatever its port was used for before.
		isLast := fd < 0 || try == maxPorts ||
			!isSelf && (via.takes(fd, to) || via.Start != nil && err == nil)
		if isSelf {
			// The kernel chose the port of a dead server on this machine, so the socket is connected to
			// itself (a simultaneous open, RFC 9293, 3.5).
			err = syscall.ECONNREFUSED
			// otherwise the server could not use its port for a minute
			syscall.SetsockoptLinger(fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
		}
		if isLast && err == nil {
			return fd, nil
		}
		syscall.Close(fd)
		if isLast {
			return -1, err
		}
	}
}

// startTCP is StartTCP, but accepts any port that the kernel chooses. It may return both a socket and an error.
func startTCP(to netip.AddrPort, via *Via) (int, error) {
	family := syscall.AF_INET6
	if to.Addr().Unmap().Is4() {
		family = syscall.AF_INET
	}
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if via != nil {
		err = via.prepare(fd, true)
	}
	switch {
	case err != nil:
	case via != nil && via.Start != nil:
		err = via.Start(func() error { return begun(raw.Connect(fd, to)) })
	default:
		err = begun(raw.Connect(fd, to))
	}
	return fd, err
}

// begun returns the error of a call to connect(2), or nil if the connection is in progress.
func begun(err error) error {
	if raw.InProgress(err) {
		return nil
	}
	return err
}

// connect waits until the socket is connected. A second call to connect(2) returns the result.
func (s *socket) connect() error {
	c, err := s.SyscallConn()
	if err != nil {
		return err
	}
	var answer error
	err = c.Write(func(fd uintptr) bool {
		answer = raw.Connect(int(fd), s.to)
		return !raw.InProgress(answer)
	})
	switch {
	case err != nil:
		return err
	case answer == syscall.EISCONN:
		return nil
	}
	return answer
}

// Read implements net.Conn. It unwraps a timeout error, because crypto/tls reads again only after a net.Error.
func (s *socket) Read(p []byte) (int, error) {
	n, err := s.File.Read(p)
	if IsTimeout(err) {
		err = os.ErrDeadlineExceeded
	}
	return n, err
}

func (s *socket) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(s.to) }

func (s *socket) LocalAddr() (local net.Addr) {
	local = &net.TCPAddr{}
	if c, err := s.SyscallConn(); err == nil {
		c.Control(func(fd uintptr) { local = net.TCPAddrFromAddrPort(localOf(int(fd))) })
	}
	return local
}
