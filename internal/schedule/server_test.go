package schedule

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/protocol"
	"ldirectord/checker/settings"
	"ldirectord/internal/testkit"
)

// serve starts a server. Connections end with the test at the latest.
func serve(t testing.TB, treat func(net.Conn)) netip.AddrPort {
	t.Helper()
	l := testkit.Listen(t)
	testkit.Serve(t, l, treat)
	return testkit.AddrOf(l)
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
