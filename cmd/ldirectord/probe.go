package main

import (
	"context"
	"fmt"
	"sync"
	"text/tabwriter"
	"time"

	"ldirectord/checker"
	"ldirectord/director"
)

// probesAtOnce bounds how many checks of a probe are in flight.
const probesAtOnce = 200

// probe makes each check of the configuration once and shows the results as a table.
func (a *app) probe(ctx context.Context) int {
	env := newEnvironment(checker.NewOneShotPinger())
	defer env.close()
	l, err := a.load(ctx, env.checks())
	if err != nil {
		fmt.Fprintln(a.stderr, err)
		return exitFailure
	}
	l.tell(a.stderr)
	if l.plan == nil {
		return exitConfig
	}
	env.setOurs(l.plan)
	checks := l.plan.Checks()
	results := probeAll(ctx, checks)
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "VIRTUAL\tREAL\tCHECK\tSTATE\tTIME\tDETAIL")
	code := exitOK
	for _, c := range checks {
		state, took, detail := "off", "-", ""
		if c.Checker != nil {
			r := results[c.Job]
			state, took, detail = "up", fmt.Sprintf("%.1fms", float64(r.Took)/float64(time.Millisecond)), r.Detail
			if !r.OK {
				state, code = "down", exitFailure
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", c.Virtual, c.Real, c.Job.Spec.Kind(), state, took, detail)
	}
	w.Flush()
	return code
}

// probeAll makes every check once, equal ones together.
func probeAll(ctx context.Context, checks []director.Check) map[checker.Job]checker.Result {
	results := map[checker.Job]checker.Result{}
	var mu sync.Mutex
	var wait sync.WaitGroup
	slots := make(chan struct{}, probesAtOnce)
	asked := map[checker.Job]bool{}
	for _, c := range checks {
		if c.Checker == nil || asked[c.Job] {
			continue
		}
		asked[c.Job] = true
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			start := time.Now()
			r := c.Checker.Check(ctx)
			r.Took = time.Since(start)
			mu.Lock()
			defer mu.Unlock()
			results[c.Job] = r
		})
	}
	wait.Wait()
	return results
}
