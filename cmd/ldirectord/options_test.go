package main

import (
	"strings"
	"testing"
)

// -v asks for the version, as in the reference, except behind status.
func TestTwoMeaningsOfV(t *testing.T) {
	for line, want := range map[string]options{
		"-v":                      {version: true},
		"-v a.cf status":          {version: true},
		"status -v":               {verb: "status", verbose: true},
		"a.cf status -v":          {config: "a.cf", verb: "status", verbose: true},
		"a.cf status --json -v":   {config: "a.cf", verb: "status", verbose: true, jsonOut: true},
		"a.cf status --verbose":   {config: "a.cf", verb: "status", verbose: true},
		"a.cf status whatever":    {config: "a.cf", verb: "status"},
		"a.cf stop -v":            {config: "a.cf", verb: "stop"},
		"a.cf status whatever -v": {config: "a.cf", verb: "status"},
	} {
		var got options
		if err := got.parse(strings.Fields(line)); err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if got.version != want.version || !want.version && (got.config != want.config || got.verb != want.verb || got.verbose != want.verbose || got.jsonOut != want.jsonOut) {
			t.Errorf("%s: %+v", line, got)
		}
	}
}
