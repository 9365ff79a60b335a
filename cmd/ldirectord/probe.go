package main

import (
	"context"
	"fmt"
	"sync"
	"text/tabwriter"
	"time"

	"ldirectord/checker"
	"ldirectord/daemon"
	"ldirectord/director"
)

// maxProbes is how many checks of a probe run at once.
const maxProbes = 200

// probe makes each check of the configuration once and shows the results as a table.
func probe(ctx context.Context, c *call, l *daemon.Loaded) error {
	c.env.SetVirtuals(l.Plan)
	checks := l.Plan.Checks()
	results := probeAll(ctx, checks)
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "VIRTUAL\tREAL\tCHECK\tSTATE\tTIME\tDETAIL")
	down := false
	for _, c := range checks {
		kind, state, took, detail := c.Name, "off", "-", ""
		if c.Task != nil {
			r := results[c.Task]
			state, took, detail = "up", fmt.Sprintf("%.1fms", float64(r.Took)/float64(time.Millisecond)), r.Detail
			if r.Warning != "" {
				detail += "; " + r.Warning
			}
			if !r.OK {
				state, down = "down", true
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", c.Virtual, c.Real, kind, state, took, detail)
	}
	w.Flush()
	if down {
		return exit{status: exitFailure}
	}
	return nil
}

// probeAll makes every check once, equal ones together.
func probeAll(ctx context.Context, checks []director.Check) map[*checker.Task]checker.Result {
	results := map[*checker.Task]checker.Result{}
	var mu sync.Mutex
	var wait sync.WaitGroup
	slots := make(chan struct{}, maxProbes)
	asked := map[*checker.Task]bool{nil: true}
	for _, c := range checks {
		if asked[c.Task] {
			continue
		}
		asked[c.Task] = true
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			start := time.Now()
			r := c.Task.Checker.Check(ctx)
			r.Took = time.Since(start)
			mu.Lock()
			defer mu.Unlock()
			results[c.Task] = r
		})
	}
	wait.Wait()
	return results
}
