package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"ldirectord/internal/orders"
	"ldirectord/internal/runfile"
	"ldirectord/internal/status"
	"ldirectord/internal/view"
)

// rollBudget is how long roll waits for its turn with a server, unless --wait-budget says so.
const rollBudget = 10 * time.Minute

// roll takes one server after the other out of service, runs a command for it, and puts it back once it passes. It
// stops at the first trouble; that server stays drained.
func roll(c *call) error {
	if c.dash < 1 || c.dash == len(c.args) {
		return exit{exitUsage, fmt.Errorf("roll: %s must come after it", c.command.Takes)}
	}
	words, argv := c.args[:c.dash], c.args[c.dash:]
	virtual, servers, err := c.rolled(words)
	if err != nil {
		return err
	}
	c.Why, c.WaitBudget = cmp.Or(c.Why, "roll"), cmp.Or(c.WaitBudget, rollBudget)
	for i, real := range servers {
		c.tell("%s, %d of %d", real, i+1, len(servers))
		drained, err := c.rollOne(append(slices.Clone(virtual), real), argv)
		if drained && err != nil {
			c.warn("%s stays drained; to end that: ldirectord %s undrain %s", real,
				strings.Join(append(c.own(), c.path), " "), strings.Join(append(virtual, real), " "))
		}
		if rest := servers[i+1:]; err != nil && len(rest) > 0 {
			c.warn("not rolled: %s", strings.Join(rest, " "))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// rolled are the servers that the words mean, in their order, and the virtual service before them, if there is one.
func (c *call) rolled(words []string) (virtual, servers []string, err error) {
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
			if !slices.Contains(servers, s.Real) && !s.Fallback {
				servers = append(servers, s.Real)
			}
		}
	}
	return virtual, servers, nil
}

// rollOne rolls one server. It reports whether the server is drained if that fails.
func (c *call) rollOne(server, argv []string) (drained bool, err error) {
	if err := setServers(c, server, string(orders.Drain)); err != nil {
		return false, err
	}
	err = c.await(server, "still has connections", func(s status.Case) bool { return c.isAs(s, "out") })
	if late, is := errors.AsType[late](err); is {
		c.tell("%v; the command runs all the same", late)
	} else if err != nil {
		return true, err
	}
	if err := c.runFor(server[len(server)-1], argv); err != nil {
		return true, err
	}
	ended := time.Now()
	passes := func(s status.Case) bool { return passedSince(s, ended) }
	if err := c.await(server, "has not passed its checks", passes); err != nil {
		return true, err
	}
	if err := c.takeBack(server); err != nil {
		return true, err
	}
	serves := func(s status.Case) bool { return c.isAs(s, "up") && !strings.Contains(s.Parts, "slowstart") }
	return false, c.await(server, "does not serve with its full weight", serves)
}

// takeBack ends the order to drain.
func (c *call) takeBack(server []string) error {
	why, budget := c.Why, c.WaitBudget
	c.Why, c.WaitBudget = "", 0 // they are for orders that take out
	err := setServers(c, server, string(orders.Ready))
	c.Why, c.WaitBudget = why, budget
	return err
}

// runFor runs the command, with the name of the server for each word {}. Its exit status becomes that of roll.
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
	err := cmd.Run()
	if failed, is := errors.AsType[*exec.ExitError](err); is && failed.ExitCode() > 0 {
		return exit{failed.ExitCode(), fmt.Errorf("%s: %w", argv[0], err)}
	}
	return runfile.While("running the command", err)
}

// await waits until each entry of a server meets a condition, for at most --timeout.
func (c *call) await(server []string, not string, met func(status.Case) bool) error {
	ctx, cancel := context.WithTimeout(c.ctx, c.Timeout)
	defer cancel()
	for c.args = server; ; {
		found, err := c.askWhy()
		if err != nil {
			return err
		}
		others := slices.DeleteFunc(found.Servers, met)
		if len(others) == 0 {
			return nil
		}
		if !runfile.Pause(ctx, idleInterval) {
			s := others[0]
			return late(fmt.Sprintf("%s of %s %s after %v", s.Real, s.Virtual, not, c.Timeout))
		}
	}
}

// late is the error of waiting without success.
type late string

func (l late) Error() string { return string(l) }

// lateBy is how late the time of a result may be.
const lateBy = time.Second

// passedSince reports whether all checks of a server have passed that began after a moment.
func passedSince(s status.Case, moment time.Time) bool {
	passed := func(last *status.Check) bool {
		return last != nil && last.OK &&
			last.Time.Add(-lateBy-time.Duration(last.Seconds*float64(time.Second))).After(moment)
	}
	failed := func(check view.Check) bool { return !check.Agent && !passed(check.Check) }
	if len(s.Checks) > 0 {
		return !slices.ContainsFunc(s.Checks, failed)
	}
	return passed(s.Check)
}
