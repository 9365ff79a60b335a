package main

import (
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// A daemon posts over TLS: at the start, after a reload that sets another receiver, and before it stops.
func TestADaemonPostsToAWebhook(t *testing.T) {
	got := make(chan string, 100)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		got <- r.URL.String() + " " + strings.TrimSpace(string(text))
	}))
	defer server.Close()
	authority := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	testkit.Write(t, authority, string(text))
	t.Setenv("SSL_CERT_FILE", authority)
	await := func(want string) {
		t.Helper()
		select {
		case said := <-got:
			if !strings.HasPrefix(said, want) {
				t.Errorf("got %s, want %s", said, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("not posted: %s", want)
		}
	}
	const service = "virtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n\tchecktype = on\n"
	hook := "webhook = " + server.URL + "/hook?token="
	d := launched(t, "start", hook+"1\n"+service)
	const state = ` {"virtual":"tcp:10.1.0.1:80","available":true,"fallback":false,` +
		`"servers":[{"real":"10.2.0.1:80","state":"up","weight":1}]}`
	await("/hook?token=1" + state)
	d.write(hook + "2\n" + service)
	d.tell("reload")
	await("/hook?token=2" + state)
	d.tell("stop")
	await(`/hook?token=2 {"virtual":"tcp:10.1.0.1:80","available":false,"reason":"the director stops"`)
	if d.holds("log", "webhook") || d.holds("log", "token") {
		t.Errorf("log: %s", testkit.Read(t, d.path("log")))
	}
	d.tell("start") // the daemon must run for the cleanup of the test
}
