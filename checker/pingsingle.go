package checker

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	goping "github.com/go-ping/ping"
)

// singlePinger opens a socket for each ping. Each of them polls, and with raw sockets each gets a
// copy of every reply: it is for few servers, or where there is no other way.
type singlePinger struct{ privileged bool }

// Ping implements Pinger.
func (s singlePinger) Ping(ctx context.Context, to netip.Addr, timeout time.Duration) (time.Duration, error) {
	p := goping.New("")
	p.SetIPAddr(&net.IPAddr{IP: to.AsSlice(), Zone: to.Zone()})
	p.SetPrivileged(s.privileged)
	p.SetLogger(goping.NoopLogger{})
	p.Count, p.Size, p.Timeout, p.RecordRtts = 1, pingData, timeout, false
	defer context.AfterFunc(ctx, p.Stop)()
	err := p.Run()
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES):
		return 0, &fault{"raw sockets need CAP_NET_RAW, and net.ipv4.ping_group_range does not permit the others", err}
	case err != nil:
		return 0, err
	}
	if stats := p.Statistics(); stats.PacketsRecv > 0 {
		return stats.AvgRtt, nil
	}
	return 0, os.ErrDeadlineExceeded
}
