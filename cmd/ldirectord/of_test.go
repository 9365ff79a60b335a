package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// A director that answers oddly has no report, and never more than the limit is kept.
func TestOddReportsAreRefused(t *testing.T) {
	var blanks bytes.Buffer // before the time of a request counts
	z := gzip.NewWriter(&blanks)
	io.WriteString(z, strings.Repeat(" ", 17<<20))
	z.Close()
	for want, answer := range map[string]http.HandlerFunc{
		"it is not complete": func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "{}") },
		"status 503": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "the director ended", http.StatusServiceUnavailable)
		},
		"status 302": func(w http.ResponseWriter,
			r *http.Request) {
			http.Redirect(w, r, "/else", http.StatusFound)
		},
		"statuspage = yes": http.NotFound,
		"more than 16777216 bytes": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(blanks.Bytes())
		},
		"unexpected EOF": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5")
			io.WriteString(w, "{")
		},
	} {
		s := httptest.NewServer(answer)
		report, err := reportOf(t.Context(), strings.TrimPrefix(s.URL, "http://"))
		s.Close()
		if report != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	ended := testkit.Ended(t)
	testkit.FailsWith(t, testkit.Error(reportOf(ended, "[fe80::1%lo]:1")), "context canceled")
}

func TestDirectorsHavePorts(t *testing.T) {
	got := testkit.Must(withPorts([]string{"d1:9797", "d2", "[2001:db8::1]", "d3:80", "192.0.2.1"}))(t)
	testkit.Same(t, got, []string{"d1:9797", "d2:9797", "[2001:db8::1]:9797", "d3:80", "192.0.2.1:80"})
	for _, bad := range []string{"d1", "", ":9797", "d1:", "2001:db8::1"} {
		if got, err := withPorts([]string{bad}); err == nil {
			t.Errorf("%q: %q", bad, got)
		}
	}
}
