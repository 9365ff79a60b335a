package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
	"ldirectord/internal/runfile"
	"ldirectord/internal/status"
	"ldirectord/internal/view"
)

// rollBudget is how long roll waits for its turn with a server, unless --wait-budget says so.
const rollBudget = 10 * time.Minute

// roll takes one server after the other out of service, runs a command for it, and puts it back once it passes. It
// stops at the first trouble, or at a signal; that server stays drained.
func roll(c *call) error {
	if c.dash < 1 || c.dash == len(c.args) {
		return exit{exitUsage, fmt.Errorf("roll: %s must come after it", c.command.Takes)}
	}
	words, argv := c.args[:c.dash], c.args[c.dash:]
	virtual, servers, err := c.rolled(words)
	if err != nil {
		return err
	}
	state, err := openRoll(c.State, slices.Concat([]string{c.path}, words, []string{"--"}, argv))
	if err != nil {
		return err
	}
	defer state.close()
	if err := c.warnOfOut(servers); err != nil {
		return err
	}
	left, done := state.left(namesOf(servers))
	if len(done) > 0 {
		c.tell("rolled before: %s", strings.Join(done, " "))
	}
	var stop context.CancelFunc
	c.ctx, stop = signal.NotifyContext(c.ctx, unix.SIGINT, unix.SIGTERM)
	defer stop()
	c.Why, c.WaitBudget = cmp.Or(c.Why, orders.ByRoll), cmp.Or(c.WaitBudget, rollBudget)
	for i, real := range left {
		server, drained := append(slices.Clone(virtual), real), false
		err := state.begin(real)
		if err == nil {
			c.tell("%s, %d of %d", real, len(done)+i+1, len(done)+len(left))
			c.out.Flush() // which remembers an error
			drained, err = c.rollOne(server, argv)
		}
		if err != nil {
			c.hint(server, drained, left[i+1:])
			return cmp.Or(runfile.While("roll", context.Cause(c.ctx)), err)
		}
		state.Done = append(state.Done, real)
	}
	return state.end()
}

// namesOf are the names of servers, each once.
func namesOf(servers []lvs.Backend) (names []string) {
	for _, at := range servers {
		if !slices.Contains(names, at.Real) {
			names = append(names, at.Real)
		}
	}
	return names
}

// hint tells what a roll that failed at a server leaves, and how to continue.
func (c *call) hint(server []string, drained bool, left []string) {
	real := server[len(server)-1]
	if drained {
		c.warn("%s stays drained; to end that: ldirectord %s undrain %s", real,
			strings.Join(append(c.own(), c.path), " "), strings.Join(server, " "))
	} else {
		c.warn("%s is not drained", real)
	}
	if len(left) > 0 {
		c.warn("not rolled: %s", strings.Join(left, " "))
	}
	if c.State != "" {
		c.warn("to continue: the same command again; it begins with %s", real)
	}
}

// warnOfOut tells which servers of these virtual services are out already.
func (c *call) warnOfOut(servers []lvs.Backend) error {
	report, err := c.report()
	if err != nil {
		return err
	}
	for i := range report.Virtuals {
		v := &report.Virtuals[i]
		if !slices.ContainsFunc(servers, func(at lvs.Backend) bool { return at.Virtual == v.ID }) {
			continue
		}
		var out []string
		for k := range v.Servers {
			if s := &v.Servers[k]; s.State != "up" && s.State != "off" {
				out = append(out, s.Real+": "+s.Why())
			}
		}
		if len(out) > 0 {
			c.warn("%s: out already: %s", v.ID, view.Listed(out))
		}
	}
	return nil
}

// rolled are the servers that the words mean, in their order, and the virtual service before them, if there is one.
func (c *call) rolled(words []string) (virtual []string, servers []lvs.Backend, err error) {
	c.args = words[:1]
	if _, err := c.askWhy(); err != nil && len(words) > 1 {
		virtual, words = words[:1], words[1:]
	}
	for _, word := range words {
		c.args = append(slices.Clone(virtual), word)
		found, err := c.askWhy()
		if err != nil {
			return nil, nil, err
		}
		for _, s := range found.Servers {
			if !s.Fallback {
				servers = append(servers, lvs.At(s.Virtual, s.Real))
			}
		}
	}
	return virtual, servers, nil
}

// rollOne rolls one server. It reports whether the server is drained if that fails.
func (c *call) rollOne(server, argv []string) (drained bool, err error) {
	if err := c.takeOut(server); err != nil {
		return c.isDrained(server), err
	}
	isOut := func(s status.Case) (bool, string) { return c.isAs(s, "out"), "" }
	err = c.await(server, "still has connections", isOut)
	if late, is := errors.AsType[late](err); is {
		c.tell("%v; the command runs all the same", late)
	} else if err != nil {
		return true, err
	}
	if err := c.runFor(server[len(server)-1], argv); err != nil {
		return true, err
	}
	ended := time.Now()
	passes := func(s status.Case) (bool, string) {
		left := unpassed(s, ended)
		return len(left) == 0, strings.Join(left, "; ")
	}
	if err := c.await(server, "has not passed its checks", passes); err != nil {
		return true, err
	}
	if err := c.takeBack(server); err != nil {
		return true, err
	}
	return false, c.await(server, "does not serve with its full weight", func(s status.Case) (bool, string) {
		return c.isAs(s, "up") && !strings.Contains(s.Parts, "slowstart"), cmp.Or(s.Parts, s.Why())
	})
}

// firstLook is how long roll waits for its turn with a server before it tells so.
const firstLook = time.Second

// takeOut drains a server when enough others serve. It tells why it waits.
func (c *call) takeOut(server []string) error {
	first := *c
	first.WaitBudget = min(c.WaitBudget, firstLook)
	err := first.give(server, orders.Drain)
	if err == nil || first.WaitBudget == c.WaitBudget {
		return err
	}
	short, waits := strings.CutSuffix(err.Error(), ", after "+firstLook.String())
	if !waits {
		return err
	}
	c.warn("%s; waiting for up to %v", short, c.WaitBudget)
	return c.give(server, orders.Drain)
}

// give gives an order. One that is only recorded, because the daemon has ended, is a failure.
func (c *call) give(server []string, kind orders.Kind) error {
	err := setServers(c, server, string(kind))
	if err != nil && statusFor(err) == exitOK {
		return errors.New(err.Error())
	}
	return err
}

// takeBack ends the order to drain, even if a signal comes meanwhile.
func (c *call) takeBack(server []string) error {
	back := *c
	back.ctx, back.Why, back.WaitBudget = context.WithoutCancel(c.ctx), "", 0 // as no order to take out
	return back.give(server, orders.Ready)
}

// isDrained reports whether a server is drained, or may be.
func (c *call) isDrained(server []string) bool {
	asks := *c
	asks.ctx, asks.args = context.WithoutCancel(c.ctx), server
	found, err := asks.askWhy()
	return err != nil || slices.ContainsFunc(found.Servers, func(s status.Case) bool { return s.Drained })
}

// commandEnd is how long the command may take to end after a signal.
const commandEnd = 10 * time.Second

// runFor runs the command, with the name of the server for each word {}. Its exit status becomes that of roll. A signal
// that ends roll ends it.
func (c *call) runFor(real string, argv []string) error {
	c.out.Flush() // which remembers an error
	argv = slices.Clone(argv)
	for i, word := range argv {
		if word == "{}" {
			argv[i] = real
		}
	}
	cmd := exec.CommandContext(c.ctx, argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, c.stdout, c.stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGTERM) }
	cmd.WaitDelay = commandEnd
	err := cmd.Run()
	if failed, is := errors.AsType[*exec.ExitError](err); is && failed.ExitCode() > 0 {
		return exit{failed.ExitCode(), fmt.Errorf("%s for %s: %w", argv[0], real, err)}
	}
	return runfile.While("running the command", err)
}

// await waits until each entry of a server meets a condition, for at most --timeout. met also returns why one does not.
func (c *call) await(server []string, not string, met func(status.Case) (bool, string)) error {
	ctx, cancel := context.WithTimeout(c.ctx, c.Timeout)
	defer cancel()
	for c.args = server; ; {
		found, err := c.askWhy()
		if err != nil {
			return err
		}
		others := slices.DeleteFunc(found.Servers, func(s status.Case) bool { so, _ := met(s); return so })
		if len(others) == 0 {
			return nil
		}
		if runfile.Pause(ctx, idleInterval) {
			continue
		}
		if err := c.ctx.Err(); err != nil {
			return err
		}
		s := others[0]
		_, why := met(s)
		return late(fmt.Sprintf("%s of %s %s after %v", s.Real, s.Virtual, not, c.Timeout) +
			view.After(": ", why))
	}
}

// late is the error of waiting without success.
type late string

func (l late) Error() string { return string(l) }

// lateBy is how late the time of a result may be.
const lateBy = time.Second

// unpassed are the checks of a server that have not passed since a moment, by runs that began after it, with what they
// found.
func unpassed(s status.Case, moment time.Time) (list []string) {
	checks := s.Checks
	if len(checks) == 0 {
		checks = []view.Check{{Check: s.Check}}
	}
	for _, check := range checks {
		last, found := check.Check, ""
		switch {
		case check.Agent:
			continue
		case last == nil:
			found = view.NoResult
		case !last.OK:
			found = last.Detail
		case last.Time.Add(-lateBy - time.Duration(last.Seconds*float64(time.Second))).After(moment):
			continue
		default:
			found = "no result since the command ended"
		}
		if check.Name != "" {
			found = check.Name + ": " + found
		}
		list = append(list, found)
	}
	return list
}
