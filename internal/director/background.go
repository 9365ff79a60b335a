package director

import (
	"context"
	"time"

	"ldirectord/internal/announce"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
)

// background carries out slow orders in a goroutine of its own, one at a time.
type background[O, R any] struct {
	carryOut func(context.Context, O) R
	reports  chan R // the results of the orders
	busy     bool   // an order is in progress, or its result is not yet taken
}

func newBackground[O, R any](carryOut func(context.Context, O) R) background[O, R] {
	return background[O, R]{carryOut: carryOut, reports: make(chan R, 1)}
}

// start starts an order. The order runs to its end even if ctx is done.
func (a *background[O, R]) start(ctx context.Context, order O) {
	a.busy = true
	go func() { a.reports <- a.carryOut(context.WithoutCancel(ctx), order) }()
}

// wait is called at a stop. It waits for the order in progress, if there is one, and reports whether the order ended
// before ctx was done.
func (a *background[O, R]) wait(ctx context.Context) (r R, ended bool) {
	if a.busy {
		select {
		case r = <-a.reports:
			a.busy = false
		case <-ctx.Done(): // a program may hang in the kernel
		}
	}
	return r, !a.busy
}

// The time limit of an order for mark rules is marksTimeout plus ruleTimeout for each rule. A program runs for every
// rule.
const (
	marksTimeout = 15 * time.Second
	ruleTimeout  = 20 * time.Millisecond
)

// Marks sets the rules that give packets their firewall marks.
type Marks interface {
	// Sync sets exactly these rules, and returns a line for each damaged rule that it restored.
	Sync(ctx context.Context, want []lvs.MarkRule) ([]string, error)
}

// rules is the result of an order for mark rules.
type rules struct {
	all      []lvs.MarkRule
	restored []string
	err      error
}

func (d *Director) setRules(ctx context.Context, all []lvs.MarkRule) rules {
	ctx, cancel := context.WithTimeout(ctx, marksTimeout+time.Duration(len(all))*ruleTimeout)
	defer cancel()
	restored, err := d.deps.Marks.Sync(ctx, all)
	return rules{all, restored, err}
}

// Announcer puts addresses on devices and removes them, see package announce.
type Announcer interface {
	Sync(ctx context.Context, want []lvs.Wanted) ([]announce.Place, error)
	Changes(ctx context.Context) <-chan struct{}
}

// places is the result of an order for addresses.
type places struct {
	all []announce.Place
	err error
}

// place puts addresses on their devices. Without an Announcer, it returns the places where they should be.
func (d *Director) place(ctx context.Context, want []lvs.Wanted) (r places) {
	if d.deps.Announcer == nil {
		return places{all: announce.Placed(want)}
	}
	ctx, cancel := context.WithTimeout(ctx, judge.Moving)
	defer cancel()
	r.all, r.err = d.deps.Announcer.Sync(ctx, want)
	return r
}
