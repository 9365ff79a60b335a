// Package doctor compares a configuration with the machine. It gathers facts, finds problems, and suggests commands
// that fix them.
package doctor

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"

	"ldirectord/internal/fwmark"
	"ldirectord/internal/lvs"
	"ldirectord/internal/plan"
	"ldirectord/internal/printable"
	"ldirectord/ipvsctl"
	"ldirectord/parser"
)

// Finding is a mismatch between the configuration and this machine or a real server.
type Finding struct {
	Severity string   `json:"severity"`
	Kind     string   `json:"kind"`
	Virtuals []string `json:"virtuals"` // the ids of the virtual services that it concerns; null for the whole file
	Text     string   `json:"text"`
	Command  string   `json:"command,omitempty"` // the command that fixes it; "" if no command does

	at        parser.Position // zero if it belongs to no line
	directive string          // the directive whose place it gets, see findings.txt
}

func (f Finding) String() string {
	line := f.Severity
	if len(f.Virtuals) > 0 {
		line += ": " + f.Virtuals[0]
	}
	if more := len(f.Virtuals) - 1; more > 0 {
		line += fmt.Sprintf(" and %d more", more)
	}
	return line + ": " + f.advice()
}

func (f Finding) advice() string {
	if f.Command == "" {
		return f.Text
	}
	return f.Text + "; to fix it: " + f.Command
}

// Brief shortens the findings for display. If more than four differ only in the server, it keeps the first three and
// counts the others.
func (r Report) Brief() (few []Finding) {
	kind := func(f Finding) string { return f.Severity + f.Kind + parser.WithoutPlaces(f.Text) }
	for _, alike := range printable.Alike(r.Findings, maxAlike+1, kind) { // a line that counts one saves nothing
		if len(alike) > 1 {
			others := alike[maxAlike:]
			var of []string
			for _, f := range others {
				of = append(of, slices.Concat(parser.Places(f.Text), f.Virtuals, []string{f.Text})[0])
			}
			others[0].Command = ""
			others[0].Text = fmt.Sprintf("the same is true of %d more", len(others)) +
				parser.Listed(": ", slices.Compact(of))
			alike = alike[:maxAlike+1]
		}
		few = append(few, alike...)
	}
	return few
}

// maxAlike is the number of similar findings that are shown in full.
const maxAlike = 3

// findings collects findings without duplicates.
type findings struct {
	list  []Finding
	index map[string]int // the index of each finding in the list
}

// add adds a finding. If the same finding already exists for another virtual service, add only adds this service to it.
func (f *findings) add(found Finding) {
	key := found.Kind + "\n" + found.Text + "\n" + found.Command
	if len(found.Virtuals) == 0 {
		key += fmt.Sprint(found.at)
	}
	i, known := f.index[key]
	if !known {
		if f.index == nil {
			f.index = map[string]int{}
		}
		f.index[key] = len(f.list)
		f.list = append(f.list, found)
		return
	}
	for _, id := range found.Virtuals {
		if !slices.Contains(f.list[i].Virtuals, id) {
			f.list[i].Virtuals = append(f.list[i].Virtuals, id)
		}
	}
}

// addAt adds a finding from findings.txt that concerns a place in the file.
func (f *findings) addAt(at parser.Position, name string, values ...any) {
	f.add(finding(name, values...).in(at))
}

// Report is the result of an examination.
type Report struct {
	Findings    []Finding `json:"faults"` // broken ones first, notes last, otherwise in the order of the file
	LookedAt    []string  `json:"looked_at"`
	NotLookedAt []string  `json:"not_looked_at"` // and why
}

// IsBroken reports whether some traffic does not flow.
func (r Report) IsBroken() bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Severity == broken })
}

// Daemon contains what doctor needs to know about the daemons on this machine. For a table in memory, Table and the
// function fields are nil: a daemon with such a table needs no IPVS, makes no checks through virtual addresses, and
// announces nothing.
type Daemon struct {
	Table ipvsctl.Client            // the table of this machine; nil for a table in memory
	Owns  func(fwmark.Setting) bool // reports whether a mark rule is the daemon's own
	// the marks of private services that daemons on this machine have recorded; true if that daemon runs
	Private map[uint32]bool
	Reach   Reach
	Inspect Inspect
	Shared  map[lvs.Key]string // for each virtual service that another daemon has or awaits: that daemon, in words
	Unknown []string           // daemons whose virtual services are unknown
	Again   string             // the beginning of a command line for the file, see daemon.Again
	Changed string             // why the file is not in force in the running daemon; "" if it is
	Lists   []string           // the lists of real servers that are not in force, each with the reason
	// for each virtual service (by id), descriptions of the servers that differ from the others in their section
	Differing map[string][]string
}

// Examine finds what is missing on this machine and its neighbours for the plan to work. The plan's configuration is at
// path. Examine leaves nothing changed.
func Examine(ctx context.Context, p *plan.Plan, path string, own Daemon) Report {
	facts := gather(ctx, p.Services, own)
	facts.ordered = p.Config.Global.Timeouts
	if want := Wanted(p.Services); own.Inspect != nil && len(want) > 0 {
		var err error
		facts.faults, err = own.Inspect(want)
		facts.note("announced addresses", err)
	}
	if facts.unread = append(facts.unread, own.Unknown...); own.Shared != nil {
		facts.looked = append(facts.looked, "other directors")
	}
	facts.ask(ctx)
	slices.Sort(facts.looked)
	slices.Sort(facts.unread)
	return Report{
		Findings:    append([]Finding{}, examine(facts, path)...),
		LookedAt:    facts.looked,
		NotLookedAt: append([]string{}, facts.unread...),
	}
}

// Advise compares the file with the machine. Among other things, it examines which users can read the file's passwords
// or change programs that root runs, which addresses and kernel modules exist, and which rules set and use the marks.
// It sends nothing to the network. services must be those of cfg, or nil for a refused file. The diagnostics are in the
// order of the file.
func Advise(ctx context.Context, cfg *parser.Config, services []*plan.Service, own Daemon) parser.Diagnostics {
	e := &examination{facts: gather(ctx, services, own), path: cfg.Name, early: true}
	e.secrets(cfg)
	e.trust(cfg)
	e.group(cfg.Global)
	e.metrics(cfg)
	if who := own.Shared[lvs.TimeoutsKey]; who != "" && cfg.Global.Timeouts != (lvs.Timeouts{}) {
		e.addAt(cfg.Global.At["timeouts"], "two-daemons timeouts", who)
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err == nil {
		e.descriptors(cfg, limit.Max)
	}
	// only these settings are judged; without IPVS, they have the kernel's defaults
	e.settings = map[string]string{
		expireTemplate: cmp.Or(e.settings[expireTemplate], "0"), sloppyTCP: cmp.Or(e.settings[sloppyTCP], "0"),
	}
	for _, s := range services {
		x := e.of(s)
		x.needed()
		x.shared()
		x.pingsAndMails()
		x.unset()
		if isAnnounced(s) {
			x.behindRouter()
		}
		if own.Table == nil && s.Config.CheckVIP.IsValid() {
			x.tell("check-memory")
		}
	}
	if own.Table != nil {
		e.kernel(ctx)
	}
	return e.diagnostics(cfg.Name)
}

// Waits ends the text of a finding about a virtual service that another daemon has.
const Waits = "; the daemon of this file waits for it"

// shared finds other daemons that have this virtual service, or one whose packets get this service's mark.
func (x one) shared() {
	if who := x.daemon.Shared[x.Virtual.Key]; who != "" {
		x.tell("two-daemons", who)
	}
	for _, k := range slices.SortedFunc(maps.Keys(x.daemon.Shared), lvs.Key.Compare) {
		if plan.Catches(x.Virtual, k) {
			x.tell("mark-catches", markOf(x.Virtual), k.ID(),
				strings.TrimSuffix(x.daemon.Shared[k], Waits))
		}
	}
}

// diagnostics turns the findings into diagnostics of a file, in the order of the file. A finding with severity broken
// becomes only a warning.
func (f *findings) diagnostics(file string) (found parser.Diagnostics) {
	severities := map[string]parser.Severity{broken: parser.Warning, note: parser.Note, refused: parser.Error}
	for _, one := range f.list {
		at := one.at
		at.File = cmp.Or(at.File, file)
		found = append(found, parser.Diagnostic{Severity: severities[one.Severity], Kind: one.Kind, Pos: at,
			Text: one.advice()})
	}
	return found.ByPosition()
}

// bySeverity compares findings for sorting: broken ones first, notes last, otherwise in the order of the file.
func bySeverity(a, b Finding) int {
	rank := func(f Finding) int { return slices.Index([]string{broken, warning, note}, f.Severity) }
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.at.Line, b.at.Line),
		cmp.Compare(a.at.Column, b.at.Column))
}
