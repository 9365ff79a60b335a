package socket

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Limits of a server for commands or monitoring.
const (
	headTimeout    = 500 * time.Millisecond // the time for the head of a request
	requestTimeout = AskTimeout             // the time for a whole request, with its body
	handlerTimeout = AskTimeout * 3 / 4     // the time for a handler of a Limiter
	writeTimeout   = 5 * time.Second        // the time until the client has read the answer
	stallTimeout   = 2 * time.Second        // the time until the client has read the next part of it
	maxPart        = 4 << 10                // bytes that are written at once
	maxHeader      = 64 << 10               // bytes; orders name the daemons of execute= that have been told
	maxBody        = 64 << 10               // bytes of a request
	MaxClients     = 256                    // connections at once; a Limiter answers fewer at once
	crowdPause     = time.Millisecond       // the pause after a client from the network has replaced another
)

// NewServer returns an HTTP server that no client can occupy for long. If too many clients are connected, it
// disconnects the oldest one that is silent or waits for its turn. Requests end when ctx is done.
func NewServer(ctx context.Context, handler http.Handler) *http.Server {
	all := &clients{}
	s := &http.Server{
		BaseContext:       func(net.Listener) context.Context { return ctx },
		Handler:           http.MaxBytesHandler(handler, maxBody),
		ReadHeaderTimeout: headTimeout,
		ReadTimeout:       requestTimeout,
		WriteTimeout:      writeTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          log.New(io.Discard, "", 0), // client errors are not logged
		ConnState:         all.follow,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, clientKey{}, c.(*client))
		},
	}
	s.SetKeepAlivesEnabled(false)
	return s
}

// client is a connection with facts about the process at its other end.
type client struct {
	net.Conn
	uid   int         // -1 if unknown
	pid   int         // 0 if unknown
	asked bool        // a request arrived
	waits atomic.Bool // it waits for a slot
	end   time.Time   // when the whole answer must be read
}

// SetWriteDeadline sets the deadline for the whole answer.
func (c *client) SetWriteDeadline(end time.Time) error {
	c.end = end
	return nil
}

// Write fails at the deadline, or when the client stops reading.
func (c *client) Write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		end := time.Now().Add(stallTimeout)
		if c.end.Before(end) {
			end = c.end
		}
		_ = c.Conn.SetWriteDeadline(end) // no error: sockets support deadlines
		more := 0
		more, err = c.Conn.Write(p[n:min(n+maxPart, len(p))])
		n += more
	}
	return n, err
}

type clientKey struct{}

// clientOf returns the client of a request's context.
func clientOf(ctx context.Context) *client { return ctx.Value(clientKey{}).(*client) }

// UserOf returns the user who sent the request, or -1 if unknown.
func UserOf(ctx context.Context) int { return clientOf(ctx).uid }

// PidOf returns the process that sent the request, or 0 if unknown.
func PidOf(ctx context.Context) int { return clientOf(ctx).pid }

// isOwner reports whether this client may give orders. Only root and the user that runs the daemon may do so.
func (c *client) isOwner() bool { return c.uid == 0 || c.uid == os.Geteuid() }

// Serve runs a server from NewServer on a listener.
func Serve(s *http.Server, l net.Listener) error { return s.Serve(listener{l}) }

// listener is a net.Listener whose connections are clients.
type listener struct{ net.Listener }

func (l listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	switch {
	case errors.Is(err, net.ErrClosed):
		return nil, err
	case err != nil: // accept(2) failed, for example because memory is short
		return nil, passing{err}
	}
	c := &client{Conn: conn, uid: -1}
	c.control(func(fd int) {
		if cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			c.uid, c.pid = int(cred.Uid), int(cred.Pid)
		}
	})
	return c, nil
}

// passing is an error of accept(2) after which a server of net/http pauses and accepts again.
type passing struct{ error }

func (passing) Temporary() bool { return true }
func (passing) Timeout() bool   { return false }

// control calls f with the descriptor of a local connection. It does nothing for other connections.
func (c *client) control(f func(fd int)) {
	local, ok := c.Conn.(*net.UnixConn)
	if !ok {
		return
	}
	if raw, err := local.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { f(int(fd)) }) // a closed connection has no descriptor
	}
}

// hasGone reports whether the client of a local connection has closed it.
func (c *client) hasGone() bool {
	gone := false
	c.control(func(fd int) {
		n, _, err := unix.Recvfrom(fd, make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
		gone = err == nil && n == 0 || err != nil && err != unix.EAGAIN
	})
	return gone
}

// clients holds the connections of a server.
type clients struct {
	mu  sync.Mutex // guards the fields below, and the field asked of each client
	all []*client  // the clients, oldest first
}

// follow notes the new state of a connection. For a new connection, the server calls follow before it accepts the next
// one. When too many clients connect from the network, follow delays the next connection by crowdPause. If all clients
// are silent, each thus has MaxClients times crowdPause to send its request before it is disconnected.
func (a *clients) follow(conn net.Conn, state http.ConnState) {
	c := conn.(*client)
	if crowded := a.change(c, state); crowded && c.uid < 0 {
		time.Sleep(crowdPause)
	}
}

// change notes a new state, and reports whether a new client exceeds the limit.
func (a *clients) change(c *client, state http.ConnState) (crowded bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch state {
	case http.StateNew:
		a.all = append(a.all, c)
		if crowded = len(a.all) > MaxClients; crowded {
			a.makeRoom(c)
		}
	case http.StateActive:
		c.asked = true
	case http.StateClosed:
		a.remove(c)
	}
	return crowded
}

// makeRoom disconnects the oldest client that is silent or waits for its turn. If there is none, it disconnects the
// newest client. It never disconnects the owner.
func (a *clients) makeRoom(newest *client) {
	goes := newest
	for _, c := range a.all {
		if (!c.asked || c.waits.Load()) && !c.isOwner() {
			goes = c
			break
		}
	}
	if !goes.isOwner() {
		a.remove(goes)
		goes.Close()
	}
}

func (a *clients) remove(c *client) {
	a.all = slices.DeleteFunc(a.all, func(other *client) bool { return other == c })
}

// Limiter limits the number of requests that its handlers answer at once, and the time for each to handlerTimeout. At
// the limit, it answers one more request if it comes from root or from the user that runs the daemon.
func Limiter(most int) func(http.HandlerFunc) http.HandlerFunc {
	common, reserved := make(chan struct{}, most), make(chan struct{}, 1)
	return func(handler http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), handlerTimeout)
			defer cancel()
			slot := clientOf(ctx).waitFor(ctx, common, reserved)
			if slot == nil {
				http.Error(w, "too many clients ask at once", http.StatusServiceUnavailable)
				return
			}
			defer func() { <-slot }()
			handler(w, r.WithContext(ctx))
		}
	}
}

// waitFor waits for a free slot and takes it. The owner may also take the reserved slot. waitFor gives up when ctx is
// done.
func (c *client) waitFor(ctx context.Context, common, reserved chan struct{}) (slot chan struct{}) {
	c.waits.Store(true)
	defer c.waits.Store(false)
	if !c.isOwner() {
		reserved = nil
	}
	select {
	case common <- struct{}{}:
		return common
	case reserved <- struct{}{}:
		return reserved
	case <-ctx.Done():
		return nil
	}
}
