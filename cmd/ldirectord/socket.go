package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/net/netutil"
	"golang.org/x/sys/unix"
)

// Limits of the control socket.
const (
	askTime       = 2 * time.Second // for a whole request, as its sender sees it
	thinkTime     = askTime * 3 / 4 // until its answer begins
	answerTime    = 5 * time.Second // until the sender has read its answer
	largestHeader = 8 << 10         // bytes
	largestBody   = 64 << 10        // bytes of a request
	largestAnswer = 256 << 20       // bytes; 100,000 servers take 60 MB
	askersAtOnce  = 16
)

// longestPath is what a socket's address holds of a path, unix(7).
const longestPath = len(unix.RawSockaddrUnix{}.Path) - 1

// control is the socket on which commands talk to the running daemon: HTTP beside its pid file.
type control struct {
	path   string
	server *http.Server
}

// listen makes the control socket. Only who holds the instance may: what another daemon left behind is
// replaced, in one step. Root alone may use it until allow says otherwise.
func (h *hold) listen(handler http.Handler) (*control, error) {
	fresh := h.socket + ".new"
	if len(fresh) > longestPath {
		return nil, fmt.Errorf("making the control socket: the path %s is longer than %d bytes; --rundir names another folder", fresh, longestPath)
	}
	for _, path := range []string{h.socket, fresh} {
		if err := socketOrNothing(path); err != nil {
			return nil, err
		}
	}
	if err := removeSocket(fresh); err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{Control: ownerOnly}).Listen(context.Background(), "unix", fresh)
	if err != nil {
		return nil, fmt.Errorf("making the control socket: %w", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := os.Rename(fresh, h.socket); err != nil {
		return nil, errors.Join(fmt.Errorf("making the control socket: %w", err), l.Close(), removeSocket(fresh))
	}
	c := &control{path: h.socket, server: newServer(handler)}
	go c.server.Serve(netutil.LimitListener(l, askersAtOnce))
	return c, nil
}

// ownerOnly sets the mode that the socket will have in the file system: unix(7) takes it from here, so
// that no moment is without it.
func ownerOnly(_, _ string, c syscall.RawConn) error {
	var mode error
	err := c.Control(func(fd uintptr) { mode = unix.Fchmod(int(fd), 0o600) })
	return errors.Join(err, mode)
}

// newServer is an HTTP server that no client can occupy for long.
func newServer(handler http.Handler) *http.Server {
	s := &http.Server{
		Handler:           bounded(handler),
		ReadHeaderTimeout: askTime,
		ReadTimeout:       askTime,
		WriteTimeout:      answerTime,
		MaxHeaderBytes:    largestHeader,
		ErrorLog:          log.New(io.Discard, "", 0), // what clients do wrong is not worth a line
	}
	s.SetKeepAlivesEnabled(false)
	return s
}

// bounded limits what a request may bring and how long its answer may be thought about.
func bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), thinkTime)
		defer cancel()
		r.Body = http.MaxBytesReader(w, r.Body, largestBody)
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// allow lets the members of a group, by name or number, use the socket as well; "" and a group that
// there isn't leave it to its owner.
func (c *control) allow(group string) error {
	if err := os.Chmod(c.path, 0o600); err != nil { // before the group changes, so that no other one gets in
		return fmt.Errorf("closing the control socket to groups: %w", err)
	}
	if group == "" {
		return nil
	}
	gid, err := groupID(group)
	if err != nil {
		return fmt.Errorf("statusgroup: %w", err)
	}
	if err := os.Lchown(c.path, -1, gid); err != nil {
		return fmt.Errorf("statusgroup: %w", err)
	}
	if err := os.Chmod(c.path, 0o660); err != nil {
		return fmt.Errorf("statusgroup: %w", err)
	}
	return nil
}

func groupID(name string) (int, error) {
	if g, err := user.LookupGroup(name); err == nil {
		return strconv.Atoi(g.Gid)
	}
	id, err := strconv.ParseUint(name, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("there is no group %s", name)
	}
	return int(id), nil
}

// close ends the socket and removes it.
func (c *control) close() error { return errors.Join(c.server.Close(), removeSocket(c.path)) }

func socketOrNothing(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("making the control socket: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("making the control socket: %s is in the way: it is no socket", path)
	}
	return nil
}

// removeSocket removes a socket, never anything else.
func removeSocket(path string) error {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return nil
	}
	return os.Remove(path)
}

// ask sends the running daemon a request and returns the body of its answer. An answer other than 200 is
// an error with what the daemon has to say.
func (i instance) ask(ctx context.Context, method, path string, body io.Reader) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, "http://ldirectord"+path, body)
	if err != nil {
		return nil, fmt.Errorf("asking the daemon: %w", err)
	}
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", i.socket)
		},
	}
	answer, err := transport.RoundTrip(r)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("asking the daemon: it has no socket %s; its log says why, if it is not another program", i.socket)
	}
	if err != nil {
		return nil, fmt.Errorf("asking the daemon: %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, largestAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("asking the daemon: %w", err)
	case len(text) > largestAnswer:
		return nil, fmt.Errorf("asking the daemon: its answer is longer than %d bytes", largestAnswer)
	case answer.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("the daemon says: %s", oneLine(strings.TrimSpace(string(text[:min(len(text), largestBody)]))))
	}
	return text, nil
}
