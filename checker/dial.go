package checker

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// conn is a connection to a server being checked. All that happens on it ends at the deadline of the
// check, and at once when the check is cancelled.
type conn struct {
	net.Conn
	unguard func() bool
}

// guard bounds a connection by the deadline of its check and by ctx.
func guard(ctx context.Context, c net.Conn, deadline time.Time) (*conn, error) {
	if err := c.SetDeadline(deadline); err != nil {
		c.Close()
		return nil, err
	}
	g := &conn{Conn: c}
	if ctx.Done() != nil {
		g.unguard = context.AfterFunc(ctx, func() { c.SetDeadline(longAgo) })
	}
	return g, nil
}

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// extend moves the deadline. It must not replace that of a cancellation.
func (c *conn) extend(ctx context.Context, deadline time.Time) error {
	if err := c.SetDeadline(deadline); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return errStopped
	}
	return nil
}

func (c *conn) Close() error {
	if c.unguard != nil {
		c.unguard()
	}
	return c.Conn.Close()
}

// connect opens a TCP connection to a server. Its errors tell what went wrong in the operator's words.
func connect(ctx context.Context, to netip.AddrPort, deadline time.Time, timeout time.Duration) (*conn, error) {
	if to.Port() == 0 {
		return nil, AtConnect.of(fmt.Errorf("no port to connect to: neither the real server nor checkport gives one"))
	}
	c, err := dialTCP(ctx, to, deadline)
	if err != nil {
		return nil, connectFault(err, timeout)
	}
	return c, nil
}

// resolve looks a host name up; a literal address is itself.
func resolve(ctx context.Context, host string, deadline time.Time) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a.Unmap()}, nil
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, &fault{"look-up of " + escape(host, maxExcerpt) + " failed: " + lookupReason(err), err}
	}
	for i, a := range addrs {
		addrs[i] = a.Unmap()
	}
	return addrs, nil
}
