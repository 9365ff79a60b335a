package checker

import "context"

// combined makes a full check, then connects that many times, then a full check again. A failed
// connect is a failure at once, and the next check is a full one; so it is after a failed full check.
type combined struct {
	full, connect Checker
	connects      int
	left          int    // connects before the next full check
	warning       string // of the last full check: it holds on, so that it is told once
}

func newCombined(s Spec, e *Env) (Checker, error) {
	full, err := newNegotiate(s, e)
	if err != nil {
		return nil, err
	}
	c := &combined{full: full, connect: newConnect(s), connects: s.Connects}
	if s.Protocol == "udp" {
		c.connect = &routeCheck{s.Target}
	}
	return c, nil
}

// Check implements Checker.
func (c *combined) Check(ctx context.Context) Result {
	if c.left > 0 {
		r := c.connect.Check(ctx)
		r.Warning = c.warning
		switch {
		case r.OK:
			c.left--
		case r.Says():
			c.left = 0
		}
		return r
	}
	r := c.full.Check(ctx)
	c.warning = r.Warning
	if r.OK {
		c.left = c.connects
	}
	return r
}
