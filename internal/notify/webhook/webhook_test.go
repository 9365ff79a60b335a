package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"ldirectord/internal/notify"
	"ldirectord/internal/testkit"
)

const target = "http://me:s3cret-1@hooks.example/s3cret-2?token=s3cret-3"

// receiver is a server on connections in memory.
type receiver struct {
	t       *testing.T
	mu      sync.Mutex        // guards what follows
	answers map[string]string // statuses by text, and for other texts
	held    chan struct{}     // closed when answers are no longer held
	got     []string          // the texts that were answered with 200
	tried   []string          // those whose first try ended
	tries   int
	reports []string
}

// newPoster is a Poster whose connections lead to the receiver.
func (r *receiver) newPoster() *Poster {
	p := New(func(e notify.Event) {
		if strings.Contains(e.Text+e.Reason, "s3cret") {
			r.t.Errorf("a secret is shown: %+v", e)
		}
		r.note(&r.reports, fmt.Sprintf("%s: %s", e.Kind, e.Text))
	})
	p.client.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) {
		ours, its := net.Pipe()
		go func() { _ = (&http.Server{Handler: r, ErrorLog: nil}).Serve(&one{conn: its}) }()
		return ours, nil
	}
	p.Set(target)
	return p
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	text := string(body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tries++
	status, special := r.answers[text]
	if !special {
		status = r.answers[""]
	}
	if status == "hold" {
		r.mu.Unlock()
		<-r.held
		r.mu.Lock()
		status = r.answers[""]
	}
	code, _ := strconv.Atoi(status)
	switch code {
	case 0:
		panic(http.ErrAbortHandler)
	case 200:
		r.got = append(r.got, text)
	}
	w.WriteHeader(code)
}

// one is a listener that accepts one connection.
type one struct{ conn net.Conn }

func (l *one) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	return nil, io.EOF
}
func (l *one) Close() error   { return nil }
func (l *one) Addr() net.Addr { return &net.UnixAddr{} }

func TestReasonsAreOneLineWithoutTheURL(t *testing.T) {
	of := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("\x1b[2J\n")}
	err := &url.Error{Op: "Post", URL: target, Err: of}
	testkit.Equal(t, reason(t.Context(), err).Error(), "dial tcp:  [2J ")
	testkit.Equal(t, name("http://a:b@c:1/d?e"), "http://c:1", "name")
}

// A receiver may repeat what it was sent in places where HTTP has no such text. None of it is shown.
func TestWhatAReceiverSaysIsNotShown(t *testing.T) {
	for _, answer := range []string{
		"%s\r\n\r\n", "HTTP/1.1 %s\r\n\r\n", "HTTP/%s 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\n%s\r\n\r\n",
		"HTTP/1.1 200 OK\r\n%s: x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: %s\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: http://[%s\r\n\r\n",
		"HTTP/1.1 500 %s\r\n\r\n", "HTTP/1.1 101 %s\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n",
	} {
		l := testkit.Listen(t)
		testkit.Serve(t, l, func(c net.Conn) {
			output := make([]byte, 4096)
			n, _ := c.Read(output)
			line, _, _ := strings.Cut(string(output[:n]), "\r\n")
			fmt.Fprintf(c, answer, strings.ReplaceAll(line, " ", "_")+"_bWU6czNjcmV0LTE=")
		})
		to := strings.Replace(target, "hooks.example", l.Addr().String(), 1)
		err := post(t.Context(), newClient(), to, []byte("{}"))
		if err == nil && !strings.Contains(answer, "chunked") && !strings.Contains(answer, "%s: x") {
			t.Errorf("%q is taken", answer)
		}
		for _, secret := range []string{"s3cret", "token", "bWU6"} {
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("%q: %v", answer, err)
			}
		}
	}
}
