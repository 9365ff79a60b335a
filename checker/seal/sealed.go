// Package seal wraps every check. It turns a panic that an answer caused into a failed check, and keeps the secrets of
// the configuration out of results and transcripts.
package seal

import (
	"context"
	"errors"
	"fmt"
	"path"
	"runtime"
	"strings"

	"ldirectord/checker"
	"ldirectord/checker/transcript"
	"ldirectord/checker/wire"
)

// sealed is the check that New returns.
type sealed struct {
	checker.Checker
	hidden *untold
	via    *wire.Via // nil: the usual path
}

// New wraps the check of a Spec.
func New(c checker.Checker, s checker.Spec, known *Secrets) checker.Checker {
	return &sealed{Checker: c, hidden: known.of(s), via: wire.ViaFrom(s.Path, s.Target.Addr())}
}

// First returns the check as its constructor made it.
func (c *sealed) First() checker.Checker { return c.Checker }

// Check implements Checker.
func (c *sealed) Check(ctx context.Context) (r checker.Result) {
	if c.via != nil {
		ctx = wire.WithVia(ctx, *c.via)
	}
	w := wire.Watching(ctx)
	defer c.conclude(w, &r)
	defer c.seal(ctx, &r)
	return c.Checker.Check(w)
}

// conclude ends a check and its transcript.
func (c *sealed) conclude(w *wire.Watch, r *checker.Result) {
	r.Watched(w)
	if w.IsTaped() {
		w.Remark("%s\n%s", summary(r), r.Stages)
		w.Tape.Close(func(kind transcript.Kind, text string, cut bool) string {
			return c.hidden.mask(c.Checker, kind, text, cut)
		})
	}
}

func (c *sealed) Opening() (o checker.Opening, ok bool) {
	l, ok := c.Checker.(checker.Light)
	if ok {
		o, ok = l.Opening()
	}
	o.Via = c.via
	return o, ok
}

func (c *sealed) Resume(ctx context.Context, conn *wire.Conn) (r checker.Result) {
	defer c.seal(ctx, &r)
	return c.Checker.(checker.Light).Resume(ctx, conn)
}

// seal turns a panic into a failed check, and replaces the failure of a cancelled check with ErrStopped. Then it
// removes the secrets from the result.
func (c *sealed) seal(ctx context.Context, r *checker.Result) {
	if p := recover(); p != nil {
		*r = checker.Panicked("ldirectord", fmt.Sprint(p), PanicPlace())
	}
	if !r.OK && errors.Is(ctx.Err(), context.Canceled) {
		*r = checker.Failed(wire.ErrStopped)
	}
	c.hidden.hideIn(r)
}

// maxFrames limits how many calls of a stack are reported.
const maxFrames = 12

// PanicPlace returns, on one line, the stack of the panic that was just recovered: at most maxFrames calls, from its
// origin up to the check if a check caused it.
func PanicPlace() string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(0, pcs[:])])
	var places []string
	for begun := false; len(places) < maxFrames; {
		f, more := frames.Next()
		switch {
		case f.Function == "runtime.gopanic":
			begun, places = true, nil
		case strings.Contains(f.Function, ".(*sealed).") && begun, !more:
			return strings.Join(places, " < ")
		case begun && !strings.HasPrefix(f.Function, "runtime."):
			places = append(places,
				fmt.Sprintf("%s %s:%d", path.Base(f.Function), path.Base(f.File), f.Line))
		}
	}
	return strings.Join(places, " < ")
}

// summary returns the result in words.
func summary(r *checker.Result) string {
	text := "down: "
	switch {
	case !r.Conclusive(): // it proves nothing about the server
		text = "unknown: "
	case r.OK:
		text = "up: "
	}
	text += r.Detail
	if r.Shows != "" {
		text += "; shows " + r.Shows
	}
	if r.Warning != "" {
		text += "; " + r.Warning
	}
	return text
}
