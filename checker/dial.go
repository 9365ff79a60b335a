package checker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
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

// watch is the context of a check that wants to know when its stages were done. Libraries may read in goroutines that
// outlive the check.
type watch struct {
	context.Context
	began time.Time
	done  [Marks]atomic.Uint32 // as Stages
	tape  *transcript.Tape     // nil: nobody wants to read what is said
	ends  atomic.Int64         // as Result.CertEnd
}

// watching returns the context of a check that begins.
func watching(ctx context.Context) *watch {
	tape, _ := ctx.Value(tapeKey{}).(*transcript.Tape)
	return &watch{Context: ctx, began: time.Now(), tape: tape}
}

// watchOf is that of a check which runs with a context; nil without one.
func watchOf(ctx context.Context) *watch {
	w, _ := ctx.(*watch)
	return w
}

// mark notes that a stage is done. Only its first end counts.
func (w *watch) mark(m Mark) {
	if w != nil && w.done[m].Load() == 0 {
		w.done[m].Store(micros(time.Since(w.began)))
	}
}

// said takes down what one side said, which is the end of a stage.
func (w *watch) said(kind transcript.Kind, on net.Conn, p []byte, m Mark) {
	if w != nil && len(p) > 0 {
		w.mark(m)
		w.tape.Say(kind, on, p)
	}
}

func (w *watch) isTaped() bool { return w != nil && w.tape != nil }

// remark takes down what the check itself has to say.
func (w *watch) remark(format string, args ...any) {
	if w.isTaped() {
		w.tape.Say(transcript.Note, nil, fmt.Appendf(nil, format, args...))
	}
}

// certified notes when the server's certificate ends: that of the first server, where a redirect leads to others.
func (w *watch) certified(t *tls.Conn) {
	if shown := t.ConnectionState().PeerCertificates; w != nil && len(shown) > 0 {
		w.ends.CompareAndSwap(0, shown[0].NotAfter.Unix())
	}
}

// conclude gives the result of the check its stages.
func (w *watch) conclude(r *Result) {
	r.CertEnd = w.ends.Load()
	for m := range w.done {
		r.Stages[m] = w.done[m].Load()
	}
	r.conclude(time.Since(w.began))
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

// Via is how packets of a check reach the server that a private service of IPVS has, though they go to a virtual
// address. Or, with OnLink and To alone, it is without a router to a server: a route over one is as good as none.
type Via struct {
	OnLink bool
	To     netip.Addr // the virtual address; packets to others go there as ever
	Mark   uint32     // of the service, 1 or more
	Source netip.Addr // of this machine, of To's family, and not a virtual one: to that answers would not come
	MSS    int        // the longest TCP segment, in bytes: the route to an address of this machine knows none
}

// Astray is said of a way by which packets don't come to the private service.
const Astray = "packets with its mark don't come to its private service"

// Knock begins a TCP connection by a way, and leaves it.
func Knock(v Via, to netip.AddrPort) error {
	fd, err := startTCP(to, &v)
	if err == nil {
		closeSocket(fd)
	}
	return err
}

type viaKey struct{}

// WithVia makes the checks of a context go that way.
func WithVia(ctx context.Context, v Via) context.Context { return context.WithValue(ctx, viaKey{}, &v) }

// viaTo is the way to an address, nil for the usual one.
func viaTo(ctx context.Context, to netip.AddrPort) *Via {
	if v, ok := ctx.Value(viaKey{}).(*Via); ok && v.To == to.Addr().Unmap() {
		return v
	}
	return nil
}

// openUDP opens a socket for datagrams to and from a server.
func openUDP(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	v := viaTo(ctx, to)
	if v == nil {
		return net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
	}
	d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) (err error) {
		return errors.Join(c.Control(func(fd uintptr) { err = v.prepare(int(fd), false) }), err)
	}}
	return d.DialContext(ctx, "udp", to.String())
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
