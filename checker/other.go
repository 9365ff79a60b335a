//go:build !linux

package checker

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"
)

func dialTCP(ctx context.Context, to netip.AddrPort, deadline time.Time) (*conn, error) {
	d := net.Dialer{Deadline: deadline, KeepAlive: -1}
	c, err := d.DialTCP(ctx, "tcp", netip.AddrPort{}, to)
	if err != nil {
		return nil, err
	}
	return guard(ctx, c, deadline)
}

func (*Via) prepare(int, bool) error { return errors.ErrUnsupported }

// loop is for Linux only: elsewhere each check has a goroutine.
type loop struct{}

func newLoop(*Pool) (*loop, error) { return nil, errors.ErrUnsupported }

func (*loop) wake() {}

func (*loop) run(context.Context, []*Task, time.Time) {}

func (*loop) close() {}

// suspended is not known.
func suspended() time.Duration { return 0 }
