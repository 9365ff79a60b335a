package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"ldirectord/internal/daemon"
	"ldirectord/internal/instance"
	"ldirectord/internal/runfile"
	"ldirectord/internal/socket"
)

// stop stops the running daemon, even if the file is missing or refused, and waits until it has exited.
func stop(c *call) error {
	found := c.found()
	switch {
	case found.Pid == 0:
		return noneRuns(c, found)
	case c.waitsForUs(found):
		return nil
	case c.Keep:
		return handOver(c, found.Process)
	case len(c.via) > 0:
		return passStop(c, found.Process)
	default:
		return end(c, found.Process, unix.SIGTERM)
	}
}

// passStop stops the daemon by an order, because a signal does not say who passed the stop on. It does not wait for a
// daemon that is already ending, because that daemon may be waiting for this command. A daemon that hangs carries the
// order out when it continues. A daemon that does not take the order gets SIGTERM instead.
func passStop(c *call, p instance.Process) error {
	err := c.socket().Order(c.ctx, daemon.OrderTimeout, "/leave", url.Values{"via": c.via}, new(struct{}))
	switch {
	case errors.Is(err, socket.ErrEnding):
		return nil
	case err == nil, errors.Is(err, socket.ErrNoAnswer) && !errors.Is(err, socket.ErrUnread):
		return awaitEnd(c, p)
	}
	return end(c, p, unix.SIGTERM)
}

// noneRuns answers a command for which no daemon is running. It warns of other daemons that may have been meant, and of
// errors in the file.
func noneRuns(c *call, found instance.Found) error {
	if found.Unseen != nil {
		return found.Unseen
	}
	c.complain(c.others())
	return c.load()
}

// end sends a signal to the daemon and waits until it exits.
func end(c *call, p instance.Process, sig syscall.Signal) error {
	if err := send(p.Pid, sig); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	return awaitEnd(c, p)
}

func awaitEnd(c *call, p instance.Process) error {
	ctx, cancel := context.WithTimeout(c.ctx, daemon.EndTimeout)
	defer cancel()
	return p.Await(ctx)
}

// handOver stops the daemon without changing the table. It also stops the processes that a Perl daemon has forked. It
// kills a daemon that hangs.
func handOver(c *call, p instance.Process) error {
	forked := p.Forked()
	if err := end(c, p, daemon.SignalHandOver); err != nil {
		if _, unsent := errors.AsType[syscall.Errno](err); unsent || c.ctx.Err() != nil {
			return err
		}
		c.warn("the daemon with pid %d did not exit within %v; killing it", p.Pid, daemon.EndTimeout)
		if err := end(c, p, unix.SIGKILL); err != nil {
			return err
		}
	}
	for _, pid := range forked {
		if err := send(pid, unix.SIGTERM); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	return nil
}

func send(pid int, sig syscall.Signal) error {
	return runfile.While(fmt.Sprintf("sending %s to pid %d", unix.SignalName(sig), pid), syscall.Kill(pid, sig))
}

// restart replaces the running daemon with a new one, while the table stays as it is. If no daemon is running, it
// starts one.
func restart(c *call) error {
	found := c.found()
	if found.Unseen != nil {
		return found.Unseen
	}
	if found.Pid != 0 {
		if by := found.State.Supervisor; by != "" {
			return restartSupervised(c, by, found.Pid)
		}
		keepSpelling(c, found.State)
		if err := c.instance().MayStart(c.ctx); err != nil { // asked while the old daemon still serves
			return err
		}
		// neither a lost terminal nor Ctrl-C may leave the table without a daemon
		if c.catchHangups(); !c.staysInForeground() {
			signal.Notify(make(chan os.Signal, 1), unix.SIGINT, unix.SIGTERM)
		}
		if err := handOver(c, found.Process); err != nil {
			return err
		}
		c.LastGood = true // if the file breaks now, the table still gets a daemon
	}
	return c.launch()
}

// keepSpelling gives the next daemon the name of the previous one, so that the path of the pid file does not change.
func keepSpelling(c *call, before instance.State) {
	standard, err := c.dirs.Find("")
	switch {
	case before.Name == "" || before.Name == c.instanceName():
	case before.Name != nameless:
		c.config = before.Path
	case err == nil && standard == before.Path:
		c.config = ""
	}
}

// tryRestart restarts the daemon if it runs.
func tryRestart(c *call) error {
	if found := c.found(); found.Pid == 0 {
		return noneRuns(c, found)
	}
	return loaded(restart)(c)
}
