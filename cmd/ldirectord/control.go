package main

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"ldirectord/instance"
	"ldirectord/parser"
)

// endTimeout is how long stop and restart wait for a daemon to end: longer than that may take, see hooksWait.
const endTimeout = 40 * time.Second

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
	l.tell(a.stderr, a.verb)
	if l.plan == nil {
		return a.refused(l.found)
	}
	a.loaded = l
	return exitOK
}

// refused is the exit status of a configuration that is refused. A look-up that failed is no mistake of the file:
// in the foreground it ends like a crash, so that a service manager tries again.
func (a *app) refused(found parser.Diagnostics) int {
	switch {
	case !a.stay:
		return exitConfig
	case found.OnlyLookups():
		return exitFailure
	default:
		return exitKeptConfig
	}
}

// stop ends the running daemon, whatever state the file is in, and waits until it has cleaned up.
func (a *app) stop(ctx context.Context) int {
	found := a.instance().Find()
	if found.Pid == 0 {
		return a.readable(ctx)
	}
	if a.waitsForUs(found) {
		return exitOK
	}
	if a.keep {
		return a.handOver(ctx, found.Process)
	}
	return a.end(ctx, found.Process, syscall.SIGTERM)
}

// end sends a signal to the daemon and waits until it is gone.
func (a *app) end(ctx context.Context, daemon instance.Process, sig syscall.Signal) int {
	if err := syscall.Kill(daemon.Pid, sig); err != nil && err != syscall.ESRCH {
		fmt.Fprintf(a.stderr, "ldirectord: sending %v to pid %d: %v\n", sig, daemon.Pid, err)
		return exitFailure
	}
	ctx, cancel := context.WithTimeout(ctx, endTimeout)
	defer cancel()
	if err := daemon.Await(ctx); err != nil {
		fmt.Fprintf(a.stderr, "ldirectord: %v\n", err)
		return exitFailure
	}
	return exitOK
}

// handOver ends the daemon, which leaves the table as it is, and what a Perl daemon forked.
func (a *app) handOver(ctx context.Context, daemon instance.Process) int {
	helpers := daemon.Forked()
	if code := a.end(ctx, daemon, signalHandOver); code != exitOK {
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

// restart lets a new daemon take over from the running one, whose table stays as it is meanwhile.
func (a *app) restart(ctx context.Context) int {
	if code := a.readable(ctx); code != exitOK {
		return code
	}
	if found := a.instance().Find(); found.Pid != 0 {
		if keeper := found.State.Supervisor; keeper != "" {
			return a.restartKept(ctx, keeper)
		}
		a.spellAs(found.State)
		if err := a.instance().MayStart(); err != nil { // while one still serves
			fmt.Fprintf(a.stderr, "ldirectord: %v\n", err)
			return exitFailure
		}
		if code := a.handOver(ctx, found.Process); code != exitOK {
			return code
		}
	}
	return a.launch(ctx)
}

// spellAs has the next daemon start as the one before was, so that its pid file stays where it is looked for.
func (a *app) spellAs(before instance.State) {
	standard, err := locate("")
	switch {
	case before.Name == "" || before.Name == a.instanceName():
	case before.Name != nameless:
		a.config = before.Path
	case err == nil && standard == before.Path:
		a.config = ""
	}
}

// tryRestart restarts a daemon that runs.
func (a *app) tryRestart(ctx context.Context) int {
	if a.instance().Find().Pid == 0 {
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
		return a.roleFile().Clear()
	})
}

// begin starts the daemon in the role that it has, unless it runs. One that is ending is waited for.
// Prepare comes before, and hears whether one runs. In the foreground nobody would keep the one that runs. Where none
// runs, serving without some servers is better than not at all: they wait for the addresses of their names.
func (a *app) begin(ctx context.Context, prepare func(runs bool) error) int {
	a.patient = !a.lives()
	if code := a.readable(ctx); code != exitOK {
		return code
	}
	if a.waitsForUs(a.instance().Find()) {
		return exitOK
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

// lives tells whether a daemon runs that was not told to end yet.
func (a *app) lives() bool {
	found := a.instance().Find()
	return found.Pid != 0 && !isEnding(found)
}

// isEnding reports whether a daemon was told to end.
func isEnding(daemon instance.Found) bool {
	return daemon.Pid != 0 && (daemon.State.Phase == instance.Ending || daemon.State.Phase == instance.HandedOver)
}

// runs tells whether the daemon runs and stays.
func (a *app) runs(ctx context.Context) (bool, error) {
	found := a.instance().Find()
	daemon := found.Process
	if daemon.Pid == 0 {
		return false, a.instance().MayStart()
	}
	mine := a.stay || a.debug || a.supervised() && found.State.Supervisor != "" // this process was to be the one
	switch stays := a.instance().Stays(daemon); {
	case stays && mine:
		return true, fmt.Errorf("it runs already with pid %d; stop --keep ends it and leaves the table in place", daemon.Pid)
	case stays:
		return true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, endTimeout)
	defer cancel()
	return false, daemon.Await(ctx)
}
