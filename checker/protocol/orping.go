package protocol

import (
	"context"
	"slices"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/settings"
	"ldirectord/checker/wire"
)

// orPing sends a server datagrams, which the server need not answer. After half of the time without an answer a ping
// decides. A port without a program refuses a datagram at once.
type orPing struct {
	asked, ping Checker
	refused     Result    // the last refusal
	refusedAt   time.Time // zero: no refusal since the last answer
}

// stillRefused is how long silence after a refusal proves nothing. A kernel refuses only about one datagram a second of
// all that one machine sends to its closed ports (icmp_ratelimit).
const stillRefused = 5 * time.Second

// orPing returns a check that uses simpletcp for half of the time and a ping for the other half.
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

// Check implements Checker. A server that has answered before is not silent.
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
