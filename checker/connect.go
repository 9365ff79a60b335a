package checker

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// connectCheck asks whether a server accepts a TCP connection. Nothing is sent.
type connectCheck struct {
	target  netip.AddrPort
	timeout time.Duration
}

func newConnect(s Spec) *connectCheck { return &connectCheck{s.Target, s.Timeout} }

// Check implements Checker.
func (c *connectCheck) Check(ctx context.Context) Result {
	conn, err := connect(ctx, c.target, time.Now().Add(c.timeout), c.timeout)
	if err != nil {
		return failed(ctx, err)
	}
	conn.Close()
	return Result{OK: true, Stage: AtConnect, Detail: "connected"}
}

// routeCheck is what connecting means for UDP: there is a route to the server. As in the reference
// it stands between two full checks only.
type routeCheck struct{ target netip.AddrPort }

// Check implements Checker.
func (c *routeCheck) Check(ctx context.Context) Result {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(c.target))
	if err != nil {
		return failed(ctx, AtConnect.of(stageFault("connect", err)))
	}
	conn.Close()
	return Result{OK: true, Stage: AtConnect, Detail: fmt.Sprintf("route to %s", c.target.Addr())}
}
