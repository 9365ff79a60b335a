// Package doctor holds a configuration against the machine that it is for: the facts of the machine, what is wrong
// with them, and what to say of it.
package doctor

import (
	"context"
	"fmt"
	"slices"

	"ldirectord/director"
	"ldirectord/fwmark"
)

// Severities of a finding.
const (
	broken  = "broken"  // some traffic does not flow
	warning = "warning" // it flows, but not in every case as one would expect
)

// Finding is something on this machine or on a real server that is not as the configuration needs it.
type Finding struct {
	Severity string   `json:"severity"`
	Kind     string   `json:"kind"`
	Virtuals []string `json:"virtuals"` // whom it concerns, by their ids
	Text     string   `json:"text"`
	Command  string   `json:"command,omitempty"` // mends it; "" where no command can
}

func (f Finding) String() string {
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

// Report is what an examination found.
type Report struct {
	Findings    []Finding `json:"faults"` // what keeps traffic from flowing first
	LookedAt    []string  `json:"looked_at"`
	NotLookedAt []string  `json:"not_looked_at"` // and why
}

// IsBroken reports whether some traffic does not flow.
func (r Report) IsBroken() bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Severity == broken })
}

// Examine looks at what the services of the configuration at path need of this machine and its neighbours, and changes
// nothing. owns reports whether a mark rule is the daemon's own; nil with a table in memory, for which no kernel is asked.
func Examine(ctx context.Context, services []director.Service, path string, owns func(fwmark.Setting) bool) Report {
	facts := gather(ctx, services, owns)
	if owns != nil {
		facts.noIPVS = withoutIPVS(ctx, facts.modules, openTable)
	}
	return Report{
		Findings:    append([]Finding{}, examine(services, facts, path)...),
		LookedAt:    facts.looked,
		NotLookedAt: append([]string{}, facts.unread...),
	}
}
