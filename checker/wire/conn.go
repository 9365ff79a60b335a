// Package wire holds what the checks of all protocols share: connections, datagrams and their paths, TLS, conversations
// with deadlines and limits, and error messages.
package wire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"ldirectord/checker/transcript"
)

// Conn is a connection to a server being checked. All reading and writing ends at the deadline of the check, or as soon
// as the check is cancelled.
type Conn struct {
	net.Conn
	TLS      *tls.Conn         // Conn once TLS is open; otherwise nil
	own      *x509.Certificate // our own certificate for TLS; nil: none
	Deadline time.Time
	ctx      context.Context // of the check
	unguard  func() bool
	watch    *Watch // nil: stages are not timed
}

func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.watch.record(transcript.Received, c, p[:n], MarkFirstByte)
	return n, c.OwnFault(err)
}

func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.watch.record(transcript.Sent, c, p[:n], MarkSent)
	return n, err
}

// Send sends a request, if there is one. The argument what names the request in messages. After an error Send closes
// the connection.
func (c *Conn) Send(what string, request []byte) error {
	if len(request) == 0 {
		return nil
	}
	if _, err := c.Write(request); err != nil {
		c.Close()
		return StageFault("sending "+what, err)
	}
	return nil
}

// OpenTLS opens TLS on a connection, within its deadline. Without a configuration the connection stays in the clear.
// After an error OpenTLS closes the connection.
func (c *Conn) OpenTLS(cfg *tls.Config) error {
	if cfg == nil {
		return nil
	}
	if cfg.GetClientCertificate != nil {
		pair, _ := cfg.GetClientCertificate(nil) // never an error, see TLSRules.Config
		c.own = pair.Leaf
	}
	t := tls.Client(c.Conn, cfg)
	err := c.OwnFault(t.Handshake())
	if err != nil {
		c.Close()
		err = AtTLS.Of(&Fault{handshakeReason(err), errors.Join(ErrHandshake, err)})
	} else {
		c.Conn, c.TLS = t, t
		c.watch.Mark(MarkTLS)
		c.watch.certified(t)
	}
	if c.watch.IsTaped() {
		c.watch.Remark("%s", tlsFacts(t.ConnectionState()))
	}
	return err
}

// Guard makes all reading and writing on a connection end at the deadline of its check, or when ctx is cancelled.
func Guard(ctx context.Context, c net.Conn, deadline time.Time) (*Conn, error) {
	if err := c.SetDeadline(deadline); err != nil {
		c.Close()
		return nil, err
	}
	g := &Conn{Conn: c, Deadline: deadline, ctx: ctx, watch: WatchOf(ctx)}
	if ctx.Done() != nil {
		g.unguard = context.AfterFunc(ctx, func() { c.SetDeadline(LongAgo) })
	}
	return g, nil
}

// LongAgo is a deadline that has passed.
var LongAgo = time.Unix(1, 0)

// Prolong extends the deadline by the time that the check waited for slots, which is not part of its timeout. A nil
// Conn has no deadline.
func (c *Conn) Prolong(waited time.Duration) error {
	if c == nil || waited == 0 {
		return nil
	}
	c.Deadline = c.Deadline.Add(waited)
	return c.Until(c.Deadline)
}

// Until sets another deadline. If the check is cancelled, it returns ErrStopped, because the new deadline may have
// replaced the one that ends reading and writing at once.
func (c *Conn) Until(end time.Time) error {
	if err := c.SetDeadline(end); err != nil {
		return err
	}
	if c.ctx.Err() != nil {
		return ErrStopped
	}
	return nil
}

// End closes TLS, if it is open, and the connection.
func (c *Conn) End() {
	if c.TLS != nil {
		c.TLS.CloseWrite()
	}
	c.Close()
}

func (c *Conn) Close() error {
	if c.unguard != nil {
		c.unguard()
	}
	if c.TLS != nil {
		return c.TLS.NetConn().Close() // closing TLS could block
	}
	return c.Conn.Close()
}

// Connect opens a TCP connection to a server, for a check that may take timeout in total. Its errors have texts for
// operators.
func Connect(ctx context.Context, to netip.AddrPort, timeout time.Duration) (*Conn, error) {
	return ConnectUntil(ctx, to, WatchOf(ctx).End(timeout), timeout)
}

// ConnectUntil is Connect with a deadline other than the check's. timeout appears only in the error.
func ConnectUntil(ctx context.Context, to netip.AddrPort, deadline time.Time, timeout time.Duration) (*Conn, error) {
	if to.Port() == 0 {
		return nil, AtConnect.Of(
			fmt.Errorf("no port to connect to: neither the real server nor checkport gives one"))
	}
	c, err := dialTCP(ctx, to, deadline)
	if err != nil {
		return nil, ConnectFault(err, timeout)
	}
	c.watch.Mark(MarkConnect)
	if c.watch.IsTaped() {
		c.watch.Remark("connected to %s", to)
	}
	return c, nil
}

// ConnectFault returns the error for a connection that failed or took too long, with a text for operators.
func ConnectFault(err error, timeout time.Duration) error {
	if IsTimeout(err) {
		return AtConnect.Of(NewFault(err, "connect: no answer in %v", timeout))
	}
	return AtConnect.Of(StageFault("connect", err))
}
