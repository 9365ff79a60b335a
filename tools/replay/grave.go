package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// crash is what no test may do, wherever its package says so.
var crash = regexp.MustCompile(`(?m)WARNING: DATA RACE|^\s*panic: |^fatal error: |deadlock|SIGSEGV|\bOops\b` +
	`|uml-run: (no end|the kernel|the guest)|^signal: `)

// harm is what a failing test must not say: clients got no answer, or the kernel's table was wrong.
var harm = regexp.MustCompile(`(?i)requests?\b.*\b(failed|lost)|\blost\b|left after stop` +
	`|client.*\b(answer|got|notices)` +
	`|\btable (is|was|has|does not have)\b|connections?.*\b(broken|broke)\b|\b[1-9]\d* failed\b`)

// harmless is the name of a test, the heading of a table of results, a line that counts nothing, and what heartbeat
// warns of at each start.
var harmless = regexp.MustCompile(`^=== |^\s*--- |\| requests \||\b0 of \d+ requests\b|Core dumps could be lost`)

// isGrave returns the line for which a failure is final, "" without one.
func isGrave(output string) string {
	for line := range strings.Lines(output) {
		if crash.MatchString(line) || harm.MatchString(line) && !harmless.MatchString(line) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

type test struct{ pkg, name string }

func (t test) String() string { return t.pkg + " " + t.name }

// event is a line of `go test -json`.
type event struct{ Action, Package, Test, Output string }

func events(text []byte) (all []event) {
	for line := range bytes.Lines(text) {
		var e event
		if json.Unmarshal(line, &e) == nil && e.Package != "" {
			all = append(all, e)
		}
	}
	return all
}

// root is the top-level test that a test belongs to.
func root(name string) string {
	name, _, _ = strings.Cut(name, "/")
	return name
}

// judge returns the tests that failed, or the reason why no test of this run is played again.
func judge(text []byte) (failed []test, grave string) {
	result := map[test]string{} // of tests and, with an empty name, of packages
	output := map[test]string{}
	for _, e := range events(text) {
		t := test{e.Package, e.Test}
		switch e.Action {
		case "start", "run":
			result[t] = "no end"
		case "pass", "fail", "skip":
			result[t] = e.Action
		case "output":
			output[t] += e.Output
		}
	}
	broken := map[string]bool{} // packages that failed
	for t, r := range result {
		switch {
		case r == "no end":
			return nil, fmt.Sprintf("%s has no end", t)
		case r == "fail" && t.name == "":
			broken[t.pkg] = true
		case r == "fail" && t.name == root(t.name):
			failed = append(failed, t)
		}
	}
	for t, said := range output {
		if line := crash.FindString(said); broken[t.pkg] && line != "" {
			return nil, fmt.Sprintf("%s: %s", t, strings.TrimSpace(line))
		}
	}
	for t, said := range output {
		if line := isGrave(said); t.name != "" && result[t] == "fail" && line != "" {
			return nil, fmt.Sprintf("%s: %s", t, line)
		}
	}
	for _, t := range failed {
		delete(broken, t.pkg)
	}
	switch {
	case len(broken) > 0 || len(failed) == 0:
		return nil, "not only tests failed"
	case len(failed) > maxFlaky:
		return nil, fmt.Sprintf("%d tests failed", len(failed))
	}
	slices.SortFunc(failed, func(a, b test) int { return cmp.Compare(a.String(), b.String()) })
	return failed, ""
}

// passed reports whether the events are those of a test that passed.
func passed(text []byte, t test) bool {
	return slices.ContainsFunc(events(text), func(e event) bool {
		return e.Action == "pass" && e.Package == t.pkg && e.Test == t.name
	})
}
