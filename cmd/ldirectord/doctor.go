package main

import (
	"context"
	"strings"

	"ldirectord/checker"
	"ldirectord/internal/daemon"
	"ldirectord/internal/doctor"
	"ldirectord/internal/fwmark"
	"ldirectord/internal/plan"
	"ldirectord/internal/schedule"
)

// diagnose examines the configuration. If it is refused or can't be read, diagnose examines the one that was last in
// force.
func diagnose(c *call) error {
	refused := c.load()
	if refused == nil {
		return examine(c)
	}
	why := "is refused"
	if c.Loaded == nil {
		why = "can't be read"
	}
	last, err := daemon.LoadLastGood(c.ctx, c.source())
	if err != nil {
		return refused
	}
	c.Loaded = last
	c.note("the file %s; doctor examines the configuration that was last in force, of %s", why,
		when(last.GoodSince))
	_ = examine(c) // the file decides the exit status
	return refused
}

// examine finds what is missing on this machine and its neighbours for the configuration to work. It makes no lasting
// change. It returns an error if some traffic can't flow.
func examine(c *call) error {
	own := c.daemonHere()
	if running, err := c.report(); err == nil {
		own.Changed, own.Lists = running.NotInForce()
		own.Differing = running.Differing()
	}
	report := doctor.Examine(c.ctx, c.Plan, c.path, own)
	printReport(c, report)
	if report.IsBroken() {
		return exit{status: exitFailure}
	}
	return nil
}

// daemonHere returns the facts about the daemons on this machine that doctor needs.
func (c *call) daemonHere() doctor.Daemon {
	i := c.instance()
	own := doctor.Daemon{Private: i.PrivateMarks(), Again: c.again()}
	own.Shared, own.Unknown = daemon.Shared(c.ctx, i, c.source())
	if c.table.Machine {
		own.Table, own.Owns = c.table, fwmark.Open(i.Chains()).Owns
		own.Reach, own.Inspect = c.reach, daemon.Announcements(i).Inspect
	}
	return own
}

// reach checks real servers through virtual addresses.
func (c *call) reach(ctx context.Context, specs []checker.Spec) (doctor.Reached, error) {
	var checks []plan.Check
	build := c.env.Builder()
	for _, s := range specs {
		check, _ := build(s) // no error: the check only connects
		checks = append(checks, plan.Check{Spec: s, Task: &schedule.Task{Checker: check}})
	}
	results, err := c.probeThrough(ctx, checks)
	answers := doctor.Reached{}
	for _, check := range checks {
		answers[check.Spec] = results[check.Task].Result
	}
	return answers, err
}

func printReport(c *call, report doctor.Report) {
	if c.answer != nil {
		c.answer["faults"], c.answer["looked_at"] = report.Findings, report.LookedAt
		c.answer["not_looked_at"] = report.NotLookedAt
		return
	}
	for _, f := range report.Brief() {
		c.tell("%s", f)
	}
	c.tell("looked at: %s", strings.Join(report.LookedAt, ", "))
	for _, u := range report.NotLookedAt {
		c.tell("not looked at: %s", u)
	}
	if len(report.Findings) == 0 {
		c.tell("nothing found")
	}
}
