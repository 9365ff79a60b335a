// Package icmp sends ICMP echo requests, and waits for their replies.
package icmp

import (
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Pinger sends echo requests. It opens its sockets when they are first needed, and is safe for use by several
// goroutines.
type Pinger struct {
	oneShot bool

	mu     sync.Mutex // guards what follows
	opened [2]pinger  // for IPv4 and IPv6
	closed bool
}

// pinger is one way to send the echo requests of one family.
type pinger interface {
	send(batch []*Echo) // those of its family
	forget(e *Echo) bool
	left(e *Echo) time.Time // when its request left; zero while it waits for room
	close() error
}

// NewPinger returns the pinger of a daemon: one raw socket a family for all servers, or, where raw sockets are denied,
// an unprivileged socket for each ping.
func NewPinger() *Pinger { return &Pinger{} }

// NewOneShotPinger returns the pinger of a program that checks once: a socket for each ping.
func NewOneShotPinger() *Pinger { return &Pinger{oneShot: true} }

// Send sends echo requests, with few system calls for many. It does not wait for their replies.
func (p *Pinger) Send(batch []*Echo) {
	for family := range p.opened {
		if !slices.ContainsFunc(batch, func(e *Echo) bool { return e.family() == family }) {
			continue
		}
		how, err := p.open(family)
		if err == nil {
			how.send(batch)
			continue
		}
		for _, e := range batch {
			if e.family() == family {
				e.Done(e, 0, err)
			}
		}
	}
}

// Forget reports whether an echo was still waited for: then its Done is not called any more, and a late reply counts for
// nobody.
func (p *Pinger) Forget(e *Echo) bool {
	how := p.waiting(e)
	return how != nil && how.forget(e)
}

// Rest is asked when a timeout has passed since an echo was sent, or since Rest returned. It returns how much longer its reply
// may take, or the error that the wait ends with, after Forget: os.ErrDeadlineExceeded, or ENOBUFS.
//
// Requests to servers that are silent in their own network fill the socket for the seconds in which the kernel looks for
// them. The others wait for room then, up to a whole timeout: that wait is no part of their servers' time, and that
// there was none is a shortage of this machine.
func (p *Pinger) Rest(e *Echo, timeout time.Duration) (time.Duration, error) {
	var left time.Time
	if how := p.waiting(e); how != nil {
		left = how.left(e)
	}
	if left.IsZero() {
		return 0, syscall.ENOBUFS
	}
	if rest := timeout - time.Since(left); rest > 0 {
		return rest, nil
	}
	return 0, os.ErrDeadlineExceeded
}

// waiting returns what would wait for an echo, or nil.
func (p *Pinger) waiting(e *Echo) pinger {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.opened[e.family()]
}

// open returns what sends to the addresses of a family, and makes the choice at the first of them.
func (p *Pinger) open(family int) (pinger, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, net.ErrClosed
	}
	if p.opened[family] == nil {
		how, err := choose(family, p.oneShot)
		if err != nil {
			return nil, err
		}
		p.opened[family] = how
	}
	return p.opened[family], nil
}

func choose(family int, oneShot bool) (pinger, error) {
	h, err := openHub(family)
	switch {
	case isDenied(err):
		return newSingle(family, false), nil
	case err != nil:
		return nil, err
	case oneShot:
		return newSingle(family, true), h.close()
	}
	return h, nil
}

func isDenied(err error) bool { return errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) }

// Close closes the sockets. Echoes that are waited for end with net.ErrClosed.
func (p *Pinger) Close() error {
	p.mu.Lock()
	opened := p.opened
	p.opened, p.closed = [2]pinger{}, true
	p.mu.Unlock() // for Done
	var errs []error
	for _, how := range opened {
		if how != nil {
			errs = append(errs, how.close())
		}
	}
	return errors.Join(errs...)
}
