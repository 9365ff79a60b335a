package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"ldirectord/doctor"
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
		l.found = append(l.found, doctor.Advise(ctx, l.config, a.ownsRule())...)
	}
	if a.jsonOut {
		return a.checkJSON(l)
	}
	for _, d := range byPlace(l.found) {
		fmt.Fprintln(a.stdout, render(d, l.source, isTerminal(os.Stdout)))
	}
	warnings := ""
	if n := len(l.found.Warnings()); n > 0 {
		warnings = fmt.Sprintf(", warnings: %d", n)
	}
	if l.plan == nil {
		fmt.Fprintf(a.stdout, "%s is refused: errors: %d%s\n", a.path, len(l.found.Errors()), warnings)
		return exitConfig
	}
	fmt.Fprintf(a.stdout, "%s is good: %s%s\n", a.path, l.census(), warnings)
	return exitOK
}

// byPlace are diagnostics in the order of the file, and then those that belong to no line.
func byPlace(found parser.Diagnostics) parser.Diagnostics {
	sorted := slices.Clone(found)
	slices.SortStableFunc(sorted, func(a, b parser.Diagnostic) int {
		p, q := a.Place(), b.Place()
		if (p.Line == 0) != (q.Line == 0) {
			return cmp.Compare(q.Line, p.Line)
		}
		return cmp.Or(cmp.Compare(p.Line, q.Line), cmp.Compare(p.Column, q.Column))
	})
	return sorted
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
// and line, all findings, and the effective configuration, whose secrets are hidden unless they are asked for.
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
	if l.config != nil && !a.secrets {
		out.Config = l.config.WithoutSecrets()
	}
	for _, d := range l.found {
		f := finding{Severity: "warning", Kind: d.Kind, File: d.Pos.File, Text: d.Text}
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
