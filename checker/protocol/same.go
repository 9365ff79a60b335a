package protocol

import (
	"context"
	"errors"
	"regexp"

	"ldirectord/checker/perlre"
	"ldirectord/checker/wire"
)

const (
	maxKept  = 64 << 10 // bytes of an answer that same searches
	maxShown = 64       // bytes of what it finds there
)

// movesStart finds \K. The engine ignores \K, so the text that same shows would begin too early.
var movesStart = regexp.MustCompile(`(?s)^(?:[^\\]|\\[^K])*\\K`)

var errMovedStart = errors.New(`\K is not supported here; put what comes before it in (?<=text)`)

// same is a check that also notes what a pattern finds in the answer, for a comparison with other servers.
type same struct {
	Checker
	find *matcher
}

// First returns the check without this addition.
func (c *same) First() Checker { return c.Checker }

// Check implements Checker. If the pattern finds nothing, or takes too long, the result does not change.
func (c *same) Check(ctx context.Context) Result {
	w := wire.WatchOf(ctx)
	w.Keep(maxKept)
	r := c.Checker.Check(ctx)
	if !r.OK {
		return r
	}
	s, text := search{ctx: ctx, matcher: c.find}, w.Kept()
	if at, err := inTurn(&s, s.limits.quick, text, (*perlre.Regexp).Find); err == nil && at != nil {
		r.Shows = wire.Escape(string(text[at[0]:at[1]]), maxShown)
	}
	return r
}
