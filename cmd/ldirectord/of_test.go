package main

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A director that answers oddly has no report, and never more than the limit is kept.
func TestOddReportsAreRefused(t *testing.T) {
	blanks := strings.Repeat(" ", 1<<20)
	for want, answer := range map[string]http.HandlerFunc{
		"": func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "{}") },
		"status 503: the director ended": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "the director ended", http.StatusServiceUnavailable)
		},
		"status 302":       func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/else", http.StatusFound) },
		"it has no report": http.NotFound,
		"more than 16777216 bytes": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			defer z.Close()
			for range 17 {
				io.WriteString(z, blanks)
			}
		},
		"unexpected EOF": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5")
			io.WriteString(w, "{")
		},
	} {
		s := httptest.NewServer(answer)
		_, err := fetchReport(t.Context(), s.URL)
		s.Close()
		if err == nil != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	d := directorReport{Director: "127.0.0.1:1"}
	ended, end := context.WithCancel(t.Context())
	end()
	if d.ask(ended); d.Error != "no report in 2s" || d.report != nil {
		t.Errorf("%+v", d)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "{}") }))
	defer s.Close()
	d = directorReport{Director: strings.TrimPrefix(s.URL, "http://")}
	if d.ask(t.Context()); !strings.Contains(d.Error, "not complete") || d.report != nil {
		t.Errorf("%+v", d)
	}
}
