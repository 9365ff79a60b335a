package main

import (
	"context"
	"fmt"
	"syscall"
	"time"
)

// endTimeout is how long stop and restart wait for a daemon to end: longer than its clean-up may take.
const endTimeout = 40 * time.Second

// takeOverTime is how long reload waits for the daemon to take the file over. Looking names up and a
// table that is slow may take their time.
const takeOverTime = time.Minute

// signalHandOver tells a daemon to end without touching the table. The Perl daemon knows no such
// signal: it ends at once, and so leaves its table to us as well.
const signalHandOver = syscall.SIGUSR1

// readable reads the configuration and tells what is wrong with it.
func (a *app) readable(ctx context.Context) int {
	l, err := a.load(ctx)
	if err != nil {
		fmt.Fprintln(a.stderr, err)
		return exitFailure
	}
	l.tell(a.stderr, a.verb != "status" && a.verb != "stop")
	if l.plan == nil {
		return exitConfig
	}
	a.loaded = l
	return exitOK
}

// stop ends the running daemon, whatever state the file is in, and waits until it has cleaned up.
func (a *app) stop(ctx context.Context) int {
	pid, _ := a.instance().find()
	if pid == 0 {
		return a.readable(ctx)
	}
	if a.keep {
		return a.handOver(ctx, pid)
	}
	return a.end(ctx, pid, syscall.SIGTERM)
}

// end sends a signal to the daemon and waits until it is gone.
func (a *app) end(ctx context.Context, pid int, sig syscall.Signal) int {
	if err := syscall.Kill(pid, sig); err != nil && err != syscall.ESRCH {
		fmt.Fprintf(a.stderr, "ldirectord: sending %v to pid %d: %v\n", sig, pid, err)
		return exitFailure
	}
	ctx, cancel := context.WithTimeout(ctx, endTimeout)
	defer cancel()
	if err := waitFor(ctx, pid); err != nil {
		fmt.Fprintf(a.stderr, "ldirectord: %v\n", err)
		return exitFailure
	}
	return exitOK
}

// handOver ends the daemon, which leaves the table as it is, and what a Perl daemon forked.
func (a *app) handOver(ctx context.Context, pid int) int {
	helpers := forked(pid)
	if code := a.end(ctx, pid, signalHandOver); code != exitOK {
		return code
	}
	for _, helper := range helpers {
		if err := syscall.Kill(helper, syscall.SIGTERM); err != nil && err != syscall.ESRCH {
			fmt.Fprintf(a.stderr, "ldirectord: ending pid %d: %v\n", helper, err)
			return exitFailure
		}
	}
	return exitOK
}

// reload has the running daemon read the file again, if it is good, and waits until the table follows it.
func (a *app) reload(ctx context.Context) int {
	if code := a.readable(ctx); code != exitOK {
		return code
	}
	pid, _ := a.instance().find()
	if pid == 0 {
		fmt.Fprintf(a.stderr, "ldirectord is stopped for %s\n", a.path)
		return exitFailure
	}
	before, err := a.instance().read()
	ours := err == nil && before.Pid == pid // the Perl daemon records nothing
	if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
		fmt.Fprintf(a.stderr, "ldirectord: sending HUP to pid %d: %v\n", pid, err)
		return exitFailure
	}
	if !ours {
		return exitOK
	}
	ctx, cancel := context.WithTimeout(ctx, takeOverTime)
	defer cancel()
	if err := a.instance().awaitReread(ctx, before); err != nil {
		fmt.Fprintf(a.stderr, "ldirectord: %v\n", err)
		return exitFailure
	}
	return exitOK
}

// restart lets a new daemon take over from the running one, whose table stays as it is meanwhile.
func (a *app) restart(ctx context.Context) int {
	if code := a.readable(ctx); code != exitOK {
		return code
	}
	if pid, _ := a.instance().find(); pid != 0 {
		if s, err := a.instance().read(); err == nil && s.Pid == pid && s.Keeper != "" {
			return a.restartKept(ctx, s.Keeper)
		}
		if code := a.handOver(ctx, pid); code != exitOK {
			return code
		}
	}
	return a.launch(ctx)
}

// tryRestart restarts a daemon that runs.
func (a *app) tryRestart(ctx context.Context) int {
	if pid, _ := a.instance().find(); pid == 0 {
		return a.readable(ctx)
	}
	return a.restart(ctx)
}

// start starts the daemon to serve, unless it runs.
func (a *app) start(ctx context.Context) int {
	return a.begin(ctx, func(runs bool) error {
		if a.isDaemon() {
			return nil
		}
		if runs {
			a.tellStandby()
			return nil
		}
		return a.roleFile().clear()
	})
}

// begin starts the daemon in the role that it has, unless it runs. One that is ending is waited for.
// Prepare comes before, and hears whether one runs. In the foreground nobody would keep the one that runs.
func (a *app) begin(ctx context.Context, prepare func(runs bool) error) int {
	if code := a.readable(ctx); code == exitConfig && a.stay {
		return exitKeptConfig
	} else if code != exitOK {
		return code
	}
	runs, err := a.runs(ctx)
	if err == nil {
		err = prepare(runs)
	}
	switch {
	case err != nil:
		fmt.Fprintf(a.stderr, "ldirectord: %v\n", err)
		return exitFailure
	case runs:
		return exitOK
	}
	return a.launch(ctx)
}

// runs tells whether the daemon runs and stays.
func (a *app) runs(ctx context.Context) (bool, error) {
	pid, _ := a.instance().find()
	if pid == 0 {
		return false, nil
	}
	switch stays := a.instance().stays(pid); {
	case stays && a.stay:
		return true, fmt.Errorf("it runs already with pid %d; stop --keep ends it and leaves the table in place", pid)
	case stays:
		return true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, endTimeout)
	defer cancel()
	return false, waitFor(ctx, pid)
}
