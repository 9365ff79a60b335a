package main

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"ldirectord/internal/daemon"
	"ldirectord/internal/doctor"
	"ldirectord/internal/view"
	"ldirectord/parser"
)

// source returns how this call reads the configuration. As in the Perl ldirectord, a host name that does not resolve is
// an error for check. If no daemon is running, it is also an error for status and stop. Other commands, such as start,
// accept it.
func (c *call) source() daemon.Source {
	judges := c.verb == "check" || c.command.is("perls") && !c.command.is("by-file")
	return daemon.Source{
		Runs: c.command.is("starts"),
		Path: c.path, Names: c.instance().Files().Names, Strict: c.Strict, Wait: !judges,
		Alone: c.NoLookup, Checks: c.env, Dirs: c.dirs,
	}
}

// read reads the configuration. If the file exists but can't be read, the exit status is exitConfig, as with the Perl
// ldirectord. If the file is missing, the status is exitFailure. With --foreground, it is exitFailure in both cases, so
// that a service manager tries again.
func (c *call) read() (err error) {
	c.Loaded, err = daemon.Load(c.ctx, c.source())
	if err != nil && !c.Foreground && !errors.Is(err, fs.ErrNotExist) {
		err = exit{exitConfig, err}
	}
	return err
}

// load reads the configuration and prints its findings. A refused configuration is an error.
func (c *call) load() error {
	if err := c.read(); err != nil {
		return err
	}
	return c.accept()
}

// accept prints the findings of a configuration, and fails if it is refused.
func (c *call) accept() error {
	if c.Plan != nil && c.verb == "doctor" { // doctor has a finding of its own about this
		isFound := func(d parser.Diagnostic) bool { return strings.HasPrefix(d.Text, parser.MasqLoopback) }
		c.Found = slices.DeleteFunc(c.Found, isFound)
	}
	c.printFindings(c.Found)
	if c.Plan == nil {
		if c.answer != nil {
			c.answer["error"] = c.Found.Errors()[0].Text
		}
		return exit{status: c.refused()}
	}
	return nil
}

// loadAndAdvise loads the configuration and adds findings about the machine. For a refused configuration it still adds
// findings about programs and secrets, so that one mistake does not hide another.
func (c *call) loadAndAdvise() error {
	if err := c.read(); err != nil {
		return err
	}
	if c.Config != nil {
		services := c.Plan.Services
		c.Found = append(c.Found, doctor.Advise(c.ctx, c.Config, services, c.daemonHere())...)
	} else if c.Draft != nil {
		c.Found = append(c.Found, doctor.Advise(c.ctx, c.Draft, nil, doctor.Daemon{})...)
	}
	c.RefuseWhatNeverRuns()
	return nil
}

// refused returns the exit status for a refused configuration. A failed look-up is not a mistake in the file: with
// --foreground its exit status is exitFailure, so that a service manager tries again.
func (c *call) refused() int {
	switch {
	case !c.Foreground:
		return exitConfig
	case c.Found.OnlyLookups():
		return exitFailure
	default:
		return exitForegroundConfig
	}
}

// printFindings prints the findings, or adds them to the JSON answer. For most commands, it prints a short list without
// notes. For the commands of the Perl ldirectord, it prints the errors, and the warnings that the Perl ldirectord
// prints as well. Except for status and stop, it also prints the other warnings that are shown at the start (see
// AtStart), and the number of the remaining ones. The daemon's log contains all findings.
func (c *call) printFindings(found parser.Diagnostics) {
	switch {
	case c.answer != nil:
		c.answer["diagnostics"] = findings(found)
		return
	case !c.command.is("perls"):
		brief, left := found.ByPosition().Brief().Within(screen - 1)
		for _, d := range brief {
			if d.Severity != parser.Note {
				c.say("%v", d)
			}
		}
		if left > 0 {
			c.say("%s", c.moreFindings(left))
		}
		return
	}
	advice := c.command.is("by-file")
	for _, d := range found.ForLog() {
		if d.Severity == parser.Error || d.IsPerls() || advice && d.AtStart() {
			c.say("%s", daemon.Message(d))
		}
	}
	silent := slices.DeleteFunc(found.Warnings(), parser.Diagnostic.AtStart).Count(parser.Warning)
	if silent > 0 && advice {
		c.say("%s", daemon.Message(parser.Diagnostic{Pos: parser.Position{File: c.path},
			Text: view.Plural(silent, "warning") + "; the command check shows all"}))
	}
}

func (c *call) moreFindings(left int) string {
	return fmt.Sprintf("%s: and %s of findings; check --all shows all", c.path, view.Plural(left, "more kind"))
}
