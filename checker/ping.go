package checker

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"ldirectord/checker/wire"
)

// pingCheck tests whether a server answers an ICMP echo request.
type pingCheck struct {
	Target   netip.Addr
	OnLink   bool
	timeout  time.Duration // of one attempt
	Attempts int
	Pinger   Pinger
}

func newPing(s Spec, e *Env) (Checker, error) {
	if e.Pinger == nil {
		return nil, &SpecError{"checktype", errors.New("no ping is possible here")}
	}
	return &pingCheck{s.Target.Addr().Unmap(), s.OnLink, s.Timeout, max(s.Attempts, 1), e.Pinger}, nil
}

// Check implements Checker. Without a reply the request is repeated, up to checkcount times; any other failure is
// final.
func (c *pingCheck) Check(ctx context.Context) Result {
	wire.WatchOf(ctx).Remark("echo request to %v", c.Target)
	took, err := c.Pinger.Ping(ctx, c.Target, c.OnLink, c.timeout)
	for again := c.Attempts - 1; again > 0 && wire.IsTimeout(err) && ctx.Err() == nil; again-- {
		took, err = c.Pinger.Ping(ctx, c.Target, c.OnLink, c.timeout)
	}
	return c.Result(took, err)
}

func (c *pingCheck) Opening() (Opening, bool) {
	_, ok := c.Pinger.(Echoer)
	return Opening{Ping: c, Timeout: c.timeout}, ok
}

func (c *pingCheck) Resume(context.Context, *wire.Conn) Result { return Result{} }

func (c *pingCheck) Result(took time.Duration, err error) Result {
	switch {
	case err == nil:
		return passed(fmt.Sprintf("echo reply after %v", took.Round(time.Microsecond)))
	case !wire.IsTimeout(err):
		return Failed(wire.AtConnect.Of(wire.StageFault("ping", err)))
	}
	silence := wire.NewFault(err, "ping: no answer in %v", c.timeout)
	if c.Attempts > 1 {
		silence = wire.NewFault(err, "ping: no answer to %d requests, %v each", c.Attempts, c.timeout)
	}
	return Failed(wire.AtConnect.Of(silence))
}
