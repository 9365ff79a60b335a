package icmp

import (
	"context"
	"net/netip"
	"time"
)

// Echo is one echo request. With To and Done set it is ready to be sent, and again after it ended. To stays.
type Echo struct {
	To netip.Addr
	// Done is called once for each Send, unless Forget came first: with the time to the reply, or with the error of the
	// network, or net.ErrClosed. It must not block, and may be called from any goroutine, also from within Send.
	Done func(e *Echo, took time.Duration, err error)

	// What follows is guarded by what sends it.
	seq   uint16
	nonce nonce
	left  time.Time // zero while there is no room for it in the socket
}

// nonce is sent with a request: a reply without it is forged, or meant for another program.
type nonce [16]byte

const (
	family4 = iota
	family6
)

func (e *Echo) family() int {
	if e.To.Is6() {
		return family6
	}
	return family4
}

// Ping sends one echo request and returns after how long its reply came. Its errors are that of the network,
// os.ErrDeadlineExceeded when no reply came in time, and that of ctx.
func (p *Pinger) Ping(ctx context.Context, to netip.Addr, timeout time.Duration) (time.Duration, error) {
	type end struct {
		took time.Duration
		err  error
	}
	done := make(chan end, 1)
	e := &Echo{To: to, Done: func(_ *Echo, took time.Duration, err error) { done <- end{took, err} }}
	p.Send([]*Echo{e})
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	var err error
	for err == nil {
		select {
		case d := <-done:
			return d.took, d.err
		case <-ctx.Done():
			err = ctx.Err()
		case <-timer.C:
			var rest time.Duration
			if rest, err = p.Rest(e, timeout); rest > 0 {
				timer.Reset(rest)
			}
		}
	}
	if p.Forget(e) {
		return 0, err
	}
	d := <-done
	return d.took, d.err
}
