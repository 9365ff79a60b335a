package protocol

import (
	"context"
	"fmt"
	"net/netip"

	"ldirectord/checker"
	"ldirectord/checker/wire"
	"ldirectord/internal/health"
)

// connectCheck tests whether a server accepts a TCP connection. Nothing is sent.
type connectCheck struct{ server }

// newConnect returns a connect check. UDP has no connections, so there the check is a ping. With PingsTheSilent, it
// sends an empty datagram first, and pings only a silent server.
func newConnect(s Spec, e *Env) (Checker, error) {
	switch {
	case s.PingsTheSilent:
		receive, _ := e.matcher("receive", "")
		s.NegotiateTimeout = s.Timeout
		return e.orPing(s, receive)
	case s.Protocol == "udp":
		return newPing(s, e)
	}
	return &connectCheck{server{s.Target, s.Timeout}}, nil
}

// Check implements Checker.
func (c *connectCheck) Check(ctx context.Context) Result {
	conn, err := c.dial(ctx)
	if err != nil {
		return failed(err)
	}
	conn.Close()
	return c.Resume(ctx, conn)
}

func (c *connectCheck) Opening() (Opening, bool) { return c.opening(nil) }

func (c *connectCheck) Resume(context.Context, *wire.Conn) Result {
	return Result{OK: true, Stage: wire.AtConnect, Detail: "connected"}
}

// routeCheck replaces the connect check between two full checks over UDP. As in the Perl ldirectord, it tests only
// whether there is a route to the server.
type routeCheck struct{ target netip.AddrPort }

// Check implements Checker.
func (c *routeCheck) Check(ctx context.Context) Result {
	conn, err := wire.OpenUDP(ctx, c.target)
	if err != nil {
		return failed(wire.AtConnect.Of(wire.StageFault("connect", err)))
	}
	conn.Close()
	return Result{OK: true, Stage: wire.AtConnect, Detail: fmt.Sprintf("route to %s", c.target.Addr())}
}

// combined makes a full check, then the given number of connect checks, then a full check again. The failure of a
// connect check counts at once, without a full check to confirm it. After a conclusive failure the next check is a full
// one.
type combined struct {
	full, connect Checker
	connects      int
	left          int    // connects before the next full check
	warning       string // of the last full check; connect checks repeat it, or it would be reported anew
	tells         bool   // a full check has reported something about the server, such as drain
}

func newCombined(s Spec, e *Env) (Checker, error) {
	full, err := newNegotiate(s, e)
	if err != nil {
		return nil, err
	}
	c := &combined{full: full, connect: &connectCheck{server{s.Target, s.Timeout}}, connects: s.Connects}
	if s.Protocol == "udp" {
		c.connect = &routeCheck{s.Target}
	}
	return c, nil
}

// First returns the full check.
func (c *combined) First() Checker { return c.full }

// Programs returns how many programs of checks may run at once, or 0 if the next check only connects.
func (c *combined) Programs() int {
	if c.left > 0 {
		return 0
	}
	return checker.ProgramsOf(c.full)
}

// Check implements Checker.
func (c *combined) Check(ctx context.Context) Result {
	if c.left > 0 {
		r := c.connect.Check(ctx)
		r.Warning, r.Report.Wordless = c.warning, c.tells
		switch {
		case r.OK:
			c.left--
		case r.Conclusive():
			c.left = 0
		}
		return r
	}
	r := c.full.Check(ctx)
	c.warning, c.tells = r.Warning, c.tells || r.Report != (health.Report{})
	if r.OK {
		c.left = c.connects
	}
	return r
}
