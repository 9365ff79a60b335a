package main

import (
	"context"
	"fmt"
	"os"

	"ldirectord/daemon"
)

// check reads the configuration and prints all findings about it and about this machine.
func check(ctx context.Context, c *call) error {
	l, err := c.loadAndAdvise(ctx)
	if err != nil {
		return err
	}
	isRefused := l.Plan == nil || c.noWarnings && len(l.Found.Warnings()) > 0
	if c.answer != nil {
		// in the form of the conformance corpus
		c.answer["warnings"], c.answer["diagnostics"] = findings(l.Found.Warnings()), findings(l.Found)
		c.answer["error_kind"], c.answer["error_line"] = nil, nil
		if errors := findings(l.Found.Errors()); len(errors) > 0 {
			e := errors[0]
			c.answer["error"], c.answer["error_kind"], c.answer["error_line"] = e.Text, e.Kind, e.Line
		}
		switch {
		case l.Config == nil:
		case c.secrets:
			c.answer["config"] = l.Config
		default:
			c.answer["config"] = l.Config.WithoutSecrets()
		}
	} else {
		printCheck(c, l, isRefused)
	}
	if isRefused {
		return exit{status: exitConfig}
	}
	return nil
}

func printCheck(c *call, l *daemon.Loaded, isRefused bool) {
	for _, d := range l.Found.ByPosition().Brief() {
		line := d.String() + "\n"
		if isTerminal(os.Stdout) {
			line = d.Render(l.Text) // with the line itself
		}
		fmt.Fprint(c.out, line)
	}
	warnings := ""
	if n := len(l.Found.Warnings()); n > 0 {
		warnings = fmt.Sprintf(", warnings: %d", n)
	}
	if isRefused {
		verdict := "is refused"
		if l.Found.OnlyLookups() { // each error describes what start does
			verdict = "has names without an address"
		}
		c.tell("%s %s: errors: %d%s", c.path, verdict, len(l.Found.Errors()), warnings)
		return
	}
	c.tell("%s is good: v%s%s", c.path, l.Summary()[1:], warnings)
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
