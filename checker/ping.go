package checker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// pingCheck asks whether a server answers an ICMP echo request.
type pingCheck struct {
	target   netip.Addr
	timeout  time.Duration // of one attempt
	attempts int
	pinger   Pinger
}

func newPing(s Spec, e *Env) (Checker, error) {
	if e.Pinger == nil {
		return nil, &SpecError{"checktype", errors.New("no ping is possible here")}
	}
	return &pingCheck{s.Target.Addr().Unmap(), s.Timeout, max(s.Attempts, 1), e.Pinger}, nil
}

// Check implements Checker. Silence is asked again, up to checkcount times; any other failure is
// final.
func (c *pingCheck) Check(ctx context.Context) Result {
	for range c.attempts {
		took, err := c.pinger.Ping(ctx, c.target, c.timeout)
		switch {
		case err == nil:
			return passed(fmt.Sprintf("echo reply after %v", took.Round(time.Microsecond)))
		case !isTimeout(err) || ctx.Err() != nil:
			return failed(ctx, stageFault("ping", err))
		}
	}
	silence := fmt.Sprintf("ping: no answer in %v", c.timeout)
	if c.attempts > 1 {
		silence = fmt.Sprintf("ping: no answer in %d times %v", c.attempts, c.timeout)
	}
	return failed(ctx, &fault{silence, os.ErrDeadlineExceeded})
}

// Ping chooses how echo requests are sent, and is what checks are given. It opens its sockets when
// they are first needed, and is safe for use by several goroutines.
type Ping struct {
	shared bool

	mu     sync.Mutex // guards what follows
	opened [2]Pinger  // for IPv4 and IPv6
	hubs   []*pingHub
	closed bool
}

// NewPinger returns the pinger of a daemon, which checks for ever: one raw socket a family for all
// servers, or, where raw sockets are denied, an unprivileged socket for each ping.
func NewPinger() *Ping { return &Ping{shared: true} }

// NewOneShotPinger returns the pinger of a program that checks once: a socket for each ping.
func NewOneShotPinger() *Ping { return &Ping{} }

// Ping implements Pinger.
func (p *Ping) Ping(ctx context.Context, to netip.Addr, timeout time.Duration) (time.Duration, error) {
	how, err := p.pinger(to)
	if err != nil {
		return 0, err
	}
	return how.Ping(ctx, to, timeout)
}

// pinger returns what sends to an address, and makes the choice when it is the first of its family.
func (p *Ping) pinger(to netip.Addr) (Pinger, error) {
	family := 0
	if to.Is6() {
		family = 1
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, net.ErrClosed
	}
	if p.opened[family] != nil {
		return p.opened[family], nil
	}
	hub, err := openPingHub(to.Is6())
	switch {
	case errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES):
		p.opened[family] = singlePinger{privileged: false}
	case err != nil:
		return nil, err
	case p.shared:
		p.opened[family] = hub
		p.hubs = append(p.hubs, hub)
	default:
		hub.close()
		p.opened[family] = singlePinger{privileged: true}
	}
	return p.opened[family], nil
}

// Close closes the sockets; pings that wait end with an error.
func (p *Ping) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	var errs []error
	for _, hub := range p.hubs {
		errs = append(errs, hub.close())
	}
	p.hubs = nil
	return errors.Join(errs...)
}
