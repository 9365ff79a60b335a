package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"ldirectord/instance"
	"ldirectord/status"
)

// status tells whether the daemon runs, in the words and exit statuses of the reference. With --verbose or
// --json the daemon tells of itself, and what it says changes no exit status.
func (a *app) status(ctx context.Context) int {
	found := a.instance().Find()
	if pid := found.Pid; pid != 0 {
		fmt.Fprintf(a.stderr, "ldirectord for %s is running with pid: %d\n", a.path, pid)
		a.showReport(ctx, pid)
		if !a.jsonOut {
			a.siblingsStatus(ctx, found.State.Execute)
		}
		return exitOK
	}
	words := a.stdout
	if a.jsonOut {
		a.writeJSON(&status.Report{Config: a.path})
		words = a.stderr
	}
	if code := a.readable(ctx); code != exitOK {
		return code
	}
	code := exitStopped
	if found.Stale {
		fmt.Fprintf(a.stderr, "ldirectord stale pid file %s for %s\n", a.instance().PidFile(), a.path)
		code = exitFailure
	}
	fmt.Fprintf(words, "ldirectord is stopped for %s\n", a.path)
	a.tellElsewhere()
	return code
}

// tellElsewhere tells of daemons of this file that this command line does not mean.
func (a *app) tellElsewhere() {
	for _, s := range a.instance().Elsewhere() {
		where := "--ipvs " + s.Table
		if s.NetNS != instance.NetNS() {
			where = fmt.Sprintf("the network namespace of pid %d", s.Pid)
		}
		fmt.Fprintf(a.stderr, "ldirectord: another one, with %s, is running with pid: %d\n", where, s.Pid)
	}
}

// showReport shows what the daemon has to tell, if that is wanted.
func (a *app) showReport(ctx context.Context, pid int) {
	if !a.verbose && !a.jsonOut {
		return
	}
	report, err := a.report(ctx)
	switch {
	case err != nil && a.jsonOut:
		a.writeJSON(&status.Report{Running: true, Config: a.path, Pid: pid, Error: err.Error()})
	case err != nil:
		fmt.Fprintf(a.stderr, "ldirectord: %v\n", err)
	case a.jsonOut:
		a.writeJSON(report)
	default:
		_ = report.WriteText(a.stdout) // which remembers an error itself
	}
}

// report asks the running daemon for its status.
func (a *app) report(ctx context.Context) (*status.Report, error) {
	text, err := a.socket().Ask(ctx, "/status")
	if err != nil {
		return nil, err
	}
	return status.ReadReport(bytes.NewReader(text))
}

func (a *app) writeJSON(r *status.Report) {
	e := json.NewEncoder(a.stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(r) // a.stdout remembers an error itself
}
