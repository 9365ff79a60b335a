// Package icmp sends ICMP echo requests, and waits for their replies.
package icmp

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"syscall"
)

// Pinger sends echo requests. It opens its sockets when they are first needed, and is safe for use by several
// goroutines.
type Pinger struct {
	oneShot bool
	asked   waiting

	mu     sync.Mutex      // guards what follows
	opened map[bool]pinger // whether for IPv6; nil when closed
}

// pinger is one way to send the echo requests of one family.
type pinger interface {
	send(batch []*Echo)
	Close() error
}

// NewPinger returns the pinger of a daemon: one raw socket a family for all servers, or, where raw sockets are denied,
// an unprivileged socket for each ping.
func NewPinger() *Pinger { return newPinger(false) }

// NewOneShotPinger returns the pinger of a program that checks once: a socket for each ping.
func NewOneShotPinger() *Pinger { return newPinger(true) }

func newPinger(oneShot bool) *Pinger {
	return &Pinger{oneShot: oneShot, asked: waiting{echoes: map[nonce]*Echo{}}, opened: map[bool]pinger{}}
}

// Send sends echo requests, with few system calls for many. It does not wait for their replies.
func (p *Pinger) Send(batch []*Echo) {
	for _, ipv6 := range []bool{false, true} {
		family := slices.DeleteFunc(slices.Clone(batch), func(e *Echo) bool { return e.To.Is6() != ipv6 })
		if len(family) == 0 {
			continue
		}
		how, err := p.open(ipv6)
		if err == nil {
			how.send(family)
			continue
		}
		for _, e := range family {
			e.Done(e, 0, err)
		}
	}
}

// open returns what sends to the addresses of a family, and makes the choice at the first of them.
func (p *Pinger) open(ipv6 bool) (pinger, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.opened == nil {
		return nil, net.ErrClosed
	}
	if how := p.opened[ipv6]; how != nil {
		return how, nil
	}
	how, err := p.choose(ipv6)
	if err != nil {
		return nil, err
	}
	p.opened[ipv6] = how
	return how, nil
}

func (p *Pinger) choose(ipv6 bool) (pinger, error) {
	h, err := openHub(&p.asked, ipv6)
	switch {
	case isDenied(err):
		return single{&p.asked, false}, nil
	case err != nil:
		return nil, err
	case p.oneShot:
		return single{&p.asked, true}, h.Close()
	}
	return h, nil
}

// ErrDenied is the error of an echo for which this machine lets the program open no socket.
var ErrDenied = errors.New("forbidden on this machine; CAP_NET_RAW permits it, or a group in net.ipv4.ping_group_range")

func isDenied(err error) bool { return errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) }

// Close closes the sockets. Echoes that are waited for end with net.ErrClosed.
func (p *Pinger) Close() error {
	p.mu.Lock()
	opened := p.opened
	p.opened = nil
	p.mu.Unlock()
	var errs []error
	for _, how := range opened {
		if err := how.Close(); err != nil {
			errs = append(errs, fmt.Errorf("closing the ping socket: %w", err))
		}
	}
	p.asked.end()
	return errors.Join(errs...)
}
