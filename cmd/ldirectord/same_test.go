package main

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// One of three real servers shows a different certificate and another version: every view shows it, not the table.
func TestAServerThatDiffersIsShown(t *testing.T) {
	common, other := newPair(t, 1), newPair(t, 2)
	addr := testkit.FreeAddr(t).String()
	config := "listen = " + addr + "\nstatuspage = yes\ncheckinterval = 0.2\nsamewait = 1\n" +
		"virtual = 192.0.2.10:443\n" +
		"\tservice = https\n\ttlsexpirywarn = 0\n\tsame = \"version: (\\S+)\"\n"
	var odd string
	for i := range 3 {
		shown, version := common, "1.3"
		if i == 1 {
			shown, version = other, "\x1b<b>"
		}
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, "version: %s\n", version)
		}))
		server.TLS = &tls.Config{Certificates: []tls.Certificate{shown.Certificate}}
		server.StartTLS()
		t.Cleanup(server.Close)
		real := server.Listener.Addr().String()
		if config += "\treal = " + real + " masq\n"; i == 1 {
			odd = real
		}
	}
	d := launched(t, "start", config)
	const certificate = "shows a different certificate from 2 of 3 (ends in 0 days; theirs in 0 days)"
	const version = `shows "version: \x1b<b>", but 2 of 3 show "version: 1.3"`
	within(t, "status -v", func() bool {
		said, _ := d.say("status", "-v")
		return strings.Contains(said, certificate) && strings.Contains(said, version)
	})
	for verb, want := range map[string]string{
		"doctor":        "warning: tcp:192.0.2.10:443: " + odd + " " + certificate + "; " + version,
		"why " + odd:    "  " + version + "\n",
		"status --json": `"differs": "` + certificate + "; ",
		"probe -v":      `; shows version: \x1b<b>`,
	} {
		if said, _ := d.say(strings.Fields(verb)...); !strings.Contains(said, want) {
			t.Errorf("%s: no %s in\n%s", verb, want, said)
		}
	}
	_, page := testkit.Fetch(t, "http://"+addr+"/")
	if !strings.Contains(page, certificate) || strings.Contains(page, "<b>&#34;") ||
		strings.Contains(page, "\x1b") {
		t.Errorf("the page:\n%s", page)
	}
	_, metrics := testkit.Fetch(t, "http://"+addr+"/metrics")
	for _, kind := range []string{"certificate", "version"} {
		want := fmt.Sprintf("ldirectord_condition{virtual=\"tcp:192.0.2.10:443\",real=%q,kind=%q} 1\n", odd,
			kind)
		if strings.Count(metrics, "kind=\""+kind+"\"") != 1 || !strings.Contains(metrics, want) {
			t.Errorf("no %s in\n%s", want, metrics)
		}
	}
	for _, s := range d.report().Virtuals[0].Servers {
		if s.State != "up" || s.TableWeight == nil || *s.TableWeight != 1 {
			t.Errorf("%s is %s", s.Real, s.State)
		}
	}
}
