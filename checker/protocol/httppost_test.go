package protocol

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"ldirectord/checker"
	"ldirectord/internal/testkit"
)

// What a server gets of a POST, and of the requests that follow its redirects. A body goes to no other server.
func TestHTTPPost(t *testing.T) {
	var seen []string
	note := func(r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen = append(seen, fmt.Sprintf("%s %s %d %s %s", r.Method, r.URL.Path, r.ContentLength,
			r.Header.Get("Content-Type"), body))
	}
	other := serveHTTP(t, nil, func(_ http.ResponseWriter, r *http.Request) { note(r) })
	server := serveHTTP(t, nil, func(w http.ResponseWriter, r *http.Request) {
		note(r)
		switch r.URL.Path {
		case "/303":
			http.Redirect(w, r, "/end", http.StatusSeeOther)
		case "/307":
			http.Redirect(w, r, "/end", http.StatusTemporaryRedirect)
		case "/away":
			http.Redirect(w, r, "http://"+other.String()+"/end", http.StatusTemporaryRedirect)
		}
	})
	const post = " 8 text/json {\"a\": 1}"
	for path, want := range map[string]string{
		"/end":  "POST /end" + post,
		"/303":  "POST /303" + post + "; GET /end 0 text/json ",
		"/307":  "POST /307" + post + "; POST /end" + post,
		"/away": "POST /away" + post + "; GET /end 0  ",
	} {
		seen = nil
		s := httpSpec(server, "")
		s.URL, s.HTTPMethod, s.HTTPBody = "http://"+server.String()+path, "POST", `{"a": 1}`
		s.HTTPHeaders = checker.ListOf("Content-Type: text/json")
		passes(t, s)
		testkit.Equal(t, strings.Join(seen, "; "), want, path)
	}
}
