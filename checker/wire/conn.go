package checker

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"time"

	"ldirectord/checker/transcript"
)

// conn is a connection to a server being checked. All that happens on it ends at the deadline of the
// check, and at once when the check is cancelled.
type conn struct {
	net.Conn
	tls      *tls.Conn // is Conn, once there is TLS; else nil
	deadline time.Time
	unguard  func() bool
	watch    *watch // nil: nobody wants to know when what was done
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.watch.said(transcript.Received, c, p[:max(n, 0)], MarkFirstByte)
	return n, err
}

func (c *conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.watch.said(transcript.Sent, c, p[:max(n, 0)], MarkSent)
	return n, err
}

// openTLS opens TLS on a connection, whose deadline bounds it.
func (c *conn) openTLS(cfg *tls.Config) error {
	t := tls.Client(c.Conn, cfg)
	err := handshake(t)
	if err == nil {
		c.Conn, c.tls = t, t
		c.watch.mark(MarkTLS)
		c.watch.certified(t)
	}
	if c.watch.isTaped() {
		c.watch.remark("%s", tlsFacts(t.ConnectionState()))
	}
	return err
}

// guard bounds a connection by the deadline of its check and by ctx.
func guard(ctx context.Context, c net.Conn, deadline time.Time) (*conn, error) {
	if err := c.SetDeadline(deadline); err != nil {
		c.Close()
		return nil, err
	}
	g := &conn{Conn: c, deadline: deadline, watch: watchOf(ctx)}
	if ctx.Done() != nil {
		g.unguard = context.AfterFunc(ctx, func() { c.SetDeadline(longAgo) })
	}
	return g, nil
}

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// prolong moves the deadline by what the check has waited for: that is no part of its time.
func (c *conn) prolong(ctx context.Context, waited time.Duration) error {
	if waited == 0 {
		return nil
	}
	c.deadline = c.deadline.Add(waited)
	return c.until(ctx, c.deadline)
}

// until bounds what happens on the connection. It must not replace the deadline of a cancellation.
func (c *conn) until(ctx context.Context, end time.Time) error {
	if err := c.SetDeadline(end); err != nil {
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
	if c.tls != nil {
		return c.tls.NetConn().Close() // a last word of TLS could block
	}
	return c.Conn.Close()
}

// connect opens a TCP connection to a server. Its errors tell what went wrong in the operator's words.
func connect(ctx context.Context, to netip.AddrPort, deadline time.Time, timeout time.Duration) (*conn, error) {
	if to.Port() == 0 {
		return nil, AtConnect.of(
			fmt.Errorf("no port to connect to: neither the real server nor checkport gives one"))
	}
	c, err := dialTCP(ctx, to, deadline)
	if err != nil {
		return nil, connectFault(err, timeout)
	}
	c.watch.mark(MarkConnect)
	if c.watch.isTaped() {
		c.watch.remark("connected to %s", to)
	}
	return c, nil
}

// resolve looks a host name up; a literal address is itself.
func resolve(ctx context.Context, host string, deadline time.Time) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a.Unmap()}, nil
	}
	w := watchOf(ctx)
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, &fault{"look-up of " + show(host) + " failed: " + lookupReason(err), err}
	}
	w.mark(MarkLookup)
	w.remark("%s has %v", host, addrs)
	for i, a := range addrs {
		addrs[i] = a.Unmap()
	}
	return addrs, nil
}

// connectFault is a connection that did not come about in the time for it, in the operator's words.
func connectFault(err error, timeout time.Duration) error {
	if isTimeout(err) {
		return AtConnect.of(&fault{fmt.Sprintf("connect: no answer in %v", timeout), err})
	}
	return AtConnect.of(stageFault("connect", err))
}
