package icmp

import (
	"context"
	"crypto/rand"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"ldirectord/checker/settings"
)

// Echo is one echo request. It can be sent as soon as To and Done are set, and again after it has ended. To must not
// change while the echo waits for a reply.
type Echo struct {
	To netip.Addr
	settings.Path
	// Done is called once for each Send, unless Forget was called first. It is passed the time until the reply, or
	// the error that ended the echo, such as net.ErrClosed. It must not block or send. It may be called from any
	// goroutine, even from within Send.
	Done func(e *Echo, took time.Duration, err error)

	nonce nonce
	stop  func()    // ends the echo's own ping, if it has one (see single)
	left  time.Time // when it was sent; zero while the socket has no room for it
}

// nonce is sent with a request. A reply without it is forged, or meant for another program.
type nonce [16]byte

// waiting holds the echoes that are waiting for a reply.
type waiting struct {
	mu     sync.Mutex // guards echoes, and the time at which each was sent
	echoes map[nonce]*Echo
}

// enter registers an echo before it is sent. stop is called when the echo ends.
func (w *waiting) enter(e *Echo, stop func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rand.Read(e.nonce[:])
	e.stop, e.left, w.echoes[e.nonce] = stop, time.Now(), e
}

// take removes and returns the echo with this address and nonce; nil if there is none.
func (w *waiting) take(from netip.Addr, n nonce) *Echo {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.echoes[n]
	if e == nil || e.To.WithZone("") != from.WithZone("") {
		return nil
	}
	delete(w.echoes, n)
	e.stop()
	return e
}

// mark notes when an echo was sent; the zero time means that the echo waits for room in the socket. It reports whether
// the echo still needs a reply.
func (w *waiting) mark(e *Echo, left time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.echoes[e.nonce] != e {
		return false
	}
	e.left = left
	return true
}

// end ends all echoes with net.ErrClosed.
func (w *waiting) end() {
	w.mu.Lock()
	echoes := w.echoes
	w.echoes = map[nonce]*Echo{}
	w.mu.Unlock()
	for _, e := range echoes {
		e.stop()
		e.Done(e, 0, net.ErrClosed)
	}
}

// Forget drops an echo, and reports whether the echo was still waiting for a reply. If it was, Done is not called, and
// a late reply is ignored.
func (p *Pinger) Forget(e *Echo) bool {
	return p.asked.take(e.To, e.nonce) != nil
}

// Rest returns how much longer the reply to an echo may take, or an error that ends the wait: os.ErrDeadlineExceeded,
// or ENOBUFS. Call it when timeout has passed since Send, and again after each duration that it returned.
//
// Requests to silent servers in this machine's own network fill the socket for seconds, while the kernel looks for the
// servers' MAC addresses. Other requests then wait for room, up to a whole timeout. This wait does not count against
// their servers, because lack of room is a shortage on this machine.
func (p *Pinger) Rest(e *Echo, timeout time.Duration) (time.Duration, error) {
	p.asked.mu.Lock()
	defer p.asked.mu.Unlock()
	rest := timeout - time.Since(e.left)
	switch {
	case e.left.IsZero():
		return 0, syscall.ENOBUFS
	case rest <= 0:
		return 0, os.ErrDeadlineExceeded
	}
	return rest, nil
}

// Ping sends one echo request over a path, and returns the time until the reply. The error is a network error,
// os.ErrDeadlineExceeded if no reply came in time, or the error of ctx.
func (p *Pinger) Ping(ctx context.Context, to netip.Addr, by settings.Path, timeout time.Duration) (took time.Duration,
	err error) {
	done := make(chan struct{})
	e := &Echo{To: to, Path: by, Done: func(_ *Echo, t time.Duration, failure error) {
		took, err = t, failure
		close(done)
	}}
	p.Send([]*Echo{e})
	for rest := timeout; ; {
		var ended error
		select {
		case <-done:
			return took, err
		case <-ctx.Done():
			ended = ctx.Err()
		case <-time.After(rest):
			rest, ended = p.Rest(e, timeout)
		}
		if ended != nil && p.Forget(e) {
			return 0, ended
		}
	}
}
