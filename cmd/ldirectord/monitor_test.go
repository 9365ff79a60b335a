package main

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
	"ldirectord/notify"
)

// As in the reference: its status line, or the page that does not match.
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
			check, err := checker.New(checker.Spec{
				Type: "negotiate", Service: "http", Protocol: "tcp", Target: target, NegotiateTimeout: 5 * time.Second,
				Request: "/", URL: "http://" + target.String() + "/", Receive: "OK", Method: "GET", FollowRedirect: "yes",
				HTTPUser: "me", HTTPPasswd: "s3cret",
			}, nil)
			if err != nil {
				t.Fatal(err)
			}
			r := check.Check(t.Context())
			message, line := notify.MonitorMessage("http", r.OK, r.Detail, r.Body)
			if r.OK != c.up || !line || message != c.message {
				t.Errorf("up %v, %q (from %q), want %v, %q", r.OK, message, r.Detail, c.up, c.message)
			}
		})
	}
}

// answering gives every request the same answer.
func answering(t *testing.T, answer string) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.SetDeadline(time.Now().Add(5 * time.Second))
			http.ReadRequest(bufio.NewReader(conn))
			io.WriteString(conn, answer)
			conn.Close()
		}
	}()
	return netip.MustParseAddrPort(l.Addr().String())
}
