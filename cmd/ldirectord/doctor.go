package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"ldirectord/doctor"
	"ldirectord/fwmark"
	"ldirectord/printable"
)

// doctor looks at what the configuration needs of this machine and its neighbours, and changes nothing. Its
// exit status is 0 when nothing that it found keeps traffic from flowing, 1 otherwise.
func (a *app) doctor(ctx context.Context) int {
	if code := a.readable(ctx); code != exitOK {
		return code
	}
	report := doctor.Examine(ctx, a.loaded.plan.Services(""), a.path, a.ownsRule())
	code := exitOK
	if report.IsBroken() {
		code = exitFailure
	}
	if a.jsonOut {
		return a.doctorJSON(report, code)
	}
	for _, f := range report.Findings {
		fmt.Fprintln(a.stdout, printable.Line(f.String()))
	}
	fmt.Fprintf(a.stdout, "looked at: %s\n", strings.Join(report.LookedAt, ", "))
	for _, u := range report.NotLookedAt {
		fmt.Fprintf(a.stdout, "not looked at: %s\n", printable.Line(u))
	}
	if len(report.Findings) == 0 {
		fmt.Fprintln(a.stdout, "nothing found")
	}
	return code
}

func (a *app) doctorJSON(report doctor.Report, code int) int {
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	err := enc.Encode(struct {
		OK   bool `json:"ok"`
		Exit int  `json:"exit"`
		doctor.Report
	}{code == exitOK, code, report})
	if err != nil {
		fmt.Fprintln(a.stderr, err)
		return exitFailure
	}
	return code
}

// ownsRule reports whether a mark rule is this daemon's; nil with a table in memory, which has none.
func (a *app) ownsRule() func(fwmark.Setting) bool {
	if a.ipvs != defaultIPVS {
		return nil
	}
	return fwmark.Open(a.instance().Chains()).Owns
}
