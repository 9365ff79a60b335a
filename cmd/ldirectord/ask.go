package main

import (
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
	"syscall"
	"time"

	"ldirectord/printable"
)

// largestAnswer limits an answer of the daemon, in bytes; 100,000 servers take 60 MB.
const largestAnswer = 256 << 20

// What may be wrong with a daemon to whom an order is given at its socket.
var (
	errNoDoor = errors.New("no daemon takes orders at the control socket") // none runs, it has no socket, or is not of this version
	errEnding = errors.New("the daemon is ending")
	errSilent = errors.New("the daemon does not answer")
)

// ask asks the running daemon for something and returns the body of its answer. An answer other than 200 is
// an error with what the daemon has to say.
func (s socket) ask(ctx context.Context, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	text, err := s.exchange(ctx, http.MethodGet, path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("asking the daemon: it has no socket %s; its log says why, if it is not another program", s)
	case err != nil:
		return nil, fmt.Errorf("asking the daemon: %w", err)
	}
	return text, nil
}

// order gives the running daemon an order and waits until it says what became of it.
func (s socket) order(ctx context.Context, limit time.Duration, path string, words url.Values, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, limit+time.Second)
	defer cancel()
	text, err := s.exchange(ctx, http.MethodPost, path+"?"+words.Encode())
	var dial *net.OpError
	var refused *refusal
	switch {
	case errors.As(err, &dial) && dial.Op == "dial" && !errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", errNoDoor, err)
	case errors.As(err, &refused) && (refused.status == http.StatusNotFound || refused.status == http.StatusMethodNotAllowed):
		return fmt.Errorf("%w: that of the version before answers there", errNoDoor)
	case errors.As(err, &refused) && refused.status == http.StatusServiceUnavailable,
		errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: %w", errEnding, err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w after %v", errSilent, limit+time.Second)
	case err != nil:
		return err
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("reading the daemon's answer: %w", err)
	}
	return nil
}

// refusal is an answer other than 200.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string {
	if r.status == http.StatusConflict { // an order that can't be carried out: it is no fault of the daemon's
		return r.text
	}
	return "the daemon says: " + r.text
}

// isFinal reports whether the order was understood and is refused, and not just late.
func (r *refusal) isFinal() bool { return r.status != http.StatusGatewayTimeout }

func (s socket) exchange(ctx context.Context, method, path string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://ldirectord"+path, nil)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", string(s))
		},
	}
	answer, err := transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, largestAnswer+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > largestAnswer:
		return nil, fmt.Errorf("its answer is longer than %d bytes", largestAnswer)
	case answer.StatusCode != http.StatusOK:
		return nil, &refusal{answer.StatusCode, printable.Line(strings.TrimSpace(string(text[:min(len(text), largestBody)])))}
	}
	return text, nil
}
