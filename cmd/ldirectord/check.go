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
	if c.jsonOut {
		return checkJSON(c, l)
	}
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
	if l.Plan == nil {
		fmt.Fprintf(c.out, "%s is refused: errors: %d%s\n", c.path, len(l.Found.Errors()), warnings)
		return exit{status: exitConfig}
	}
	fmt.Fprintf(c.out, "%s is good: v%s%s\n", c.path, l.Summary()[1:], warnings)
	return nil
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// finding is a diagnostic in the JSON form.
type finding struct {
	Severity string `json:"severity"`
	Kind     string `json:"kind"`
	File     string `json:"file"`
	Line     *int   `json:"line"`
	Column   *int   `json:"column"`
	Text     string `json:"text"`
}

// checkJSON prints the result in the form of the conformance corpus: the first error as error, kind
// and line, all findings, and the effective configuration, whose secrets are hidden unless they are asked for.
func checkJSON(c *call, l *daemon.Loaded) error {
	out := struct {
		OK          bool           `json:"ok"`
		Exit        int            `json:"exit"`
		Error       *string        `json:"error"`
		ErrorKind   *string        `json:"error_kind"`
		ErrorLine   *int           `json:"error_line"`
		Warnings    []finding      `json:"warnings"`
		Diagnostics []finding      `json:"diagnostics"`
		Config      *parser.Config `json:"config,omitempty"`
	}{OK: l.Plan != nil, Warnings: []finding{}, Diagnostics: []finding{}, Config: l.Config}
	if !out.OK {
		out.Exit = exitConfig
	}
	if l.Config != nil && !c.secrets {
		out.Config = l.Config.WithoutSecrets()
	}
	for _, d := range l.Found {
		f := finding{Severity: d.Severity.String(), Kind: d.Kind, File: d.Pos.File, Text: d.Text}
		if d.Pos.Line > 0 {
			f.Line, f.Column = &d.Pos.Line, &d.Pos.Column
		}
		if d.Severity == parser.Error {
			if out.Error == nil {
				out.Error, out.ErrorKind, out.ErrorLine = &f.Text, &f.Kind, f.Line
			}
		} else if d.Severity == parser.Warning {
			out.Warnings = append(out.Warnings, f)
		}
		out.Diagnostics = append(out.Diagnostics, f)
	}
	c.printJSON(out, " ")
	if !out.OK {
		return exit{status: exitConfig}
	}
	return nil
}
