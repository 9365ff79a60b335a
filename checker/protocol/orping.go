package protocol

import (
	"context"
	"slices"

	"ldirectord/checker"
	"ldirectord/checker/settings"
	"ldirectord/checker/wire"
)

// orPing asks a server by datagrams, which it need not answer: after half of the time without an answer a ping
// decides. A port without a program refuses a datagram at once.
type orPing struct{ asked, ping Checker }

// orPing returns the check of simpletcp in half of the time, and the ping in the other half.
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
	return &orPing{asked, ping}, err
}

// Check implements Checker. A server that has answered before is not silent.
func (c *orPing) Check(ctx context.Context) Result {
	r := c.asked.Check(ctx)
	if r.Cause != checker.Timeout || wire.WatchOf(ctx).HasAnswer() {
		return r
	}
	ping := c.ping.Check(ctx)
	ping.Detail = r.Detail + "; " + ping.Detail
	return ping
}
