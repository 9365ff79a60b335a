package viavip

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/wire"
)

// overtime is how far a failed check may exceed its timeout in order to find out whether the server answers at its own
// address.
const overtime = time.Second

// otherPorts is how many more source ports a datagram check tries while packets may fail to reach the private service.
// IPVS may remember any port as part of a connection with another server.
const otherPorts = 4

// forever is the limit for checks that apply a timeout of their own.
const forever = time.Duration(math.MaxInt64)

// check checks a server through the virtual address and, if that fails or proves nothing, at its own address. It is a
// checker.Guided.
type check struct {
	*Services
	way          checker.Through
	through, own checker.Checker
	others       []checker.Checker // copies of through; only for datagrams
	timeout      time.Duration

	began   time.Time
	now     passage       // of the last check
	void    string        // why the last answer through the virtual address was void
	usual   time.Duration // how long the last success through the virtual address took
	passed  bool          // the last answer that counted was a success
	missing bool          // the server answers only at its own address, according to that answer
}

// New makes the check of a Spec whose Through is set. build makes a check at one address.
func (s *Services) New(spec checker.Spec, build func(checker.Spec) (checker.Checker, error)) (checker.Checker, error) {
	c := &check{Services: s, way: spec.Through, timeout: cmp.Or(spec.Timeout, spec.NegotiateTimeout)}
	var err error
	spec.Through = checker.Through{}
	if c.own, err = build(spec); err != nil {
		return nil, err
	}
	spec.Through, spec.OnLink = c.way, false // IPVS forwards the packets
	there := netip.AddrPortFrom(c.way.Virtual, spec.Target.Port())
	spec.URL = strings.Replace(spec.URL, "://"+spec.Target.String()+"/", "://"+there.String()+"/", 1)
	spec.Target = there
	for spec.Protocol == "udp" && len(c.others) < otherPorts && err == nil {
		var other checker.Checker
		other, err = build(spec)
		c.others = append(c.others, other)
	}
	if err == nil {
		c.through, err = build(spec)
	}
	return c, err
}

// Check implements checker.Checker. While answers through the virtual address are void, it checks the server's own
// address at the same time, so that a dead server is removed in time.
func (c *check) Check(ctx context.Context) checker.Result {
	if !c.isOn() {
		return c.own.Check(ctx)
	}
	c.began = time.Now()
	if c.void == "" {
		return c.finish(ctx, c.ask(ctx, forever))
	}
	own := c.askOwn(ctx)
	r, there := c.ask(ctx, forever), <-own
	if c.void == "" {
		return c.count(ctx, r)
	}
	return c.instead(there)
}

// askOwn begins a check at the server's own address. That check is not recorded in a transcript.
func (c *check) askOwn(ctx context.Context) <-chan checker.Result {
	own := make(chan checker.Result, 1)
	go func() { own <- c.own.Check(wire.Taped(ctx, nil)) }()
	return own
}

// isOn reports whether the check goes through its private service.
func (c *check) isOn() bool {
	left := c.left.Load()
	return c.on.Load() && (left == nil || !(*left)[c.way.Virtual])
}

// ask checks the server through the virtual address, and judges the result. While the path is in doubt, limit bounds
// the time of each check.
func (c *check) ask(ctx context.Context, limit time.Duration) (r checker.Result) {
	doubted, err := c.ready(ctx, c.way, &c.now)
	began := time.Now()
	switch c.now.counted = doubted; {
	case err != nil:
	case doubted:
		agrees := c.askOthers(ctx, limit)
		if r, err = c.surely(ctx, &c.now, limit, c.through); !agrees(r.OK, err) {
			r = checker.Result{Cause: checker.Unjudged, Detail: "its answers depend on the source port"}
		}
	default:
		r = c.through.Check(wire.WithVia(ctx, c.now.via))
	}
	if r.OK {
		c.usual = time.Since(began)
	}
	if err != nil {
		c.void, c.now.looked = voidBy(err), time.Time{}
		return r
	}
	c.void = c.judge(ctx, &c.now, r)
	return r
}

// askOthers starts copies of a datagram check from other ports, which run alongside it. It returns a function that
// waits for the copies, and reports whether all have the result of the check. If err is not nil, that result proves
// nothing, and the function cancels the copies.
func (c *check) askOthers(ctx context.Context, limit time.Duration) (agrees func(ok bool, err error) bool) {
	ctx, cancel := context.WithTimeout(wire.WithVia(wire.Taped(ctx, nil), c.now.via), limit)
	results := make(chan bool, len(c.others))
	for _, other := range c.others {
		go func() { results <- other.Check(ctx).OK }()
	}
	return func(ok bool, err error) bool {
		defer cancel()
		if err != nil {
			cancel()
		}
		agree := true
		for range c.others {
			agree = <-results == ok && agree
		}
		return agree
	}
}

// First implements checker.Guided.
func (c *check) First() checker.Checker { return c.through }

// Way implements checker.Guided. The check uses the path of the previous check as long as that path seems right.
func (c *check) Way(now time.Time) (via *wire.Via, ok bool) {
	c.began, c.now.counted = now, false
	return &c.now.via, c.void == "" && c.isOn() && c.now.isPresent() && now.Sub(c.now.looked) < 2*wayRenewed
}

// Confirm implements checker.Guided.
func (c *check) Confirm(ctx context.Context, all []checker.Guided) []bool {
	counts, services := make([]bool, len(all)), make([]*service, len(all))
	for i, g := range all {
		services[i] = &g.(*check).now.service
	}
	_ = c.with(ctx, checkTimeout, func(t turn) error {
		seen, err := t.look(services...)
		now := time.Now()
		for i, g := range all {
			other := g.(*check)
			doubted, err := c.locate(&other.now, now)
			if counts[i] = seen[i].stayed && !doubted && err == nil; counts[i] {
				other.passed, other.missing, other.usual = true, false, now.Sub(other.began)
			} else {
				other.now.looked = time.Time{} // the next look gives the reason
			}
		}
		return err
	})
	return counts
}

// Finish implements checker.Guided.
func (c *check) Finish(ctx context.Context, r checker.Result) checker.Result {
	c.void = c.judge(ctx, &c.now, r)
	return c.finish(ctx, r)
}

func (c *check) finish(ctx context.Context, r checker.Result) checker.Result {
	wasLost := c.void != "" && time.Since(c.began) < c.timeout/2 // the service may be lost: ask makes it again
	if isUnsure := c.void == "" && r.OK && c.now.looked.IsZero(); wasLost || isUnsure {
		r = c.ask(ctx, forever)
	}
	if c.void != "" {
		return c.instead(<-c.askOwn(ctx))
	}
	return c.count(ctx, r)
}

// count returns the result for an answer that counts. To explain a failure, it checks the server's own address in the
// time that is left. Meanwhile it checks through the virtual address again if the service may have missed the first
// connection, or if the server passed before: no single connection decides about such a server. If few ports are free,
// and a server that passed before answers at its own address, it checks a last time with the whole timeout. An earlier
// connection from the same port may delay the answer.
func (c *check) count(ctx context.Context, r checker.Result) checker.Result {
	if !r.OK && r.Conclusive() {
		beside, cancel := context.WithCancel(ctx)
		defer cancel()
		left := max(c.timeout-time.Since(c.began), 0)
		defer time.AfterFunc(left+overtime, cancel).Stop()
		own := c.askOwn(beside)
		if !c.now.counted || c.passed {
			r = c.again(ctx, r, max(left+min(overtime, c.timeout/2), 2*c.usual))
		}
		fails := c.fails(r)
		if !fails {
			cancel()
		}
		there := <-own
		if fails && there.OK && c.passed && c.now.crowded {
			r = c.again(ctx, r, c.timeout)
			fails = c.fails(r)
		}
		if c.void != "" {
			return c.instead(<-c.askOwn(ctx))
		}
		if fails {
			r = c.explain(r, there)
			c.missing = r.OwnAnswers
		}
	}
	r.Way = checker.WayThrough
	c.missing = c.missing && !r.OK
	if r.Conclusive() {
		c.passed = r.OK
	}
	return r
}

// fails reports whether a result is a failure that counts.
func (c *check) fails(r checker.Result) bool { return c.void == "" && !r.OK && r.Conclusive() }

// again checks a failed server once more, over a connection that its service counts. It returns the new result, or the
// first one if the second failed because limit had passed.
func (c *check) again(ctx context.Context, first checker.Result, limit time.Duration) checker.Result {
	began := time.Now()
	r := c.ask(ctx, limit)
	if !r.OK && r.Cause != checker.Unjudged && time.Since(began) >= limit {
		return first
	}
	return r
}

// instead returns the result at the server's own address when no answer through the virtual address counts. A success
// there does not bring back a server that failed only through the virtual address. If the reason why no answer counts
// is only temporary, such a success brings back no failed server at all.
func (c *check) instead(r checker.Result) checker.Result {
	why := fmt.Sprintf("not checked through %v: %s", c.way.Virtual, c.void)
	forNow := slices.Contains([]string{errSilent.Error(), errLost.Error(), errScarce.Error()}, c.void)
	if r.OK && (c.missing || forNow && !c.passed) {
		return checker.Result{Cause: checker.Unjudged, Detail: why, Way: checker.WayVoid}
	}
	if r.Warning != "" {
		why += "; " + r.Warning
	}
	r.Warning, r.Way = why, checker.WayVoid
	return r
}

// explain adds the result at the server's own address to a failure through the virtual address.
func (c *check) explain(r, own checker.Result) checker.Result {
	r.Detail = fmt.Sprintf("through %v: %s", c.way.Virtual, r.Detail)
	switch r.OwnAnswers = own.OK; {
	case own.OK && r.Cause == checker.Answer:
		r.Detail += fmt.Sprintf("; at %v it answers as expected", c.way.Server)
	case own.OK:
		r.Detail += fmt.Sprintf("; at %v it answers: is %v on it? ldirectord %s realserver-script %[1]v",
			c.way.Server, c.way.Virtual, c.Config)
	case own.Conclusive():
		r.Detail = fmt.Sprintf("%s; %s", own.Detail, r.Detail)
	}
	return r
}
