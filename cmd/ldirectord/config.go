package main

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"ldirectord/daemon"
	"ldirectord/director"
	"ldirectord/doctor"
	"ldirectord/parser"
)

// source is the configuration of this call. A name without an address is an error for check, and for status and stop
// without a running daemon, as in the Perl ldirectord. Other commands accept it, as start does.
func (c *call) source() daemon.Source {
	judges := c.verb == "check" || c.command.is("perls") && !c.command.is("by-file")
	return daemon.Source{
		Path: c.path, Names: c.instance().Files().Names, Strict: c.Strict, Wait: !judges,
		Alone: c.NoLookup, Checks: c.env, Dirs: c.dirs,
	}
}

// read reads the configuration. A file that can't be read has the exit status of a refused one, as with the Perl
// ldirectord; a file that is lost has the usual one. In the foreground it is that of a crash, so that a service manager
// tries again.
func (c *call) read() (*daemon.Loaded, error) {
	l, err := daemon.Load(c.ctx, c.source())
	if err != nil && !c.Foreground && !errors.Is(err, fs.ErrNotExist) {
		err = exit{exitConfig, err}
	}
	return l, err
}

// load reads the configuration and prints its findings. A refused configuration is an error.
func (c *call) load() (*daemon.Loaded, error) {
	l, err := c.read()
	if err != nil {
		return nil, err
	}
	return l, c.accept(l)
}

// accept prints the findings of a configuration, and fails if it is refused.
func (c *call) accept(l *daemon.Loaded) error {
	if l.Plan != nil && c.verb == "doctor" { // which finds the file itself
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

// loadAndAdvise loads the configuration and adds findings about the machine. For a refused configuration these are only
// about programs and secrets, so that one mistake does not hide another.
func (c *call) loadAndAdvise() (*daemon.Loaded, error) {
	l, err := c.read()
	if err != nil {
		return nil, err
	}
	if l.Config != nil {
		own := c.daemonHere(l.Plan)
		l.Found = append(l.Found, doctor.Advise(c.ctx, l.Config, l.Plan.Services(""), own)...)
	} else if l.Draft != nil {
		l.Found = append(l.Found, doctor.Advise(c.ctx, l.Draft, nil, doctor.Daemon{})...)
	}
	l.RefuseWhatNeverRuns()
	return l, nil
}

// refused is the exit status for a refused configuration. A failed look-up is not a mistake in the file: in the
// foreground the exit status is that of a crash, so that a service manager tries again.
func refused(c *call, found parser.Diagnostics) int {
	switch {
	case !c.Foreground:
		return exitConfig
	case found.OnlyLookups():
		return exitFailure
	default:
		return exitForegroundConfig
	}
}

// printFindings prints findings: all in short for commands that the Perl does not have. The others print what the Perl
// prints, and how many warnings there are beside it; the log has them.
func (c *call) printFindings(found parser.Diagnostics) {
	switch {
	case c.answer != nil:
		c.answer["diagnostics"] = findings(found)
		return
	case !c.command.is("perls"):
		brief, left := found.ByPosition().Brief().Within(screen - 1)
		for _, d := range brief {
			if d.Severity != parser.Note {
				c.say(d.String())
			}
		}
		if left > 0 {
			c.say(c.moreFindings(left))
		}
		return
	}
	advice := c.verb != "status" && c.verb != "stop"
	for _, d := range found.ForLog() {
		if d.Severity == parser.Error || d.IsPerls() || advice && d.AtStart() {
			c.say(daemon.Message(d))
		}
	}
	silent := len(slices.DeleteFunc(found.Warnings(), parser.Diagnostic.AtStart))
	if silent > 0 && advice {
		c.say(daemon.Message(parser.Diagnostic{Pos: parser.Position{File: c.path},
			Text: director.Plural(silent, "warning") + "; the command check shows all"}))
	}
}

func (c *call) moreFindings(left int) string {
	return fmt.Sprintf("%s: and %s of findings; check --all shows all", c.path, director.Plural(left, "more kind"))
}
