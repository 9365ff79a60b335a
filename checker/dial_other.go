//go:build !linux

package checker

import (
	"context"
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
