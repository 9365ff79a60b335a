package monitorfile

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/protocol"
	"ldirectord/checker/settings"
	"ldirectord/checker/wire"
	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
	"ldirectord/parser"
)

// The monitorfile has the words of the Perl ldirectord: the status line, or the page that does not match.
func TestMonitorfileHasTheWordsOfAnHTTPServer(t *testing.T) {
	page := strings.Repeat("gone fishing, back at noon; ", 10) + "password s3cret"
	for _, c := range []struct {
		name    string
		answer  string
		up      bool
		message string
	}{
		{"well", "HTTP/1.0 200 OK\r\n\r\nall OK\n", true, "200 OK"},
		{"its own words", "HTTP/1.0 200 Fine\r\n\r\nall OK\n", true, "200 Fine"},
		{"no words", "HTTP/1.0 200\r\n\r\nall OK\n", true, "200 OK"},
		{"bad status", "HTTP/1.0 503 Service Unavailable\r\n\r\n", false, "503 Service Unavailable"},
		{"bad status in its own words", "HTTP/1.0 503 Gone fishing\r\n\r\n", false, "503 Gone fishing"},
		{"bad status without words", "HTTP/1.0 404\r\n\r\n", false, "404 Not Found"},
		{"status without usual words", "HTTP/1.0 599\r\n\r\n", false, "599 Unknown code"},
		{"wrong content", "HTTP/1.0 200 OK\r\n\r\n" + page, false, strings.ReplaceAll(page, "s3cret", "…")},
		{"no content", "HTTP/1.0 200 OK\r\n\r\n", false, "200 OK"},
		{"no answer", "", false, "500 connection closed without an answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			target := answering(t, c.answer)
			check := testkit.Must(protocol.New(checker.Spec{
				Type: "negotiate", Service: "http", Protocol: "tcp", Target: target,
				NegotiateTimeout: 5 * time.Second,
				Request:          "/", URL: "http://" + target.String() + "/", Receive: "OK",
				HTTP: settings.HTTP{HTTPMethod: "GET", FollowRedirect: "yes", HTTPUser: "me",
					HTTPPasswd: "s3cret"},
			}, nil))(t)
			r := check.Check(t.Context())
			text, line := message("http", r)
			if r.OK != c.up || !line || text != c.message {
				t.Errorf("up %v, %q (from %q), want %v, %q", r.OK, text, r.Detail, c.up, c.message)
			}
		})
	}
}

// answering is a server that gives the same answer to every request.
func answering(t *testing.T, answer string) netip.AddrPort {
	t.Helper()
	l := testkit.Listen(t)
	testkit.Serve(t, l, func(c net.Conn) {
		http.ReadRequest(bufio.NewReader(c))
		io.WriteString(c, answer)
	})
	return testkit.AddrOf(l)
}

// The ids are those that get_real_id_str of the Perl ldirectord writes to a monitorfile.
func TestMonitorID(t *testing.T) {
	cfg := parser.Virtual{Key: lvs.Key{Protocol: lvs.TCP}, CheckType: parser.Connect}
	real := parser.Real{Addr: netip.MustParseAddrPort("10.2.0.1:7000"), Weight: 1, Forward: lvs.Route,
		Own: &parser.Exchange{Request: "/"}}
	for _, c := range []struct {
		change func(*parser.Virtual, *parser.Real)
		want   string
	}{
		{func(*parser.Virtual, *parser.Real) {}, "connect tcp 10.2.0.1 7000 1 gate / "},
		{func(_ *parser.Virtual, r *parser.Real) { r.Addr = netip.MustParseAddrPort("[fd00::1]:7000") },
			"connect tcp [fd00 1] 7000 1 gate / "},
		{func(v *parser.Virtual, r *parser.Real) {
			v.CheckType, v.Service, v.VirtualHost, v.CheckPort = parser.Negotiate, "http",
				"www.example.net", 81
			r.Own = &parser.Exchange{Request: "/a::b c", Receive: `:x\d:`}
		}, "negotiate http tcp 10.2.0.1 7000 www.example.net 81 1 gate /a  b c  xd "},
		{func(v *parser.Virtual, r *parser.Real) {
			v.CheckType, v.CheckCommand, v.Protocol = parser.External, "/bin/ch::eck", lvs.Mark
			r.Addr = netip.AddrPortFrom(r.Addr.Addr(), 0)
		}, "external /bin/ch eck fwm 10.2.0.1 0 1 gate / "},
		{func(_ *parser.Virtual, r *parser.Real) { r.Own.Request = "http://me:s3cret@10.2.0.9/" },
			"connect tcp 10.2.0.1 7000 1 gate http //me …@10.2.0.9/ "},
	} {
		v, r := cfg, real
		c.change(&v, &r)
		testkit.Equal(t, ID(&v, &r), c.want)
	}
}

func TestMonitorMessage(t *testing.T) {
	results := map[string]checker.Result{
		"up":        {OK: true, Stage: wire.AtMatch, Detail: "seen"},
		"connected": {OK: true, Stage: wire.AtConnect, Detail: "connected"},
		"503":       {Detail: "status 503, want 2xx", Body: "503 Gone fishing"},
	}
	for at, name := range []string{"Start", "Connect", "TLS", "Login", "Answer", "Match"} {
		results["down at "+name] = checker.Result{Stage: wire.Stage(at), Detail: "why"}
	}
	for _, row := range testkit.Table(t, "testdata/messages.txt", 4) {
		result, known := results[row[1]]
		got, line := message(row[0], result)
		if !known || got != row[2] || line != (row[3] == "") {
			t.Errorf("%q: %q, %t", row, got, line)
		}
	}
}
