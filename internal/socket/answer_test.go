package socket

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

const (
	orderTime  = 5 * time.Second
	awaitLimit = 10 * time.Second
)

// Only the owner may give orders. Members of statusgroup and unknown users may only ask.
func TestOrdersAreTheOwnersAlone(t *testing.T) {
	carriedOut := false
	routes := http.NewServeMux()
	routes.HandleFunc("POST /order", Answer(orderTime,
		func(context.Context, url.Values) (any, error) { carriedOut = true; return "done", nil }))
	addr := serving(t, routes) // on a TCP connection the user is unknown
	answer := testkit.Must(http.Post("http://"+addr+"/order", "", nil))(t)
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	if answer.StatusCode != http.StatusForbidden ||
		!strings.Contains(string(text), "members of statusgroup may only read") || carriedOut {
		t.Errorf("%d %q, carried out: %v", answer.StatusCode, text, carriedOut)
	}

	s := answering(t, routes.ServeHTTP) // on this socket the test is the owner
	var said string
	testkit.OK(t, s.Order(t.Context(), orderTime, "/order", nil, &said))
	testkit.Equal(t, said, "done")
	testkit.Equal(t, carriedOut, true)
}
