// Package icmp sends ICMP echo requests, and waits for their replies.
package icmp

import (
	"context"
	"errors"
	"net"
	"net/netip"
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

// pinger is one way to send echo requests.
type pinger interface {
	Ping(ctx context.Context, to netip.Addr, timeout time.Duration) (time.Duration, error)
	close() error
}

// NewPinger returns the pinger of a daemon: one raw socket a family for all servers, or, where raw sockets are denied,
// an unprivileged socket for each ping.
func NewPinger() *Pinger { return &Pinger{} }

// NewOneShotPinger returns the pinger of a program that checks once: a socket for each ping.
func NewOneShotPinger() *Pinger { return &Pinger{oneShot: true} }

// Ping sends one echo request and returns after how long its reply came. Its errors are that of the network,
// os.ErrDeadlineExceeded when no reply came in time, and that of ctx.
func (p *Pinger) Ping(ctx context.Context, to netip.Addr, timeout time.Duration) (time.Duration, error) {
	how, err := p.open(to)
	if err != nil {
		return 0, err
	}
	return how.Ping(ctx, to, timeout)
}

// open returns what sends to an address, and makes the choice at the first of its family.
func (p *Pinger) open(to netip.Addr) (pinger, error) {
	family := 0
	if to.Is6() {
		family = 1
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, net.ErrClosed
	}
	if p.opened[family] == nil {
		how, err := choose(to.Is6(), p.oneShot)
		if err != nil {
			return nil, err
		}
		p.opened[family] = how
	}
	return p.opened[family], nil
}

func choose(ipv6, oneShot bool) (pinger, error) {
	h, err := openHub(ipv6)
	switch {
	case isDenied(err):
		return single{privileged: false}, nil
	case err != nil:
		return nil, err
	case oneShot:
		return single{privileged: true}, h.close()
	}
	return h, nil
}

func isDenied(err error) bool { return errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) }

// Close closes the sockets. Pings that wait end with net.ErrClosed.
func (p *Pinger) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	var errs []error
	for _, how := range p.opened {
		if how != nil {
			errs = append(errs, how.close())
		}
	}
	p.opened = [2]pinger{}
	return errors.Join(errs...)
}
