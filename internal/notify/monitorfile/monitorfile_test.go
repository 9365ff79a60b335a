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
	"ldirectord/internal/testkit"
	"ldirectord/parser"
)

// The monitorfile has the words of the Perl ldirectord: the status line, or the page that does not match.
func TestMonitorfileHasTheWordsOfAnHTTPServer(t *testing.T) {
	page := strings.Repeat("gone fishing, back at noon; ", 10) + "password s3cret"
	for _, row := range testkit.Table(t, "testdata/http.txt", 5) {
		answer := row[1] + "\r\n\r\n" + strings.Replace(row[2], "PAGE", page, 1)
		if row[1] == "" {
			answer = ""
		}
		want := strings.Replace(row[4], "PAGE", strings.ReplaceAll(page, "s3cret", "…"), 1)
		t.Run(row[0], func(t *testing.T) {
			target := answering(t, answer)
			check := testkit.Must(protocol.New(checker.Spec{
				Type: "negotiate", Service: "http", Protocol: "tcp", Target: target,
				NegotiateTimeout: 5 * time.Second,
				Request:          "/", URL: "http://" + target.String() + "/", Receive: "OK",
				HTTP: settings.HTTP{HTTPMethod: "GET", FollowRedirect: "yes", HTTPUser: "me",
					HTTPPasswd: "s3cret"},
			}, nil))(t)
			r := check.Check(t.Context())
			text, line := message("http", r)
			if r.OK != (row[3] == "up") || !line || text != want {
				t.Errorf("up %v, %q (from %q), want %q", r.OK, text, r.Detail, want)
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
	for _, row := range testkit.Table(t, "testdata/ids.txt", 2) {
		cfg, found := parser.Parse(t.Context(), "ld.cf",
			[]byte(strings.ReplaceAll(row[0], "; ", "\n\t")+"\n"), parser.Options{})
		if found.HasErrors() {
			t.Fatal(found)
		}
		v := cfg.Virtuals[0]
		testkit.Equal(t, ID(v, &v.Reals[0])+".", row[1], row[0])
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
