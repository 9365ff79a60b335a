package main

import (
	"context"
	"fmt"
	"os"

	"ldirectord/daemon"
	"ldirectord/parser"
)

// check reads the configuration and prints all that is to be said of it, and of the machine it is for.
func check(ctx context.Context, c *call) error {
	l, err := c.loadAndAdvise(ctx)
	if err != nil {
		return err
	}
	isRefused := l.Plan == nil || c.noWarnings && len(l.Found.Warnings()) > 0
	if c.jsonOut {
		checkJSON(c, l, isRefused)
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
		fmt.Fprintf(c.out, "%s is refused: errors: %d%s\n", c.path, len(l.Found.Errors()), warnings)
		return
	}
	fmt.Fprintf(c.out, "%s is good: v%s%s\n", c.path, l.Summary()[1:], warnings)
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// checkJSON prints the result in the form of the conformance corpus: the first error as error, kind
// and line, all findings, and the effective configuration, whose secrets are hidden unless they are asked for.
func checkJSON(c *call, l *daemon.Loaded, isRefused bool) {
	out := struct {
		OK          bool           `json:"ok"`
		Exit        int            `json:"exit"`
		Error       *string        `json:"error"`
		ErrorKind   *string        `json:"error_kind"`
		ErrorLine   *int           `json:"error_line"`
		Warnings    []finding      `json:"warnings"`
		Diagnostics []finding      `json:"diagnostics"`
		Config      *parser.Config `json:"config,omitempty"`
	}{OK: !isRefused, Warnings: []finding{}, Diagnostics: findings(l.Found), Config: l.Config}
	if isRefused {
		out.Exit = exitConfig
	}
	if l.Config != nil && !c.secrets {
		out.Config = l.Config.WithoutSecrets()
	}
	for i, d := range l.Found {
		switch f := &out.Diagnostics[i]; {
		case d.Severity == parser.Warning:
			out.Warnings = append(out.Warnings, *f)
		case d.Severity == parser.Error && out.Error == nil:
			out.Error, out.ErrorKind, out.ErrorLine = &f.Text, &f.Kind, f.Line
		}
	}
	c.printJSON(out, " ")
}
