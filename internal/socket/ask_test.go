package socket

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ldirectord/internal/testkit"
)

// answering is a control socket whose requests handle answers.
func answering(t *testing.T, handle http.HandlerFunc) Socket {
	t.Helper()
	s := inFolder(t)
	listening(t, s, handle)
	return s
}

// asked is the answer to a query.
func asked(t *testing.T, s Socket, path string) string {
	t.Helper()
	return string(testkit.Must(s.Ask(t.Context(), path))(t))
}

// ordering answers an order as the daemon does.
func ordering(limit time.Duration, carryOut func(context.Context) error) http.HandlerFunc {
	return Answer(limit, func(ctx context.Context, _ url.Values) (any, error) { return nil, carryOut(ctx) })
}

// say answers with a status and a text.
func say(status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		w.Write([]byte(text))
	}
}

func TestAskReturnsTheAnswer(t *testing.T) {
	s := answering(t, func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(r.Method + " " + r.URL.Path)) })
	testkit.Equal(t, asked(t, s, "/status"), "GET /status")
	s = answering(t, say(http.StatusNotFound, " no\x1b such\npath\n"))
	testkit.Fails(t, testkit.Error(s.Ask(t.Context(), "/")),
		"asking the daemon: the daemon reports: no\x1b such\npath", "a refusal")
	s = inFolder(t)
	testkit.FailsWith(t, testkit.Error(s.Ask(t.Context(), "/")), "asking the daemon: it has no socket "+string(s))
}

// closing is a listener that closes the next left connections without reading, and then accepts.
type closing struct {
	net.Listener
	left   *atomic.Int32
	unread bool // close them only when a request has come
}

func (c closing) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil || c.left.Add(-1) < 0 {
			return conn, err
		}
		if c.unread {
			raw, _ := conn.(*net.UnixConn).SyscallConn()
			raw.Read(func(fd uintptr) bool {
				n, _, err := unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK)
				return n > 0 || err != unix.EAGAIN
			})
		}
		conn.Close()
	}
}

// A request that the daemon closed without reading is sent again, and carried out once.
func TestWhatWasNotReadIsSentAgain(t *testing.T) {
	for about, unread := range map[string]bool{"before it was sent": false, "when it was sent": true} {
		t.Run(about, func(t *testing.T) {
			left, carriedOut := &atomic.Int32{}, atomic.Int32{}
			s := inFolder(t)
			l := testkit.Must(net.Listen("unix", string(s)))(t)
			server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				carriedOut.Add(1)
				w.Write([]byte("{}"))
			})}
			go server.Serve(closing{l, left, unread})
			defer server.Close()
			left.Store(2)
			testkit.Equal(t, asked(t, s, "/status"), "{}")
			left.Store(2)
			testkit.OK(t, s.Order(t.Context(), time.Minute, "/set", nil, new(struct{})))
			testkit.Equal(t, carriedOut.Load(), 2, "requests were carried out")
			left.Store(1000)
			err := s.Order(t.Context(), time.Minute, "/set", nil, new(struct{}))
			const want = "the daemon does not answer: for 3s every request arrived too late: this " +
				"machine is busy"
			testkit.Equal(t, errors.Is(err, ErrUnread) && errors.Is(err, ErrNoAnswer), true)
			testkit.Fails(t, err, want)
		})
	}
}

// A daemon that ends during a request counts as ending, not as one that doesn't answer.
func TestADaemonThatEndsMeanwhile(t *testing.T) {
	s := inFolder(t)
	l := testkit.Must(net.Listen("unix", string(s)))(t)
	go func() {
		conn, err := l.Accept()
		l.Close() // removes the socket
		if err == nil {
			conn.Close()
		}
	}()
	testkit.Is(t, s.Order(t.Context(), time.Minute, "/set", nil, new(struct{})), ErrEnding)
}

func TestOrderSendsWordsAndReadsTheAnswer(t *testing.T) {
	s := answering(t, func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(`{"Method": "` + r.Method + `", "Said": "` + r.URL.Query().Get("to") + `"}`))
	})
	var answer struct{ Method, Said string }
	testkit.OK(t, s.Order(t.Context(), time.Minute, "/role", url.Values{"to": {"a b"}}, &answer))
	testkit.Equal(t, answer, struct{ Method, Said string }{"POST", "a b"})
}

// What a command does next depends on why there is no answer. A request that the daemon may have read is not sent
// again.
func TestWhyAnOrderHasNoAnswer(t *testing.T) {
	const short = 100*time.Millisecond - time.Second // Order adds a second
	cut := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "9")
		w.Write([]byte("{"))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	var read atomic.Int32
	dies := func(http.ResponseWriter, *http.Request) {
		read.Add(1)
		panic(http.ErrAbortHandler)
	}
	ending, end := context.WithCancelCause(t.Context())
	end(errors.New("by TERM"))
	for about, c := range map[string]struct {
		handle http.HandlerFunc // nil: no daemon listens
		ctx    context.Context  // the daemon's; nil: the test's
		limit  time.Duration
		is     error // nil: a *Refusal, or another error
		status int
		text   string
	}{
		"nobody listens": {is: ErrNoListener, text: "connect: "},
		"another program": {handle: say(http.StatusNotFound, "no"), status: http.StatusNotFound,
			text: "the daemon reports: no"},
		"it is ending": {handle: ordering(time.Second, context.Cause), ctx: ending, is: ErrEnding,
			text: "the daemon reports: by TERM"},
		"it dies":           {handle: dies, is: ErrEnding, text: "EOF"},
		"it dies meanwhile": {handle: cut, is: ErrEnding, text: "unexpected EOF"},
		"it hangs": {handle: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			limit: short, is: ErrNoAnswer, text: "does not answer after 100ms"},
		"it can't": {handle: ordering(time.Second,
			func(context.Context) error { return Refused("the last server") }),
			status: http.StatusConflict, text: "the last server"},
		"it can't yet": {handle: ordering(time.Second,
			func(context.Context) error { return Early("the last but one") }),
			status: http.StatusTooEarly, text: "the last but one"},
		"it is late": {handle: ordering(time.Nanosecond,
			func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }),
			status: http.StatusGatewayTimeout, text: "the daemon reports: context deadline exceeded"},
		"it is not JSON": {handle: say(http.StatusOK, "{"), text: "reading the daemon's answer: "},
	} {
		t.Run(about, func(t *testing.T) {
			s := inFolder(t)
			if c.handle != nil {
				ctx := cmp.Or(c.ctx, t.Context())
				daemon := testkit.Must(Listen(ctx, string(s), c.handle))(t)
				t.Cleanup(func() { daemon.Close() })
			}
			var answer map[string]any
			err := s.Order(t.Context(), cmp.Or(c.limit, time.Minute), "/role", nil, &answer)
			if err == nil || c.is != nil && !errors.Is(err, c.is) ||
				!strings.Contains(err.Error(), c.text) {
				t.Fatalf("%v, want %v with %q", err, c.is, c.text)
			}
			var refused *Refusal
			switch {
			case errors.As(err, &refused) != (c.status != 0 || about == "it is ending"):
				t.Errorf("a refusal: %v", err)
			case c.status != 0 && (refused.Status != c.status ||
				refused.IsFinal() != (c.status != http.StatusGatewayTimeout)):
				t.Errorf("%+v, final: %v", refused, refused.IsFinal())
			case (c.status == http.StatusConflict || c.status == http.StatusTooEarly) &&
				err.Error() != c.text:
				t.Errorf("got %q", err)
			}
		})
	}
	testkit.Equal(t, read.Load(), 1, "times it read what it dies of")
}
