package icmp

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// Echo is one echo request. With To and Done set it is ready to be sent, and again after it ended. To stays.
type Echo struct {
	To     netip.Addr
	OnLink bool // no router passes the request on: it goes one hop
	// Done is called once for each Send, unless Forget came first: with the time to the reply, or with the error of
	// the network, or net.ErrClosed. It must not block, nor send, and may be called from any goroutine, also from
	// within Send.
	Done func(e *Echo, took time.Duration, err error)

	nonce nonce
	stop  func()    // ends its own ping, if it has one
	left  time.Time // zero while there is no room for it in the socket
}

// nonce is sent with a request: a reply without it is forged, or meant for another program.
type nonce [16]byte

// waiting is the echoes that are waited for.
type waiting struct {
	mu     sync.Mutex // guards what follows, and when an echo left while it is in there
	echoes map[nonce]*Echo
}

// enter makes an echo known that is to be sent. Stop is called when it ends.
func (w *waiting) enter(e *Echo, stop func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	binary.NativeEndian.PutUint64(e.nonce[:], rand.Uint64())
	binary.NativeEndian.PutUint64(e.nonce[8:], rand.Uint64())
	e.stop, e.left, w.echoes[e.nonce] = stop, time.Now(), e
}

// take ends the wait for a request, and returns its echo, or nil.
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

// mark says when an echo left; zero: it waits for room. It reports whether it is still waited for.
func (w *waiting) mark(e *Echo, left time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.echoes[e.nonce] != e {
		return false
	}
	e.left = left
	return true
}

// end ends all that is waited for.
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

// Forget reports whether an echo was still waited for: then its Done is not called any more, and a late reply counts
// for nobody.
func (p *Pinger) Forget(e *Echo) bool {
	return p.asked.take(e.To, e.nonce) != nil
}

// Rest is asked when a timeout has passed since an echo was sent, or what Rest returned. It returns how much longer its
// reply may take, or the error that the wait ends with, after Forget: os.ErrDeadlineExceeded, or ENOBUFS.
//
// Requests to servers that are silent in their own network fill the socket for the seconds in which the kernel looks
// for them. The others wait for room then, up to a whole timeout: that wait is no part of their servers' time, and that
// there was no room is a shortage of this machine.
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

// Ping sends one echo request, on the link if it has to be, and returns after how long its reply came. Its errors are
// that of the network, os.ErrDeadlineExceeded when no reply came in time, and that of ctx.
func (p *Pinger) Ping(ctx context.Context, to netip.Addr, onLink bool, timeout time.Duration) (took time.Duration,
	err error) {
	done := make(chan struct{})
	e := &Echo{To: to, OnLink: onLink, Done: func(_ *Echo, t time.Duration, failure error) {
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
