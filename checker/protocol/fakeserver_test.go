package protocol

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ldirectord/internal/testkit"
)

// A fake server follows a script with each client, and can behave worse than any real server.

// step is what a fake server does next; false ends the conversation.
type step func(*client) bool

// script is what a fake server does with each client.
type script []step

// client is a client of a fake server.
type client struct {
	net.Conn
	t    *testing.T
	read *bufio.Reader
	data net.Listener // the data connection of FTP
	// of MySQL's next packet, or of LDAP's last request
	number int
	asked  string // MySQL's request for TLS, with which the log-in begins too
}

func say(line string) step { return raw(line + "\r\n") }

func raw(text string) step {
	return func(c *client) bool {
		_, err := io.WriteString(c, text)
		return err == nil
	}
}

// compare reports what the server received, if it differs from what it should have.
func (c *client) compare(got, want string, err error) bool {
	if err != nil || got != want {
		c.t.Errorf("the server received %q, want %q (%v)", got, want, err)
		return false
	}
	return true
}

// await reads a line and compares it.
func await(want string) step {
	return func(c *client) bool {
		line, err := c.read.ReadString('\n')
		return c.compare(strings.TrimSuffix(line, "\r\n"), want, err)
	}
}

// awaitAll reads all that the client sends before it closes its side, and compares it.
func awaitAll(want string) step {
	return func(c *client) bool {
		got, err := io.ReadAll(c.read)
		c.compare(string(got), want, err)
		return true
	}
}

// awaitBytes reads exactly these bytes.
func awaitBytes(want string) step {
	return func(c *client) bool {
		got := make([]byte, len(want))
		n, err := io.ReadFull(c.read, got)
		return c.compare(string(got[:n]), want, err)
	}
}

// silent sends nothing until the client closes the connection.
func silent(c *client) bool {
	io.Copy(io.Discard, c.read)
	return false
}

// stay keeps the connection open until the test is over, even when the client has sent its last command.
func stay(c *client) bool {
	<-c.t.Context().Done()
	return false
}

// drip sends text byte by byte, too slowly to finish in time.
func drip(text string) step {
	return func(c *client) bool {
		for _, b := range []byte(text) {
			if _, err := c.Write([]byte{b}); err != nil {
				return false
			}
			time.Sleep(slowly)
		}
		return silent(c)
	}
}

// endless sends text until the client closes the connection.
func endless(text string) step {
	block := []byte(strings.Repeat(text, 1+4096/len(text)))
	return func(c *client) bool {
		for {
			if _, err := c.Write(block); err != nil {
				return false
			}
		}
	}
}

// hangUp ends the connection when the first bytes of the client have come.
func hangUp(c *client) bool {
	c.read.Peek(1)
	return false
}

// closeFirst sends FIN before the client does.
func closeFirst(c *client) bool {
	c.Conn.(*net.TCPConn).CloseWrite()
	return silent(c)
}

// reset ends the connection with RST instead of FIN.
func reset(c *client) bool {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	return false
}

const (
	inTime  = 10 * time.Second       // for checks that the server answers
	tooLate = 400 * time.Millisecond // for those it does not
	slowly  = tooLate / 10
	spare   = 2 * time.Second // how much longer a check may take on a busy machine
)

// serveScript starts a fake server on a loopback address until the test ends.
func serveScript(t *testing.T, host string, script ...step) netip.AddrPort {
	t.Helper()
	l := testkit.Must(net.Listen("tcp", net.JoinHostPort(host, "0")))(t)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { follow(t, conn, script) })
		}
	})
	t.Cleanup(func() { l.Close(); serving.Wait() }) // clients are followed to their end
	return testkit.AddrOf(l)
}

func follow(t *testing.T, conn net.Conn, script []step) {
	conn.SetDeadline(time.Now().Add(inTime))
	c := &client{Conn: conn, t: t, read: bufio.NewReader(conn)}
	defer func() {
		c.Close() // over TLS, if that was begun
		if c.data != nil {
			c.data.Close()
		}
	}()
	for _, next := range script {
		if !next(c) {
			return
		}
	}
}

// closedPort is an address at which no program listens.
func closedPort(t *testing.T, host string) netip.AddrPort {
	t.Helper()
	l := testkit.Must(net.Listen("tcp", net.JoinHostPort(host, "0")))(t)
	defer l.Close()
	return testkit.AddrOf(l)
}

// caseOf is one check of a fake server, which a script or a function for datagrams describes.
type caseOf[Server any] struct {
	name   string
	spec   Spec
	server Server // nil: the port is closed
	want   string // the verdict
}

type fakeCase = caseOf[script]

// late is a check that its deadline ends.
func late(s Spec) Spec {
	s.NegotiateTimeout = tooLate
	return s
}

// hostOf is the address of loopback at which a check's server listens.
func hostOf(s Spec) string {
	if s.Target.Addr().Is6() {
		return "::1"
	}
	return "127.0.0.1"
}

// checkFakes makes all checks. Afterwards no goroutine and no descriptor may be left.
func checkFakes(t *testing.T, cases []fakeCase) {
	t.Helper()
	checkEach(t, cases, func(t *testing.T, host string, server script) netip.AddrPort {
		if server == nil {
			return closedPort(t, host)
		}
		return serveScript(t, host, server...)
	})
}

func checkEach[Server any](t *testing.T, cases []caseOf[Server],
	start func(*testing.T, string, Server) netip.AddrPort) {
	t.Helper()
	testkit.Leaks(t)
	t.Run("checks", func(t *testing.T) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				checkAt(t, start(t, hostOf(c.spec), c.server), c.spec, c.want)
			})
		}
	})
}

func checkAt(t *testing.T, to netip.AddrPort, s Spec, want string) {
	isLate := s.NegotiateTimeout == tooLate
	s.Type, s.Target = "negotiate", to
	s.URL = strings.ReplaceAll(s.URL, "{target}", to.String())
	if !isLate {
		s.NegotiateTimeout = inTime
	}
	took, of := inItsTime(t, s, &Env{HostName: "director.example.org"}, want)
	if !isLate && took > inTime/2 {
		t.Errorf("took %v, though the server had said all it would", took)
	}
	if isLate && took < of {
		t.Errorf("took %v, want the deadline of %v", took, of)
	}
}

// expectName is a server that expects a name in the client's hello.
func expectName(t *testing.T, name string) *tls.Config {
	cfg := serverTLS(t)
	cfg.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		testkit.Equal(t, hello.ServerName, name, "server name")
		return nil, nil
	}
	return cfg
}

// oldTLS is a server that only knows TLS 1.0.
func oldTLS(t *testing.T) *tls.Config { return upTo(t, tls.VersionTLS10) }

// upTo is a server that knows TLS from 1.0 up to a version.
func upTo(t *testing.T, version uint16) *tls.Config {
	cfg := serverTLS(t)
	cfg.MaxVersion = version
	return cfg
}

// datagrams is how a fake server answers the nth packet of a check, from 0.
type datagrams func(n int, packet []byte, from net.Addr) []string

// replies answers each packet alike.
func replies(text ...string) datagrams {
	return func(int, []byte, net.Addr) []string { return text }
}

// afterLoss answers all packets but the first.
func afterLoss(answer datagrams) datagrams {
	return func(n int, packet []byte, from net.Addr) []string {
		if n == 0 {
			return nil
		}
		return answer(n, packet, from)
	}
}

// listenUDPAlone takes a UDP port that is free by TCP too, and stays so while other tests run.
func listenUDPAlone(t *testing.T, host string) net.PacketConn {
	t.Helper()
	for range 50 {
		c := testkit.Must(net.ListenPacket("udp", net.JoinHostPort(host, "0")))(t)
		at := c.LocalAddr().(*net.UDPAddr).AddrPort()
		var bound unix.Sockaddr = &unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}
		family := unix.AF_INET6
		if at.Addr().Is4() {
			family, bound = unix.AF_INET, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}
		}
		fd := testkit.Must(unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0))(t)
		if unix.Bind(fd, bound) == nil {
			t.Cleanup(func() { unix.Close(fd) })
			return c
		}
		unix.Close(fd)
		c.Close()
	}
	t.Fatal("no port is free by UDP and TCP")
	return nil
}

// serveDatagrams starts a fake server until the test ends. Without an answer the port is closed.
func serveDatagrams(t *testing.T, host string, answer datagrams) netip.AddrPort {
	t.Helper()
	if answer == nil {
		return closedPort(t, host)
	}
	c := listenUDPAlone(t, host)
	var serving sync.WaitGroup
	serving.Go(func() {
		buf := make([]byte, 1<<16-1)
		for n := 0; ; n++ {
			length, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			for _, text := range answer(n, buf[:length], from) {
				c.WriteTo([]byte(text), from)
			}
		}
	})
	t.Cleanup(func() { c.Close(); serving.Wait() })
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
}

// datagramCase is one check of a fake server that answers by UDP.
type datagramCase = caseOf[datagrams]
