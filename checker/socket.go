package checker

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// dialTCP connects without net.Dialer, which takes twice as long, with twice as many allocations (BenchmarkDialOwn,
// BenchmarkDialNet): it starts a goroutine and a timer for each connection, and asks the kernel for both addresses.
func dialTCP(ctx context.Context, to netip.AddrPort, deadline time.Time) (*conn, error) {
	fd, err := startTCP(to, viaTo(ctx, to))
	if err != nil {
		return nil, err
	}
	// Without it what follows a TLS handshake waits for an acknowledgement.
	if err := syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1); err != nil {
		syscall.Close(fd)
		return nil, err
	}
	s := &socket{os.NewFile(uintptr(fd), "tcp"), to}
	c, err := guard(ctx, s, deadline)
	if err != nil {
		return nil, err
	}
	if err := s.connect(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// socket is a TCP socket in Go's poller.
type socket struct {
	*os.File
	to netip.AddrPort
}

// startTCP makes a socket that does not block, and starts to connect it. A nil via is the usual way.
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
	if err == nil {
		err = connectTo(fd, to)
	}
	if err != nil && !inProgress(err) {
		syscall.Close(fd)
		return -1, err
	}
	return fd, nil
}

// prepare sets up a socket that is not connected yet. A port is chosen when it connects, so that one port may serve
// many ways.
func (v *Via) prepare(fd int, tcp bool) error {
	switch {
	case v.OnLink && v.To.Is4():
		return setOption(fd, unix.SOL_SOCKET, unix.SO_DONTROUTE, 1)
	case v.OnLink: // where the kernel does not know that option (socket(7), ipv6(7)): a router drops the packet
		return setOption(fd, unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, 1)
	}
	err := setOption(fd, unix.SOL_SOCKET, unix.SO_MARK, int32(v.Mark))
	if err == nil && tcp {
		err = errors.Join(setOption(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1),
			setOption(fd, unix.IPPROTO_TCP, unix.TCP_MAXSEG, int32(v.MSS)))
	}
	return cmp.Or(err, withAddress(unix.SYS_BIND, fd, netip.AddrPortFrom(v.Source, 0)))
}

func inProgress(err error) bool {
	return err == syscall.EINPROGRESS || err == syscall.EALREADY || err == syscall.EINTR
}

// connect waits until the socket is connected. To ask for the connection again tells how it went
// (connect(2)).
func (s *socket) connect() error {
	c, err := s.SyscallConn()
	if err != nil {
		return err
	}
	var answer error
	err = c.Write(func(fd uintptr) bool {
		answer = connectTo(int(fd), s.to)
		return !inProgress(answer)
	})
	switch {
	case err != nil:
		return err
	case answer == syscall.EISCONN:
		return nil
	}
	return answer
}

func (s *socket) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(s.to) }

func (s *socket) LocalAddr() net.Addr {
	var local syscall.Sockaddr
	if c, err := s.SyscallConn(); err == nil {
		c.Control(func(fd uintptr) { local, _ = syscall.Getsockname(int(fd)) })
	}
	switch a := local.(type) {
	case *syscall.SockaddrInet4:
		return &net.TCPAddr{IP: a.Addr[:], Port: a.Port}
	case *syscall.SockaddrInet6:
		return &net.TCPAddr{IP: a.Addr[:], Port: a.Port}
	}
	return &net.TCPAddr{}
}

// The loop's system calls never block. Made raw, they are not told to Go's scheduler: it would wake its monitor thread
// for each group of checks, which costs a third of a check by connect at 100 servers.

// connectTo starts to connect a socket that does not block, or tells how that goes (connect(2)).
func connectTo(fd int, to netip.AddrPort) error { return withAddress(unix.SYS_CONNECT, fd, to) }

// withAddress is a system call with a socket and an address.
func withAddress(call uintptr, fd int, at netip.AddrPort) (err error) {
	if a := at.Addr().Unmap(); a.Is4() {
		sa := unix.RawSockaddrInet4{Family: unix.AF_INET, Port: networkOrder(at.Port()), Addr: a.As4()}
		_, err = rawCall(call, fd, unsafe.Pointer(&sa), unix.SizeofSockaddrInet4)
		return err
	}
	sa := unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: networkOrder(at.Port()), Addr: at.Addr().As16()}
	_, err = rawCall(call, fd, unsafe.Pointer(&sa), unix.SizeofSockaddrInet6)
	return err
}

// setOption sets an option of a socket to a number.
func setOption(fd, level, name int, value int32) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name),
		uintptr(unsafe.Pointer(&value)), unsafe.Sizeof(value), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

func networkOrder(port uint16) uint16 {
	return binary.NativeEndian.Uint16([]byte{byte(port >> 8), byte(port)})
}

// rawCall is a system call with three arguments, or with more that are 0.
func rawCall(call uintptr, fd int, p unsafe.Pointer, n int) (int, error) {
	done, _, errno := unix.RawSyscall6(call, uintptr(fd), uintptr(p), uintptr(n), 0, 0, 0)
	if errno != 0 {
		return -1, errno
	}
	return int(done), nil
}

// read and write take a buffer that is not empty.
func read(fd int, p []byte) (int, error) {
	return rawCall(unix.SYS_READ, fd, unsafe.Pointer(&p[0]), len(p))
}

func write(fd int, p []byte) (int, error) {
	return rawCall(unix.SYS_WRITE, fd, unsafe.Pointer(&p[0]), len(p))
}

func closeSocket(fd int) { unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }

// epollWait asks for events without waiting for them.
func epollWait(fd int, events []syscall.EpollEvent) (int, error) {
	return rawCall(unix.SYS_EPOLL_PWAIT, fd, unsafe.Pointer(&events[0]), len(events))
}

// clock is the time of a kernel's clock since the machine's boot; 0 where that is not known.
func clock(id int) time.Duration {
	var t unix.Timespec
	unix.RawSyscall(unix.SYS_CLOCK_GETTIME, uintptr(id), uintptr(unsafe.Pointer(&t)), 0)
	return time.Duration(t.Nano())
}
