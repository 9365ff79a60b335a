// Package socket implements both ends of the control socket: the daemon's HTTP server for queries and orders, and the
// client that commands use.
package socket

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"ldirectord/internal/runfile"
)

// AskTimeout is how long the daemon may take to answer a query on the control socket.
const AskTimeout = 2 * time.Second

const (
	patience   = 3 * time.Second        // how long a request is repeated on a busy machine
	pauseAfter = 100 * time.Millisecond // after the daemon closed a connection without reading the request
	maxAnswer  = 256 << 20              // bytes of an answer; 100,000 servers need 60 MB
	maxRefusal = 64 << 10               // bytes of an error answer
)

// Errors for requests that the daemon did not take, or did not answer. ErrNoListener is only for orders.
var (
	ErrNoListener = errors.New("no daemon takes orders at the control socket") // none runs, or it has no socket
	ErrEnding     = errors.New("the daemon is ending")
	ErrNoAnswer   = errors.New("the daemon does not answer")
	// ErrUnread is an ErrNoAnswer after which the daemon does not carry the order out later.
	ErrUnread = fmt.Errorf("%w: for %v every request arrived too late: this machine is busy", ErrNoAnswer, patience)
)

// Socket is the path of a control socket. The daemon serves HTTP on it.
type Socket string

// Ask sends a query to the running daemon and returns the body of its answer. If the status is not 200, the error
// contains the daemon's reason.
func (s Socket) Ask(ctx context.Context, path string) ([]byte, error) {
	text, err := s.exchange(ctx, patience, http.MethodGet, path)
	switch dial := unconnected(err); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf(
			"asking the daemon: it has no socket %s; the daemon's log has the reason", s)
	case dial != nil && errors.Is(err, fs.ErrPermission):
		const who = "only the daemon's user, root and members of statusgroup may ask the daemon"
		return nil, fmt.Errorf("%s (%w)", who, dial.Err)
	case dial != nil:
		return nil, fmt.Errorf("asking the daemon: nothing answers at %s: %w", s, dial.Err)
	}
	return text, runfile.While("asking the daemon", err)
}

// Order gives the running daemon an order and reads its JSON answer into answer. The argument limit is the time limit
// for the daemon. The error usually wraps ErrNoListener, ErrEnding, ErrNoAnswer or a *Refusal.
func (s Socket) Order(ctx context.Context, limit time.Duration, path string, words url.Values, answer any) error {
	text, err := s.exchange(ctx, limit+time.Second, http.MethodPost, path+"?"+words.Encode())
	refused, _ := errors.AsType[*Refusal](err)
	switch dial := unconnected(err); {
	case errors.Is(err, ErrEnding):
		return err
	case dial != nil && errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("only the daemon's user and root may give orders (%w)", dial.Err)
	case dial != nil:
		return fmt.Errorf("%w: %w", ErrNoListener, err)
	case refused != nil && refused.Status == http.StatusServiceUnavailable,
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: %w", ErrEnding, err)
	case err != nil:
		return err
	}
	return runfile.While("reading the daemon's answer", json.Unmarshal(text, answer))
}

// Refusal is an answer with a status other than 200.
type Refusal struct {
	Status int // the HTTP status
	Text   string
}

func (r *Refusal) Error() string {
	if r.Status == http.StatusConflict || r.IsEarly() { // no fault of the daemon: the order can't be carried out
		return r.Text
	}
	return "the daemon reports: " + r.Text
}

// IsEarly reports whether the same order may be carried out later.
func (r *Refusal) IsEarly() bool { return r.Status == http.StatusTooEarly }

// IsFinal reports whether the order has failed, as opposed to being unfinished at its time limit.
func (r *Refusal) IsFinal() bool { return r.Status != http.StatusGatewayTimeout }

// exchange sends a request and returns its answer. It repeats the request if the daemon closed the connection without
// reading it, because on a busy machine a request may arrive too late for the daemon.
func (s Socket) exchange(ctx context.Context, limit time.Duration, method, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for begun, cut := time.Now(), false; ; cut = true {
		text, unread, err := s.send(ctx, method, path)
		switch {
		case cut && unconnected(err) != nil:
			return nil, fmt.Errorf("%w: it closed its socket", ErrEnding)
		case errors.Is(err, context.DeadlineExceeded):
			return nil, fmt.Errorf("%w after %v", ErrNoAnswer, limit)
		case !unread:
			return text, err
		case time.Since(begun) > patience-pauseAfter || !runfile.Pause(ctx, pauseAfter):
			return nil, ErrUnread
		}
	}
}

// unconnected returns the error of connecting, or nil if there was a connection.
func unconnected(err error) *net.OpError {
	if dial, is := errors.AsType[*net.OpError](err); is && dial.Op == "dial" {
		return dial
	}
	return nil
}

// send sends a request once. If the status is not 200, the error is a *Refusal. The result unread reports whether the
// daemon closed the connection without reading the request.
func (s Socket) send(ctx context.Context, method, path string) (text []byte, unread bool, err error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://ldirectord"+path, nil)
	if err != nil {
		return nil, false, err
	}
	var sent atomic.Bool
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, "unix", string(s))
			return watched{conn, &sent}, err
		},
	}
	answer, err := transport.RoundTrip(r)
	if err != nil {
		// The kernel reports RESET instead of EOF if the other side has left data unread.
		lost := !sent.Load() || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
		return nil, lost && unconnected(err) == nil && ctx.Err() == nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusOK {
		text, err = runfile.ReadUpTo(answer.Body, "its answer", maxAnswer)
		return text, false, err
	}
	text, err = io.ReadAll(io.LimitReader(answer.Body, maxRefusal))
	return nil, false, cmp.Or(err, error(&Refusal{answer.StatusCode, strings.TrimSpace(string(text))}))
}

// watched is a connection that notes whether data was sent.
type watched struct {
	net.Conn
	sent *atomic.Bool
}

func (w watched) Write(b []byte) (int, error) {
	n, err := w.Conn.Write(b)
	if n > 0 {
		w.sent.Store(true)
	}
	return n, err
}
