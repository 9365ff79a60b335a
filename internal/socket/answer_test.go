package socket

import (
	"context"
	"errors"
	"io"
	"net"
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
	l, err := net.Listen("tcp4", "127.0.0.1:0") // on a TCP connection the user is unknown
	if err != nil {
		t.Fatal(err)
	}
	server := NewServer(t.Context(), routes)
	go Serve(server, l)
	t.Cleanup(func() { server.Close() })
	answer, err := http.Post("http://"+l.Addr().String()+"/order", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	if answer.StatusCode != http.StatusForbidden ||
		!strings.Contains(string(text), "the members of statusgroup may ask") || carriedOut {
		t.Errorf("%d %q, carried out: %v", answer.StatusCode, text, carriedOut)
	}

	s := inFolder(t)
	listening(t, s, routes) // on this socket the test is the owner
	var said string
	if err := s.Order(t.Context(), orderTime, "/order", nil, &said); err != nil || said != "done" || !carriedOut {
		t.Errorf("%q, %v", said, err)
	}
}

// What a command does next depends on the kind of answer, or on why there is none.
func TestHowAnOrderIsAnswered(t *testing.T) {
	ending, end := context.WithCancelCause(t.Context())
	end(errors.New("signal TERM"))
	for what, c := range map[string]struct {
		serve func(w http.ResponseWriter, r *http.Request) // nil: no socket
		ctx   context.Context
		want  error
	}{
		"no daemon": {nil, t.Context(), ErrNoListener},
		"one that ends": {Answer(time.Second,
			func(ctx context.Context, _ url.Values) (any, error) { return nil, context.Cause(ctx) }),
			ending, ErrEnding},
		"one that dies": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			t.Context(), ErrEnding},
		"one that hangs": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, t.Context(),
			ErrNoAnswer},
		"one that refuses": {Answer(time.Second,
			func(context.Context, url.Values) (any, error) { return nil, Refused("no") }), t.Context(),
			&Refusal{Status: http.StatusConflict}},
		"one that is late": {Answer(time.Nanosecond,
			func(ctx context.Context, _ url.Values) (any, error) { <-ctx.Done(); return nil, ctx.Err() }),
			t.Context(), &Refusal{Status: http.StatusGatewayTimeout}},
	} {
		t.Run(what, func(t *testing.T) {
			s := inFolder(t)
			if c.serve != nil {
				socket := testkit.Must(Listen(c.ctx, string(s), http.HandlerFunc(c.serve)))(t)
				t.Cleanup(func() { socket.Close() })
			}
			limit := awaitLimit
			if c.want == ErrNoAnswer {
				limit = -time.Second / 2 // Order adds a second
			}
			err := s.Order(t.Context(), limit, "/order", nil, new(struct{}))
			var got, want *Refusal
			if errors.As(c.want, &want) {
				if !errors.As(err, &got) || got.Status != want.Status ||
					got.IsFinal() != (want.Status == http.StatusConflict) {
					t.Errorf("%v, want %v", err, want)
				}
			} else if !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}
