package icmp

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	goping "github.com/go-ping/ping"
)

// single opens a socket for each ping. Each socket polls, and a raw one gets a copy of every reply. So it is for few
// servers, or for where there is no other way.
type single struct{ privileged bool }

// Ping implements pinger.
func (s single) Ping(ctx context.Context, to netip.Addr, timeout time.Duration) (time.Duration, error) {
	p := goping.New("")
	p.SetIPAddr(&net.IPAddr{IP: to.AsSlice(), Zone: to.Zone()})
	p.SetPrivileged(s.privileged)
	p.SetLogger(goping.NoopLogger{})
	p.Count, p.Size, p.Timeout, p.RecordRtts = 1, dataSize, timeout, false
	defer context.AfterFunc(ctx, p.Stop)()
	err := p.Run()
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case isDenied(err):
		return 0, fmt.Errorf("raw sockets need CAP_NET_RAW, and net.ipv4.ping_group_range does not permit the others: %w", err)
	case err != nil:
		return 0, err
	}
	if stats := p.Statistics(); stats.PacketsRecv > 0 {
		return stats.AvgRtt, nil
	}
	return 0, os.ErrDeadlineExceeded
}

// close has nothing to do.
func (single) close() error { return nil }
