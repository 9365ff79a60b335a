package instance

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

// AskTimeout is how long a question at the control socket may take.
const AskTimeout = 2 * time.Second

const (
	maxAnswer  = 256 << 20 // bytes of an answer; 100,000 servers take 60 MB
	maxRefusal = 64 << 10  // bytes of an answer that says why there is none
)

// Why an order at the control socket has no answer.
var (
	ErrNoListener = errors.New("no daemon takes orders at the control socket") // none runs, it has no socket, or it is of another version
	ErrEnding     = errors.New("the daemon is ending")
	ErrNoAnswer   = errors.New("the daemon does not answer")
)

// Socket is the path of a control socket. The daemon speaks HTTP there.
type Socket string

// Ask asks the running daemon for something and returns the body of its answer. An answer other than 200 is an
// error with the daemon's reason.
func (s Socket) Ask(ctx context.Context, path string) ([]byte, error) {
	text, err := s.exchange(ctx, AskTimeout, http.MethodGet, path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("asking the daemon: it has no socket %s; its log says why, if it is not another program", s)
	case err != nil:
		return nil, fmt.Errorf("asking the daemon: %w", err)
	}
	return text, nil
}

// Order gives the running daemon an order and reads its answer, which is JSON, into answer. The daemon may take as long
// as limit. Errors are ErrNoListener, ErrEnding, ErrNoAnswer or a *Refusal, all of them wrapped.
func (s Socket) Order(ctx context.Context, limit time.Duration, path string, words url.Values, answer any) error {
	text, err := s.exchange(ctx, limit+time.Second, http.MethodPost, path+"?"+words.Encode())
	var dial *net.OpError
	var refused *Refusal
	switch {
	case errors.As(err, &dial) && dial.Op == "dial" && !errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", ErrNoListener, err)
	case errors.As(err, &refused) && (refused.Status == http.StatusNotFound || refused.Status == http.StatusMethodNotAllowed):
		return fmt.Errorf("%w: the previous version answers there", ErrNoListener)
	case errors.As(err, &refused) && refused.Status == http.StatusServiceUnavailable,
		errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: %w", ErrEnding, err)
	case err != nil:
		return err
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("reading the daemon's answer: %w", err)
	}
	return nil
}

// Refusal is an answer other than 200.
type Refusal struct {
	Status int // of HTTP
	Text   string
}

func (r *Refusal) Error() string {
	if r.Status == http.StatusConflict { // an order that can't be carried out, through no fault of the daemon
		return r.Text
	}
	return "the daemon says: " + r.Text
}

// IsFinal reports whether the order is refused, and not only late.
func (r *Refusal) IsFinal() bool { return r.Status != http.StatusGatewayTimeout }

// Follow asks the running daemon for something that continues, and writes its answer as it comes.
func (s Socket) Follow(ctx context.Context, path string, w io.Writer) error {
	answer, err := s.send(ctx, http.MethodGet, path)
	if err == nil {
		defer answer.Body.Close()
		_, err = io.Copy(w, answer.Body)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("it ended before its answer did")
	}
	if err != nil {
		return fmt.Errorf("asking the daemon: %w", err)
	}
	return nil
}

func (s Socket) exchange(ctx context.Context, limit time.Duration, method, path string) (text []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	answer, err := s.send(ctx, method, path)
	if err == nil {
		defer answer.Body.Close()
		text, err = readUpTo(answer.Body, "its answer", maxAnswer)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%w after %v", ErrNoAnswer, limit)
	}
	return text, err
}

// send sends a request. An answer other than 200 is a *Refusal.
func (s Socket) send(ctx context.Context, method, path string) (*http.Response, error) {
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
	if err != nil || answer.StatusCode == http.StatusOK {
		return answer, err
	}
	defer answer.Body.Close()
	text, err := readUpTo(answer.Body, "its answer", maxAnswer)
	if err != nil {
		return nil, err
	}
	return nil, &Refusal{answer.StatusCode, printable.Line(strings.TrimSpace(string(text[:min(len(text), maxRefusal)])))}
}
