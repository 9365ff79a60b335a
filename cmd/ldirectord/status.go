package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"ldirectord/internal/instance"
	"ldirectord/internal/printable"
	"ldirectord/internal/resolve"
	"ldirectord/internal/status"
)

// siblingTimeout limits how long the status commands for the files that execute= names may take. It leaves time for a
// look-up of names.
const siblingTimeout = resolve.LookupDeadline + 2*time.Second

// showStatus shows whether the daemon is running, with the texts and exit statuses of the Perl ldirectord. With
// --verbose or --json it also shows the daemon's report. If a running daemon's report can't be shown, the exit status
// is exitUnknown.
func showStatus(c *call) error {
	if len(c.Of) > 0 {
		return compareDirectors(c)
	}
	found := c.found()
	if pid := found.Pid; pid != 0 {
		if c.Watch != 0 {
			return watch(c)
		}
		c.say("ldirectord for %s is running with pid: %d", c.path, pid)
		err := showReport(c, pid)
		if !c.JSON {
			showSiblings(c, found.State.Execute)
		}
		return err
	}
	if found.Unseen != nil {
		return unshown(c, 0, found.Unseen)
	}
	if c.JSON {
		c.printJSON(&status.Report{Config: c.path})
	}
	refused := c.load()
	ended := exitStopped
	if found.Stale {
		c.say("ldirectord stale pid file %s for %s", c.instance().PidFile(), c.path)
		ended = exitFailure
	}
	tell := c.tell
	if c.JSON {
		tell = c.say // the answer is only JSON
	}
	tell("ldirectord is stopped for %s", c.path)
	c.complain(c.others())
	return cmp.Or(refused, error(exit{status: ended}))
}

// others names other daemons that the operator may have meant: one for another file with the same name or, if there is
// none, those for this file that use another table or network namespace.
func (o *options) others() error { return cmp.Or(o.instance().NameTaken(), o.elsewhere()) }

// elsewhere names the daemons for this file that use another table or network namespace, and the commands that reach
// them. It returns nil if there are none.
func (o *options) elsewhere() error {
	var all []string
	for _, s := range o.instance().Elsewhere() {
		how := printable.ShellLine("ldirectord", "--ipvs", s.Table, "--rundir", o.RunDir, o.path, o.verb)
		if s.NetNS != instance.NetNS() {
			how = fmt.Sprintf("nsenter --net=/proc/%d/ns/net ", s.Pid) + how
		}
		all = append(all, fmt.Sprintf("a daemon with pid %d runs this file with another table or "+
			"network namespace; to reach it, use %s", s.Pid, how))
	}
	if len(all) == 0 {
		return nil
	}
	return errors.New(strings.Join(all, "; "))
}

// showReport prints the daemon's report with --verbose or --json, and otherwise only what is worth a warning.
func showReport(c *call, pid int) error {
	if !c.Verbose && !c.JSON {
		c.complain(c.perlRuns())
		showState(c)
		return nil
	}
	report, err := c.report()
	switch {
	case err != nil:
		return unshown(c, pid, err)
	case c.JSON:
		c.printJSON(report)
		return nil
	}
	err = report.WriteText(c.raw) // WriteText escapes before it breaks lines
	if errors.Is(err, unix.EPIPE) {
		return nil // a reader that has gone is no failure of the daemon
	}
	return err
}

// unshown returns the error for a running daemon whose report can't be shown. With --json it prints a report that
// contains the reason.
func unshown(c *call, pid int, why error) error {
	if !c.JSON {
		return exit{exitUnknown, why}
	}
	c.printJSON(&status.Report{Running: true, Config: c.path, Pid: pid, Error: why.Error()})
	return exit{status: exitUnknown}
}

// showState prints a line if the daemon stands by, and a line if there are virtual services without a server. If the
// daemon does not answer within a second, the recorded role decides whether it stands by.
func showState(c *call) {
	ctx, cancel := context.WithTimeout(c.ctx, time.Second)
	defer cancel()
	var lacking, all, standby int
	if last, _ := c.roleFile().Read(); last.Role == instance.Standby {
		standby = 1
	}
	if text, err := c.socket().Ask(ctx, "/lacking"); err == nil {
		_ = json.Unmarshal(text, &[]*int{&lacking, &all, &standby}) // earlier versions answer only two
	}
	if standby == 1 {
		c.say("standing by: it checks and leaves the table to another director")
	}
	if lacking > 0 {
		c.say("virtual services without a server: %d of %d; status -v shows which", lacking, all)
	}
}

// perlRuns returns an error if the running daemon is the Perl ldirectord, which has no control socket.
func (o *options) perlRuns() error {
	if p := o.found(); p.IsPerl() {
		return fmt.Errorf("pid %d is the Perl ldirectord; \"ldirectord %s restart\" takes over from it "+
			"without ending a connection", p.Pid, cmp.Or(o.config, o.path))
	}
	return nil
}

// report asks the running daemon for its report.
func (c *call) report() (*status.Report, error) {
	text, err := c.socket().Ask(c.ctx, "/status")
	if err != nil {
		return nil, cmp.Or(c.perlRuns(), err)
	}
	return status.ReadReport(text)
}

// showSiblings prints the status of the daemons that execute= names. They are asked at the same time: a silent name
// server delays the answer for each daemon that is stopped, and a cluster manager would not wait for the sum of the
// delays.
func showSiblings(c *call, names []string) {
	words := []string{"status"}
	if c.Verbose {
		words = append(words, "--verbose")
	}
	self, err := os.Executable()
	if err != nil {
		return
	}
	c.flush()
	ctx, cancel := context.WithTimeout(c.ctx, siblingTimeout)
	defer cancel()
	var asked []*exec.Cmd
	// via names all siblings: otherwise, files that name each other would be asked along every path
	siblings, via := c.via.And(c.path).Siblings(names, c.dirs, false)
	for _, s := range siblings {
		cmd := exec.CommandContext(ctx, self, slices.Concat(c.own(), []string{s.Word}, words)...)
		cmd.Env = append(os.Environ(), via.Env())
		asked = append(asked, cmd)
	}
	c.runTogether(asked)
	for i, cmd := range asked {
		if why := cutOff(ctx, cmd.ProcessState); why != "" {
			c.warn("%s: the command status %s", siblings[i].Name, why)
		}
	}
}

// cutOff says why the status command of a sibling has no exit status. It returns "" if the command has one or was never
// started, or if the user has ended the command that waits for it.
func cutOff(ctx context.Context, end *os.ProcessState) string {
	switch err := ctx.Err(); {
	case end == nil || end.Exited():
		return ""
	case err == nil:
		return fmt.Sprintf("ended: %v", end)
	case err == context.DeadlineExceeded:
		return fmt.Sprintf("did not answer within %v", siblingTimeout)
	}
	return ""
}

// runTogether runs commands at the same time, and then prints what each of them has said, in their order.
func (o *output) runTogether(all []*exec.Cmd) {
	var run sync.WaitGroup
	said := make([]struct{ out, err bytes.Buffer }, len(all))
	for i, cmd := range all {
		cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &said[i].out, &said[i].err, time.Second
		run.Go(func() { _ = cmd.Run() }) // a command that was started prints its own errors
	}
	run.Wait()
	for i := range said {
		_, _ = said[i].err.WriteTo(o.stderr)
		_, _ = said[i].out.WriteTo(o.stdout)
	}
}
