package protocol

import (
	"context"
	"slices"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/settings"
	"ldirectord/checker/wire"
)

// orPing sends datagrams, which the server need not answer. If no answer comes within half of the timeout, a ping
// decides. If no program listens on the port, the server refuses a datagram at once.
type orPing struct {
	asked, ping Checker
	refused     Result    // the last refusal
	refusedAt   time.Time // zero: no refusal since the last answer
}

// stillRefused is how long after a refusal a silent server still counts as refusing. The server's kernel refuses only
// about one datagram a second from each machine, for all closed ports together (icmp_ratelimit).
const stillRefused = 5 * time.Second

// orPing returns a check that uses simpletcp for half of the timeout, and then pings. Each ping may take as long as the
// other half.
func (e *Env) orPing(s Spec, receive *matcher) (Checker, error) {
	s.PingsTheSilent, s.NegotiateTimeout = false, s.NegotiateTimeout/2
	steps := slices.Collect(s.Steps.All())
	if len(steps) > 0 && !slices.ContainsFunc(steps, func(s settings.Step) bool { return !s.Send }) {
		s.Steps = checker.ListOf(append(steps, settings.Step{Text: "(?s)."})...) // to notice a refusal
	}
	asked, err := newSimpleTCP(s, e, receive)
	if err != nil {
		return nil, err
	}
	s.Timeout = s.NegotiateTimeout
	ping, err := newPing(s, e)
	return &orPing{asked: asked, ping: ping}, err
}

// Check implements Checker. A server that has answered anything during the check is not silent.
func (c *orPing) Check(ctx context.Context) Result {
	begun := time.Now()
	r := c.asked.Check(ctx)
	switch {
	case r.Cause == checker.Refused:
		c.refused, c.refusedAt = r, begun
		return r
	case r.Cause != checker.Timeout || wire.WatchOf(ctx).HasAnswer():
		c.refusedAt = time.Time{}
		return r
	case begun.Sub(c.refusedAt) < stillRefused:
		return c.refused
	}
	ping := c.ping.Check(ctx)
	ping.Detail = r.Detail + "; " + ping.Detail
	return ping
}
