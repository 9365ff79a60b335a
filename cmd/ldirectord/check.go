package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"ldirectord/parser"
)

// check reads the configuration and tells all that is to be said of it, and of the machine it is for.
func (a *app) check(ctx context.Context) int {
	l, err := a.load(ctx)
	if err != nil {
		fmt.Fprintln(a.stderr, err)
		return exitFailure
	}
	if l.config != nil {
		l.found = append(l.found, a.machine(ctx, l.config)...)
	}
	if a.jsonOut {
		return a.checkJSON(l)
	}
	for _, d := range l.found {
		fmt.Fprintln(a.stdout, render(d, l.source, isTerminal(os.Stdout)))
	}
	if l.plan == nil {
		return exitConfig
	}
	fmt.Fprintf(a.stdout, "%s is good: %s\n", a.path, census(l.config))
	return exitOK
}

func census(cfg *parser.Config) string {
	reals := 0
	for _, v := range cfg.Virtuals {
		reals += len(v.Reals)
	}
	return fmt.Sprintf("virtual services: %d, real servers: %d", len(cfg.Virtuals), reals)
}

// render is a diagnostic for a person: place, severity, text, and on a terminal the line itself.
func render(d parser.Diagnostic, source []byte, terminal bool) string {
	if terminal {
		return d.Render(source)
	}
	return d.String()
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
// and line, all findings, and the effective configuration.
func (a *app) checkJSON(l *loaded) int {
	out := struct {
		OK          bool           `json:"ok"`
		Exit        int            `json:"exit"`
		Error       *string        `json:"error"`
		ErrorKind   *string        `json:"error_kind"`
		ErrorLine   *int           `json:"error_line"`
		Warnings    []finding      `json:"warnings"`
		Diagnostics []finding      `json:"diagnostics"`
		Config      *parser.Config `json:"config,omitempty"`
	}{OK: l.plan != nil, Warnings: []finding{}, Diagnostics: []finding{}, Config: l.config}
	if !out.OK {
		out.Exit = exitConfig
	}
	for _, d := range l.found {
		f := finding{Severity: "warning", Kind: d.Kind, File: d.File, Text: d.Text}
		if d.Pos.Line > 0 {
			f.Line, f.Column = &d.Pos.Line, &d.Pos.Column
		}
		if d.Severity == parser.Error {
			f.Severity = "error"
			if out.Error == nil {
				out.Error, out.ErrorKind, out.ErrorLine = &f.Text, &f.Kind, f.Line
			}
		} else {
			out.Warnings = append(out.Warnings, f)
		}
		out.Diagnostics = append(out.Diagnostics, f)
	}
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(out); err != nil {
		fmt.Fprintln(a.stderr, err)
		return exitFailure
	}
	return out.Exit
}
