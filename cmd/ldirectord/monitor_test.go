package main

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/notify"
)

// What a monitorfile says of a result is read from the checker's words: both must go on to agree.
func TestMonitorfileUnderstandsTheHTTPCheck(t *testing.T) {
	for _, c := range []struct {
		name    string
		answer  http.HandlerFunc
		up      bool
		message string
	}{
		{"well", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("all OK\n")) }, true, "200 OK"},
		{"bad status", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, false, "503 Service Unavailable"},
		{"wrong content", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("gone fishing")) }, false, "gone fishing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(c.answer)
			defer server.Close()
			target := netip.MustParseAddrPort(server.Listener.Addr().String())
			check, err := checker.New(checker.Spec{
				Type: "negotiate", Service: "http", Protocol: "tcp", Target: target, NegotiateTimeout: 5 * time.Second,
				Request: "/", URL: server.URL + "/", Receive: "OK", Method: "GET", FollowRedirect: "yes",
			}, nil)
			if err != nil {
				t.Fatal(err)
			}
			r := check.Check(t.Context())
			message, line := notify.MonitorMessage("http", r.OK, r.Detail)
			if r.OK != c.up || !line || message != c.message {
				t.Errorf("up %v, %q (from %q), want %v, %q", r.OK, message, r.Detail, c.up, c.message)
			}
		})
	}
}
