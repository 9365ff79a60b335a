package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/transcript"
	"ldirectord/checker/wire"
	"ldirectord/internal/core"
	"ldirectord/internal/plan"
	"ldirectord/internal/schedule"
)

// maxProbes is the maximum number of checks that a probe runs at the same time.
const maxProbes = 200

// probed is the outcome of a check.
type probed struct {
	checker.Result
	tape *transcript.Tape // nil without --verbose
}

// outcomes maps each check to its outcome.
type outcomes map[*schedule.Task]probed

// probe makes all checks of the configuration, of one virtual service or of one server. It makes each check once. It
// shows a table of the results or, with --verbose, the conversations.
func probe(c *call) error {
	c.env.SetVirtuals(c.Plan)
	words := append(slices.Clone(c.args), "", "")
	virtual, real := words[0], words[1]
	if err := core.SnapshotOf(c.Plan, time.Now()).Called(&virtual); err != nil {
		return err
	}
	checks := c.Plan.ChecksOf(virtual, real)
	if len(checks) == 0 && real == "" {
		checks = c.Plan.ChecksOf("", virtual) // a single word is a real server, as in other commands
	}
	if len(checks) == 0 && virtual != "" {
		return fmt.Errorf("%s has no server %s", c.path, strings.Join(c.args, " "))
	}
	both := c.bothWays(checks)
	results, err := c.probeThrough(c.ctx, both)
	if err != nil {
		return err
	}
	switch rows := rowsOf(both, results); {
	case c.answer != nil:
		c.answer["checks"] = rows
	case c.Verbose:
		for _, r := range rows {
			if r.Check == "-" { // the server has no address to check
				r.Check = r.Detail
			}
			c.tell("%s %s %s", r.Virtual, r.Real, r.Check)
			io.WriteString(c.out, r.Conversation)
		}
	default:
		printResults(c, rows)
	}
	if slices.ContainsFunc(checks, func(check plan.Check) bool {
		return check.Waits != "" || check.Task != nil && !results[check.Task].OK
	}) {
		return exit{status: exitFailure}
	}
	return nil
}

// bothWays returns the checks and, after each check through a virtual address, the same check at the server's own
// address. The added checks do not affect the exit status.
func (c *call) bothWays(checks []plan.Check) (both []plan.Check) {
	build := c.env.Builder()
	for _, check := range checks {
		both = append(both, check)
		if c.goesThrough(check) {
			check.Spec.Through, check.Name = checker.Through{}, check.Name+", own address"
			own, _ := build(check.Spec) // no error: the plan has built the same check
			check.Task = &schedule.Task{Checker: own}
			both = append(both, check)
		}
	}
	return both
}

// goesThrough reports whether a check is made through a virtual address. With a table in memory, no check is made in
// this way.
func (c *call) goesThrough(check plan.Check) bool {
	return c.table.Private != nil && check.Spec.Through != (checker.Through{})
}

// probeThrough makes every check once. Checks through a virtual address use private virtual services that exist only
// for this call.
func (c *call) probeThrough(ctx context.Context, checks []plan.Check) (results outcomes, err error) {
	var ways []checker.Through
	for _, check := range checks {
		if c.goesThrough(check) {
			ways = append(ways, check.Spec.Through)
		}
	}
	if len(ways) == 0 {
		return probeAll(ctx, checks, c.Verbose), nil
	}
	err = c.env.GoThrough(ctx, c.table, c.Plan, ways,
		func(ctx context.Context) { results = probeAll(ctx, checks, c.Verbose) })
	return results, err
}

// row is a check in the table of results.
type row struct {
	Virtual      string  `json:"virtual"`
	Real         string  `json:"real"`
	Check        string  `json:"check"`
	State        string  `json:"state"` // up, down, unknown, off
	Seconds      float64 `json:"seconds"`
	Detail       string  `json:"detail,omitempty"`
	Conversation string  `json:"said,omitempty"` // with --verbose
}

func rowsOf(checks []plan.Check, results outcomes) []row {
	rows := []row{}
	for _, c := range checks {
		one := row{Virtual: c.Virtual, Real: c.Real, Check: c.Name, State: "off", Detail: c.Waits}
		if c.Waits != "" {
			one.State = "unknown"
		}
		if c.Task != nil {
			one.take(results[c.Task])
		}
		rows = append(rows, one)
	}
	return rows
}

// take fills in the outcome of the check.
func (one *row) take(r probed) {
	one.State, one.Seconds, one.Detail = "up", r.Took.Seconds(), r.Detail
	if r.Warning != "" {
		one.Detail += "; " + r.Warning
	}
	if !r.OK {
		one.State = "down"
	}
	if !r.Conclusive() { // the result says nothing about the server
		one.State = "unknown"
	}
	if r.tape != nil {
		one.Conversation = r.tape.String()
	}
}

// printResults prints the table.
func printResults(c *call, rows []row) {
	t := c.newTable("VIRTUAL", "REAL", "CHECK", "STATE", "TIME", "DETAIL")
	for _, r := range rows {
		took := "-"
		if r.Seconds > 0 {
			took = fmt.Sprintf("%.1fms", 1000*r.Seconds)
		}
		t.row(r.Virtual, r.Real, r.Check, r.State, took, r.Detail)
	}
	t.Flush()
}

// probeAll makes every check once. Equal checks share one result.
func probeAll(ctx context.Context, checks []plan.Check, taped bool) outcomes {
	results := outcomes{}
	var mu sync.Mutex
	var wait sync.WaitGroup
	slots := make(chan struct{}, maxProbes)
	asked := map[*schedule.Task]bool{nil: true}
	for _, c := range checks {
		if asked[c.Task] {
			continue
		}
		asked[c.Task] = true
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			ctx, r := ctx, probed{}
			if taped {
				r.tape = transcript.New()
				ctx = wire.Taped(ctx, r.tape)
			}
			start := time.Now()
			r.Result = c.Task.Checker.Check(ctx)
			r.Took = time.Since(start)
			mu.Lock()
			defer mu.Unlock()
			results[c.Task] = r
		})
	}
	wait.Wait()
	return results
}
