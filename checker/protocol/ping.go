package protocol

import (
	"context"
	"errors"

	"ldirectord/checker"
	"ldirectord/checker/wire"
)

// pingCheck tests whether a server answers an ICMP echo request.
type pingCheck struct{ checker.Ping }

func newPing(s Spec, e *Env) (Checker, error) {
	if e.Pinger == nil {
		return nil, refused("checktype", errors.New("no ping is possible here"))
	}
	return &pingCheck{checker.Ping{Path: s.Path, Target: s.Target.Addr().Unmap(), Timeout: s.Timeout,
		Attempts: max(s.Attempts, 1), Pinger: e.Pinger}}, nil
}

// Check implements Checker. If no reply comes, the request is sent again, up to checkcount requests in total. Any other
// failure is final.
func (c *pingCheck) Check(ctx context.Context) Result {
	wire.WatchOf(ctx).Remark("echo request to %v", c.Target)
	for asked := 1; ; asked++ {
		took, err := c.Pinger.Ping(ctx, c.Target, c.Path, c.Timeout)
		if asked == c.Attempts || !wire.IsTimeout(err) || ctx.Err() != nil {
			return c.Result(took, err)
		}
	}
}

func (c *pingCheck) Opening() (Opening, bool) {
	_, ok := c.Pinger.(checker.Echoer)
	return Opening{Ping: &c.Ping, Timeout: c.Timeout}, ok
}

func (c *pingCheck) Resume(context.Context, *wire.Conn) Result { return Result{} }
