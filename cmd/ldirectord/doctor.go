package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"ldirectord/fwmark"
	"ldirectord/printable"
)

// Severities of a fault.
const (
	breaks = "broken"  // some traffic does not flow
	warns  = "warning" // it flows, but not in every case as one would expect
)

// fault is something on this machine or on a real server that is not as the configuration needs it.
type fault struct {
	Severity string   `json:"severity"`
	Kind     string   `json:"kind"`
	Virtuals []string `json:"virtuals"` // whom it concerns, by their ids
	Text     string   `json:"text"`
	Command  string   `json:"command,omitempty"` // mends it; "" where no command can
}

func (f fault) String() string {
	line := f.Severity + ": " + f.Virtuals[0]
	if more := len(f.Virtuals) - 1; more > 0 {
		line += fmt.Sprintf(" and %d more", more)
	}
	line += ": " + f.Text
	if f.Command != "" {
		line += "; to mend it: " + f.Command
	}
	return line
}

// doctor looks at what the configuration needs of this machine and its neighbours, and changes nothing. Its
// exit status is 0 when nothing that it found keeps traffic from flowing, 1 otherwise.
func (a *app) doctor(ctx context.Context) int {
	if code := a.readable(ctx); code != exitOK {
		return code
	}
	services := a.loaded.plan.Services("")
	facts := gather(ctx, services, fwmark.Open(a.instance().Chains()).Owns)
	if a.ipvs == defaultIPVS {
		facts.noIPVS = withoutIPVS(ctx, facts.modules, openTable)
	}
	faults := examine(services, facts, a.path)
	code := exitOK
	for _, f := range faults {
		if f.Severity == breaks {
			code = exitFailure
		}
	}
	if a.jsonOut {
		return a.doctorJSON(facts, faults, code)
	}
	for _, f := range faults {
		fmt.Fprintln(a.stdout, printable.Line(f.String()))
	}
	fmt.Fprintf(a.stdout, "looked at: %s\n", strings.Join(facts.looked, ", "))
	for _, u := range facts.unread {
		fmt.Fprintf(a.stdout, "not looked at: %s\n", printable.Line(u))
	}
	if len(faults) == 0 {
		fmt.Fprintln(a.stdout, "nothing found")
	}
	return code
}

func (a *app) doctorJSON(facts facts, faults []fault, code int) int {
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	err := enc.Encode(struct {
		OK          bool     `json:"ok"`
		Exit        int      `json:"exit"`
		Faults      []fault  `json:"faults"`
		LookedAt    []string `json:"looked_at"`
		NotLookedAt []string `json:"not_looked_at"`
	}{code == exitOK, code, append([]fault{}, faults...), facts.looked, append([]string{}, facts.unread...)})
	if err != nil {
		fmt.Fprintln(a.stderr, err)
		return exitFailure
	}
	return code
}
