package director

import (
	"context"
	"time"

	"ldirectord/internal/announce"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
)

// background carries out slow orders in a goroutine of its own, one at a time.
type background struct {
	reports chan func() // each passes the result of an order to the core
	busy    bool        // an order is in progress, or its result is not yet taken
}

func newBackground() background { return background{reports: make(chan func(), 1)} }

// start starts an order. The order runs to its end even if ctx is done.
func (a *background) start(ctx context.Context, carryOut func(context.Context) (report func())) {
	a.busy = true
	go func() { a.reports <- carryOut(context.WithoutCancel(ctx)) }()
}

// wait is called at a stop. It waits for the order in progress, if there is one, and reports whether the order ended
// before ctx was done.
func (a *background) wait(ctx context.Context) (report func(), ended bool) {
	if a.busy {
		select {
		case report = <-a.reports:
			a.busy = false
		case <-ctx.Done(): // a program may hang in the kernel
		}
	}
	return report, !a.busy
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

// setRules starts an order for mark rules. took passes the result to the core.
func (d *Director) setRules(ctx context.Context, all []lvs.MarkRule,
	took func(time.Time, []lvs.MarkRule, []string, error)) {
	d.rules.start(ctx, func(ctx context.Context) (report func()) {
		ctx, cancel := context.WithTimeout(ctx, marksTimeout+time.Duration(len(all))*ruleTimeout)
		defer cancel()
		restored, err := d.deps.Marks.Sync(ctx, all)
		return func() { took(time.Now(), all, restored, err) }
	})
}

// Announcer puts addresses on devices and removes them, see package announce.
type Announcer interface {
	Sync(ctx context.Context, want []lvs.Wanted) ([]announce.Place, error)
	Changes(ctx context.Context) <-chan struct{}
}

// place puts addresses on their devices. Without an Announcer, it returns the places where they should be.
func (d *Director) place(ctx context.Context, want []lvs.Wanted) ([]announce.Place, error) {
	if d.deps.Announcer == nil {
		return announce.Placed(want), nil
	}
	ctx, cancel := context.WithTimeout(ctx, judge.Moving)
	defer cancel()
	return d.deps.Announcer.Sync(ctx, want)
}
