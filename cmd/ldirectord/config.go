package main

import (
	"context"
	"slices"
	"strings"

	"ldirectord/daemon"
	"ldirectord/doctor"
	"ldirectord/parser"
)

// source is the configuration of this call. A name without an address refuses it to check, and to status and stop
// where no daemon runs, as by the Perl ldirectord. All else takes it as start does.
func (c *call) source() daemon.Source {
	judges := c.verb == "check" || c.command.is("perls") && !c.command.is("by-file")
	return daemon.Source{
		Path: c.path, Names: c.instance().Files().Names, Strict: c.strict, Wait: !judges,
		Alone: c.noLookup, Checks: c.env, Dirs: c.dirs,
	}
}

// load reads the configuration and prints what is wrong with it. One that is refused is an error.
func (c *call) load(ctx context.Context) (*daemon.Loaded, error) {
	l, err := daemon.Load(ctx, c.source())
	if err != nil {
		return nil, err
	}
	return l, c.accept(l)
}

// accept prints what there is to say of a configuration, and fails when it is refused.
func (c *call) accept(l *daemon.Loaded) error {
	if l.Plan != nil && c.verb == "doctor" { // which finds it itself
		isFound := func(d parser.Diagnostic) bool { return strings.HasPrefix(d.Text, parser.MasqLoopback) }
		l.Found = slices.DeleteFunc(l.Found, isFound)
	}
	c.printFindings(l.Found)
	if l.Plan == nil {
		if c.answer != nil {
			c.answer["error"] = l.Found.Errors()[0].Text
		}
		return exit{status: refused(c, l.Found)}
	}
	return nil
}

// loadAndAdvise loads the configuration, and adds what is to be said of the machine that it is for. Of one that is
// refused that is what its programs and secrets lack: a mistake hides no other.
func (c *call) loadAndAdvise(ctx context.Context) (*daemon.Loaded, error) {
	l, err := daemon.Load(ctx, c.source())
	if err != nil {
		return nil, err
	}
	if l.Config != nil {
		own := c.daemonHere(ctx, l.Plan)
		l.Found = append(l.Found, doctor.Advise(ctx, l.Config, l.Plan.Services(""), own)...)
	} else if l.Draft != nil {
		l.Found = append(l.Found, doctor.Advise(ctx, l.Draft, nil, doctor.Daemon{})...)
	}
	l.RefuseWhatNeverRuns()
	return l, nil
}

// refused is the exit status of a configuration that is refused. A look-up that failed is no mistake of the file:
// in the foreground it ends like a crash, so that a service manager tries again.
func refused(c *call, found parser.Diagnostics) int {
	switch {
	case !c.stay:
		return exitConfig
	case found.OnlyLookups():
		return exitFailure
	default:
		return exitForegroundConfig
	}
}

// printFindings prints findings, errors first: the Perl ldirectord ends with one. status and stop print the Perl's
// warnings, not the advice. Commands that the Perl does not have print them in the order of the file.
func (c *call) printFindings(found parser.Diagnostics) {
	if c.answer != nil {
		c.answer["diagnostics"] = findings(found)
		return
	}
	advice := c.verb != "status" && c.verb != "stop"
	ordered, worded := slices.Concat(found.Errors(), found.Warnings()).ForLog(), daemon.Message
	if !c.command.is("perls") {
		ordered, worded = found.ByPosition().Brief(), parser.Diagnostic.String
	}
	for _, d := range ordered {
		told := advice && d.Severity != parser.Note || d.IsPerls()
		if d.Severity == parser.Error || told {
			c.say(worded(d))
		}
	}
}
