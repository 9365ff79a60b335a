package through

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"

	"ldirectord/checker"
)

// overtime is how much longer than its timeout a failed check may take, to find out whether the server answers at its own address.
const overtime = time.Second

// check asks a server through the virtual address, and at its own where that one says nothing, or fails.
type check struct {
	*Services
	way          checker.Through
	through, own checker.Checker
	timeout      time.Duration
	void         bool // so was the last answer through the virtual address
	missing      bool // by the last answer that counted, the server answers at its own address alone
}

// New makes the check of a Spec whose Through is set. Build makes those that ask one address.
func (s *Services) New(spec checker.Spec, build func(checker.Spec) (checker.Checker, error)) (checker.Checker, error) {
	c := &check{Services: s, way: spec.Through, timeout: spec.Timeout}
	if spec.Type == "negotiate" {
		c.timeout = spec.NegotiateTimeout
	}
	var err error
	spec.Through = checker.Through{}
	if c.own, err = build(spec); err != nil {
		return nil, err
	}
	spec.OnLink = false // the table leads there
	there := netip.AddrPortFrom(c.way.Virtual, spec.Target.Port())
	spec.URL = strings.Replace(spec.URL, "://"+spec.Target.String()+"/", "://"+there.String()+"/", 1)
	spec.Target = there
	c.through, err = build(spec)
	return c, err
}

// Check implements checker.Checker.
func (c *check) Check(ctx context.Context) checker.Result {
	if !c.on.Load() {
		return c.own.Check(ctx)
	}
	began, after := time.Now(), c.timeout/2
	if c.void {
		after = 0 // its answer will be needed
	}
	answer := make(chan checker.Result, 1)
	beside, cancel := context.WithCancel(checker.Taped(ctx, nil))
	defer cancel()
	timer := time.AfterFunc(after, func() { answer <- c.own.Check(beside) })
	own := func(limit time.Duration) checker.Result {
		if timer.Stop() {
			timer.Reset(0)
		}
		defer time.AfterFunc(limit, cancel).Stop()
		return <-answer
	}
	r, void := c.ask(ctx)
	if void != "" && time.Since(began) < after { // the service was just lost, and is made again
		r, void = c.ask(ctx)
	}
	c.void = void != ""
	switch {
	case c.void:
		return c.instead(own(math.MaxInt64), void)
	case !r.OK && !r.Local && !r.Unjudged:
		r = c.explain(r, own(max(c.timeout-time.Since(began), 0)+overtime))
		c.missing = r.OwnAnswers
	default:
		c.missing = c.missing && !r.OK
		cancel()
		if !timer.Stop() {
			<-answer
		}
	}
	r.Way = checker.WayThrough
	return r
}

// ask asks the server through the virtual address, and tells why the answer is void.
func (c *check) ask(ctx context.Context) (r checker.Result, void string) {
	now, err := c.ready(ctx, c.way)
	if err != nil {
		return r, err.Error()
	}
	r = c.through.Check(checker.WithVia(ctx, now.via))
	return r, c.judge(ctx, c.way, now, r)
}

// instead is the answer of the server's own address where none through the virtual one counts. It does not bring a server
// back that failed through the virtual one alone.
func (c *check) instead(r checker.Result, why string) checker.Result {
	why = fmt.Sprintf("not checked through %v: %s", c.way.Virtual, why)
	if r.OK && c.missing {
		return checker.Result{Unjudged: true, Cause: checker.Unjudged, Detail: why, Way: checker.WayVoid}
	}
	if r.Warning != "" {
		why += "; " + r.Warning
	}
	r.Warning, r.Way = why, checker.WayVoid
	return r
}

// explain says of a failure through the virtual address what the server's own address says.
func (c *check) explain(r, own checker.Result) checker.Result {
	r.Detail = fmt.Sprintf("through %v: %s", c.way.Virtual, r.Detail)
	switch r.OwnAnswers = own.OK; {
	case own.OK && r.Cause == checker.Answer:
		r.Detail += fmt.Sprintf("; at %v it answers as wanted", c.way.Server)
	case own.OK:
		r.Detail += fmt.Sprintf("; at %v it answers: is %v on it? ldirectord CONFIG realserver-script %[1]v", c.way.Server, c.way.Virtual)
	case !own.Local && !own.Unjudged:
		r.Detail = fmt.Sprintf("%s; %s", own.Detail, r.Detail)
	}
	return r
}
