package main

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
	"time"

	"ldirectord/instance"

	"golang.org/x/sys/unix"
)

// Limits of a server that commands or monitoring ask.
const (
	headTime      = 500 * time.Millisecond      // for the head of a request
	thinkTime     = instance.AskTimeout * 3 / 4 // until its answer begins
	answerTime    = 5 * time.Second             // until the sender has read its answer
	largestHeader = 8 << 10                     // bytes
	largestBody   = 64 << 10                    // bytes of a request
	maxAskers     = 64                          // connections at once, of which only some are answered
)

// newServer is an HTTP server that no client can occupy for long, or keep from others by saying nothing: when
// too many are connected, the one that has said nothing for longest goes. Requests end with ctx.
func newServer(ctx context.Context, handler http.Handler) *http.Server {
	all := &askers{}
	s := &http.Server{
		BaseContext:       func(net.Listener) context.Context { return ctx },
		Handler:           http.MaxBytesHandler(handler, largestBody),
		ReadHeaderTimeout: headTime,
		ReadTimeout:       instance.AskTimeout,
		WriteTimeout:      answerTime,
		MaxHeaderBytes:    largestHeader,
		ErrorLog:          log.New(io.Discard, "", 0), // what clients do wrong is not worth a line
		ConnState:         all.follow,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, askerKey{}, c.(*asker))
		},
	}
	s.SetKeepAlivesEnabled(false)
	return s
}

// asker is a connection with what is known of the process at its other end.
type asker struct {
	net.Conn
	uid   int  // -1 when it is not known
	talks bool // a request came
}

type askerKey struct{}

// askerOf is who sent a request.
func askerOf(r *http.Request) *asker { return r.Context().Value(askerKey{}).(*asker) }

// isOwner reports whether orders are taken from this one: root, or who runs the daemon.
func (a *asker) isOwner() bool { return a.uid == 0 || a.uid == os.Geteuid() }

// door is a listener whose connections are askers.
type door struct{ net.Listener }

func (d door) Accept() (net.Conn, error) {
	c, err := d.Listener.Accept()
	if err != nil {
		return nil, err
	}
	a := &asker{Conn: c}
	a.identify()
	return a, nil
}

// control gives the descriptor of a connection of this machine to f; without one f is not called.
func (a *asker) control(f func(fd int)) {
	local, ok := a.Conn.(*net.UnixConn)
	if !ok {
		return
	}
	if raw, err := local.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { f(int(fd)) }) // a closed one has none
	}
}

// identify notes the user at the other end.
func (a *asker) identify() {
	a.uid = -1
	a.control(func(fd int) {
		if cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			a.uid = int(cred.Uid)
		}
	})
}

// askers are the connections of a server.
type askers struct {
	mu  sync.Mutex // guards what follows, and talks of each
	all []*asker   // the oldest first
}

// follow hears from the server how each connection goes on.
func (a *askers) follow(conn net.Conn, state http.ConnState) {
	c := conn.(*asker)
	a.mu.Lock()
	defer a.mu.Unlock()
	switch state {
	case http.StateNew:
		a.all = append(a.all, c)
		a.makeRoom(c)
	case http.StateActive:
		c.talks = true
	case http.StateClosed:
		a.remove(c)
	}
}

// makeRoom ends the connection that has been silent for longest when there are too many; else the newest. The
// owner's is never ended.
func (a *askers) makeRoom(newest *asker) {
	if len(a.all) <= maxAskers {
		return
	}
	goes := newest
	for _, c := range a.all {
		if !c.talks && !c.isOwner() {
			goes = c
			break
		}
	}
	if !goes.isOwner() {
		a.remove(goes)
		goes.Close()
	}
}

func (a *askers) remove(c *asker) {
	a.all = slices.DeleteFunc(a.all, func(other *asker) bool { return other == c })
}

// slots let some requests be answered at once, and one of the owner's beside them.
type slots struct{ common, reserved chan struct{} }

func newSlots(n int) *slots {
	return &slots{make(chan struct{}, n), make(chan struct{}, 1)}
}

var errCrowded = errors.New("too many ask at once")

// take waits for a slot until ctx is done.
func (s *slots) take(ctx context.Context, who *asker) (release func(), err error) {
	reserved := s.reserved
	if !who.isOwner() {
		reserved = nil
	}
	select {
	case s.common <- struct{}{}:
		return func() { <-s.common }, nil
	case reserved <- struct{}{}:
		return func() { <-s.reserved }, nil
	case <-ctx.Done():
		return nil, errCrowded
	}
}

// slotted limits how many requests are answered at once, and how long an answer may be thought about.
func slotted(s *slots, answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), thinkTime)
		defer cancel()
		release, err := s.take(ctx, askerOf(r))
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		defer release()
		answer(w, r.WithContext(ctx))
	}
}
