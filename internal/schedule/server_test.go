package schedule

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/protocol"
	"ldirectord/checker/settings"
	"ldirectord/internal/testkit"
)

// testServer is a listener on loopback whose connections are served by a function of the test.
type testServer struct{ addr netip.AddrPort }

// serve starts a server. Connections end with the test at the latest.
func serve(t testing.TB, treat func(net.Conn)) *testServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Skip("can't listen: ", err)
	}
	s := &testServer{addr: l.Addr().(*net.TCPAddr).AddrPort()}
	ctx, end := context.WithCancel(context.Background())
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer context.AfterFunc(ctx, func() { c.Close() })()
				defer c.Close()
				treat(c)
			})
		}
	})
	t.Cleanup(func() { l.Close(); end(); conns.Wait() })
	return s
}

// answering answers every request without looking at it.
func answering(answer string) func(net.Conn) {
	return func(c net.Conn) {
		c.Read(make([]byte, 1024))
		io.WriteString(c, answer)
	}
}

// silence reads what comes and never answers.
func silence(c net.Conn) { io.Copy(io.Discard, c) }

const (
	okHead      = "HTTP/1.1 200 OK\r\n"
	benchAnswer = okHead + "Content-Length: 7\r\nConnection: close\r\n\r\nOK-perf"

	patient = 5 * time.Second  // for checks that must not meet their deadline
	inTime  = 10 * time.Second // for checks that the server answers
)

func httpSpec(to netip.AddrPort) checker.Spec {
	return checker.Spec{
		Type: "negotiate", Service: "http", Protocol: "tcp", Target: to, NegotiateTimeout: patient,
		URL: "http://" + to.String() + "/", Receive: "OK-perf", HTTP: settings.HTTP{HTTPMethod: "GET"},
	}
}

func connectSpec(to netip.AddrPort) checker.Spec {
	return checker.Spec{Type: "connect", Protocol: "tcp", Target: to, Timeout: patient}
}

func build(t testing.TB, s checker.Spec, e *protocol.Env) checker.Checker {
	t.Helper()
	return testkit.Must(protocol.New(s, e))(t)
}

// refusingPort returns an address of loopback that refuses connections.
func refusingPort(t testing.TB) netip.AddrPort {
	t.Helper()
	l := testkit.Must(net.Listen("tcp", "127.0.0.1:0"))(t)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// deafPort returns an address whose queue of connections is full: the kernel drops new ones.
func deafPort(t *testing.T) netip.AddrPort {
	t.Helper()
	fd := testkit.Must(syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0))(t)
	t.Cleanup(func() { syscall.Close(fd) })
	testkit.OK(t,
		errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 0)))
	name := testkit.Must(syscall.Getsockname(fd))(t)
	addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(name.(*syscall.SockaddrInet4).Port))
	for range 10 {
		c, err := net.DialTimeout("tcp", addr.String(), 50*time.Millisecond)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Skip("the kernel takes connections beyond the queue")
	return addr
}

// leaks fails the test if goroutines or descriptors are left at its end. It must be called first, so that its cleanup
// runs last.
func leaks(t *testing.T) {
	t.Helper()
	before, files := len(goroutines()), descriptors()
	t.Cleanup(func() {
		for end := time.Now().Add(patient); len(goroutines()) > before || descriptors() > files; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d files, were %d; goroutines, were %d:\n%s", descriptors(), files, before, strings.Join(goroutines(), "\n\n"))
			}
		}
	})
}

// goroutines returns the stacks of all goroutines except the clock of the pattern engine, which runs for a second
// after a match.
func goroutines() []string {
	stacks := make([]byte, 1<<20)
	all := strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n")
	return slices.DeleteFunc(all, func(stack string) bool { return strings.Contains(stack, "regexp2/v2.runClock") })
}

func descriptors() int {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return 0
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	return len(names)
}
