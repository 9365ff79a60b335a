package wire

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"ldirectord/checker/settings"
	"ldirectord/internal/raw"
	"ldirectord/internal/testkit"
)

// The port of a connection without an answer is left alone towards the same address, for a minute at least. A socket
// that gets it is closed, and another one made.
func TestAPortWithoutAnAnswerIsLeftAlone(t *testing.T) {
	to := testkit.AddrOf(testkit.Listen(t))
	v := &Via{Path: settings.Path{OnLink: true}, To: to.Addr(), Ports: &Ports{}}
	all := map[uint16]bool{}
	open := func() (fd int) {
		t.Helper()
		return testkit.Must(StartTCP(to, v))(t)
	}
	for range 300 {
		fd := open()
		if port := localOf(fd).Port(); all[port] {
			t.Errorf("port %d again", port)
		} else {
			all[port] = true
		}
		syscall.SetsockoptLinger(fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
		syscall.Close(fd)
	}
	fd := open()
	defer syscall.Close(fd)
	takes := func(when string, want bool) {
		t.Helper()
		testkit.Equal(t, v.takes(fd, to), want, when)
	}
	takes("at once", false)
	v.Ports.since = time.Now().Add(-halfOpen)
	takes("after a minute", false)
	v.Ports.since = time.Now().Add(-halfOpen)
	v.Ports.last = nil
	takes("and a minute later", true)
	v.Connected(fd, to)
	takes("after a connection", true)
	(*Via)(nil).Connected(fd, to)
}

// starter counts the connections that it starts, and refuses them with an error.
func starter(started *int, refuses error) func(send func() error) error {
	return func(send func() error) error {
		*started++
		return errors.Join(send(), refuses)
	}
}

// A Start sends what begins a connection, and may refuse it. Before datagrams it is a connection of TCP.
func TestAStartBeginsConnections(t *testing.T) {
	l := testkit.Listen(t)
	to := testkit.AddrOf(l)
	for _, refuses := range []error{nil, io.ErrClosedPipe} {
		started := 0
		v := Via{Path: settings.Path{OnLink: true}, To: to.Addr(), Start: starter(&started, refuses)}
		tcp, err := StartTCP(to, &v)
		testkit.Equal(t, err == nil, refuses == nil, "TCP:", err)
		udp, notUDP := OpenUDP(WithVia(t.Context(), v), to)
		testkit.Equal(t, notUDP == nil, refuses == nil, "UDP:", notUDP)
		if refuses == nil {
			syscall.Close(tcp)
			udp.Close()
		}
		for range 2 {
			if c, err := l.Accept(); err != nil {
				t.Error(err)
			} else {
				c.Close()
			}
		}
		testkit.Equal(t, started, 2, "connections")
	}
}

// A connection that leads elsewhere by a port that is known to do so is no answer: another port is tried.
func TestAPortThatLeadsElsewhereIsNoAnswer(t *testing.T) {
	to := testkit.AddrOf(testkit.Listen(t))
	for _, row := range []struct {
		known bool
		want  int
	}{{false, 1}, {true, maxPorts}} {
		started := 0
		v := Via{Path: settings.Path{OnLink: true}, To: to.Addr(), Start: starter(&started, io.ErrClosedPipe),
			Ports: &Ports{since: time.Now(), last: map[lane]bool{}}}
		for port := range 1 << 16 {
			v.Ports.last[lane{to, uint16(port)}] = row.known
		}
		if fd, err := StartTCP(to, &v); err == nil || fd != -1 || started != row.want {
			t.Errorf("%+v: %d connections, %d, %v", row, started, fd, err)
		}
		v.Start, started = starter(&started, nil), 0
		if fd, err := StartTCP(to, &v); err != nil || started != 1 {
			t.Errorf("%+v: a connection that the service counted was the first of %d: %v", row, started,
				err)
		} else {
			syscall.Close(fd)
		}
		v.Start = nil
		if fd, err := StartTCP(to, &v); err != nil {
			t.Errorf("without a free port: %v", err)
		} else {
			syscall.Close(fd)
		}
	}
}

// unbound returns the socket that has no address yet.
func unbound(t *testing.T) int {
	t.Helper()
	for fd := range 1 << 16 {
		if localOf(fd) == netip.AddrPortFrom(netip.IPv4Unspecified(), 0) {
			return fd
		}
	}
	t.Fatal("no socket is being connected")
	return -1
}

// A socket that gets the port of a dead server here reaches itself. Another port is tried; the last one is refused.
func TestASocketThatReachesItselfIsNoServer(t *testing.T) {
	udp := testkit.Must(net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}))(t)
	own := udp.LocalAddr().(*net.UDPAddr)
	udp.Close()
	to := own.AddrPort()
	for selves, want := range map[int]int{1: 2, maxPorts: maxPorts} {
		tries := 0
		v := &Via{To: to.Addr(), Start: func(send func() error) error {
			if tries++; tries > selves {
				return send()
			}
			err := raw.Bind(unbound(t), to)
			if err == syscall.EADDRINUSE {
				t.Skip("the port is taken for TCP")
			}
			testkit.OK(t, err)
			return send()
		}}
		got, err := StartTCP(to, v)
		if tries != want || err == nil && localOf(got) == to {
			t.Errorf("TCP: %d tries, want %d: %v", tries, want, err)
		}
		if err == nil {
			syscall.Close(got)
		} else {
			testkit.Equal(t, err, error(syscall.ECONNREFUSED))
		}
	}
	c, err := notSelf(func() (net.Conn, error) { return net.DialUDP("udp", own, own) })
	testkit.Equal(t, err, error(syscall.ECONNREFUSED), c)
}
