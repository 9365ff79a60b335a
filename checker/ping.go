package checker

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"
)

// pingCheck asks whether a server answers an ICMP echo request.
type pingCheck struct {
	target   netip.Addr
	onLink   bool
	timeout  time.Duration // of one attempt
	attempts int
	pinger   Pinger
}

func newPing(s Spec, e *Env) (Checker, error) {
	if e.Pinger == nil {
		return nil, &SpecError{"checktype", errors.New("no ping is possible here")}
	}
	return &pingCheck{s.Target.Addr().Unmap(), s.OnLink, s.Timeout, max(s.Attempts, 1), e.Pinger}, nil
}

// Check implements Checker. Silence is asked again, up to checkcount times; any other failure is
// final.
func (c *pingCheck) Check(ctx context.Context) Result {
	watchOf(ctx).remark("echo request to %v", c.target)
	took, err := c.pinger.Ping(ctx, c.target, c.onLink, c.timeout)
	for again := c.attempts - 1; again > 0 && isTimeout(err) && ctx.Err() == nil; again-- {
		took, err = c.pinger.Ping(ctx, c.target, c.onLink, c.timeout)
	}
	return c.result(ctx, took, err)
}

func (c *pingCheck) opening() (opening, bool) {
	_, ok := c.pinger.(echoer)
	return opening{ping: c, timeout: c.timeout}, ok
}

func (c *pingCheck) resume(context.Context, *conn, time.Time) Result { return Result{} }

func (c *pingCheck) result(ctx context.Context, took time.Duration, err error) Result {
	switch {
	case err == nil:
		return passed(fmt.Sprintf("echo reply after %v", took.Round(time.Microsecond)))
	case !isTimeout(err) || ctx.Err() != nil:
		return failed(ctx, AtConnect.of(stageFault("ping", err)))
	}
	silence := fmt.Sprintf("ping: no answer in %v", c.timeout)
	if c.attempts > 1 {
		silence = fmt.Sprintf("ping: no answer in %d times %v", c.attempts, c.timeout)
	}
	return failed(ctx, AtConnect.of(newFault(silence, os.ErrDeadlineExceeded)))
}
