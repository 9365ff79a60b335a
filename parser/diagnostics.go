package parser

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"ldirectord/internal/printable"
)

// Severity makes a diagnostic an error, a warning or a note.
type Severity uint8

// An Error makes the parser refuse the configuration. A Note is a recommendation, or describes an effect of a setting.
const (
	Warning Severity = iota
	Error
	Note
)

func (s Severity) String() string { return [...]string{"warning", "error", "note"}[s] }

// The kinds of errors. They are stable: scripts may compare them.
const (
	unknownDirective  = "unknown-directive" // also: in the wrong place, or without its quotes or its =
	removedDirective  = "removed-directive"
	badValue          = "bad-value"
	conflict          = "conflict"         // two directives that exclude each other
	incomplete        = "incomplete"       // one of two directives that need each other
	ambiguousLayout   = "ambiguous-layout" // unclear whether global or of the section
	badVirtualAddress = "bad-virtual-address"
	duplicateVirtual  = "duplicate-virtual"
	v6UnderVirtual    = "v6-address-in-v4-section"
	familyMix         = "address-family-mix"
	badRealSyntax     = "bad-real-syntax"
	badRealTrailer    = "bad-real-trailer"
	badRealRange      = "bad-real-range"
	badForward        = "bad-forward-method"
	realHost          = "real-host-unresolved"
	realPort          = "real-port-unresolved"
	badFallback       = "bad-fallback"
	fallbackHost      = "fallback-host-unresolved"
	fallbackPort      = "fallback-port-unresolved"
	logfileClosed     = "logfile-unwritable"
	monitorfileClosed = "monitorfile-unwritable"
	unreadable        = "file-unreadable" // a part, certificates, a key or a password file
	tooLarge          = "too-large"
	tooMany           = "too-many" // findings of one kind, or errors
)

// The kinds of warnings and notes, which are stable like those of errors.
const (
	layout      = "layout"       // accepted although the Perl ldirectord refuses it
	deprecated  = "deprecated"   // accepted, but should be written otherwise
	loose       = "loose-value"  // part of the value is ignored
	repeated    = "repeated"     // a directive or server given twice
	noEffect    = "no-effect"    // accepted, but without effect
	suspicious  = "suspicious"   // accepted, but probably a mistake
	missingDir  = "missing-dir"  // maintenancedir does not exist
	nameInVain  = "name-in-vain" // a look-up failed: the last address is used, or a real server waits for one
	otherTime   = "other-time"   // a time that the Perl ldirectord reads as another one
	slowRemoval = "slow-removal" // how long paceout keeps a failed server in service
	onFail      = "onfail"       // how onfail affects clients
	notWatched  = "not-watched"  // servers that watch leaves out, or what watch costs servers
	ownInterval = "own-interval" // a section's checkinterval, which the Perl ldirectord ignores without fork=yes
)

// atStart are the kinds of warnings that start and reload print, although the Perl ldirectord does not.
var atStart = []string{nameInVain, "missing-program", "missing-file", "relative-path"}

// Diagnostic is one finding in a file.
type Diagnostic struct {
	Severity Severity
	Kind     string // short, stable name: unknown-directive, bad-value, …
	Pos      Position
	Text     string // the mistake, then what is allowed

	// cause is the position to show to a person if it differs from Pos. For a duplicate, Pos is the line after its
	// section, where the Perl ldirectord reports the error.
	cause Position

	order
	lookup bool   // the error is a look-up that failed
	shape  string // the text without numbers and addresses; "" if it is not known

	part      string // of a finding about a value: the wrong part; "" for the whole value
	tolerated bool   // of a finding about a value: only the Perl ldirectord refuses it

	unlisted int // of too-many: how many findings are dropped
}

// At returns the position to show to a person.
func (d Diagnostic) At() Position { return cmp.Or(d.cause, d.Pos) }

// Diagnostics are the findings of one file in the order of reading. Findings about globals come line by line. Findings
// about the lines of a section come before those about its names and addresses. The Perl ldirectord would stop at the
// first error.
type Diagnostics []Diagnostic

// HasErrors reports whether the file is refused.
func (ds Diagnostics) HasErrors() bool {
	return len(ds.Errors()) > 0
}

// OnlyLookups reports whether failed look-ups are the only errors. In that case another try may succeed.
func (ds Diagnostics) OnlyLookups() bool {
	errors := ds.Errors()
	return len(errors) > 0 && !slices.ContainsFunc(errors, func(d Diagnostic) bool { return !d.lookup })
}

// Errors returns the findings that make the parser refuse the file.
func (ds Diagnostics) Errors() Diagnostics { return ds.only(Error) }

// Warnings returns the warnings, without errors and notes.
func (ds Diagnostics) Warnings() Diagnostics { return ds.only(Warning) }

// Count returns the number of findings of a severity, including those that were dropped because there were too many.
func (ds Diagnostics) Count(s Severity) (n int) {
	for _, d := range ds.only(s) {
		if n++; d.Kind == tooMany {
			n += d.unlisted - 1
		}
	}
	return n
}

func (ds Diagnostics) only(s Severity) Diagnostics {
	return slices.DeleteFunc(slices.Clone(ds), func(d Diagnostic) bool { return d.Severity != s })
}

// ByPosition returns the diagnostics in the order of the file, followed by the diagnostics that have no line.
func (ds Diagnostics) ByPosition() Diagnostics {
	sorted := slices.Clone(ds)
	slices.SortStableFunc(sorted, func(a, b Diagnostic) int {
		p, q := a.At(), b.At()
		if p.File != q.File && p.Line*q.Line > 0 {
			return cmp.Compare(p.File, q.File)
		}
		return cmp.Or(cmp.Compare(cmp.Or(p.Line, math.MaxInt32), cmp.Or(q.Line, math.MaxInt32)),
			cmp.Compare(p.Column, q.Column))
	})
	return sorted
}

// String returns "file:line:column: severity: text", on one line.
func (d Diagnostic) String() string {
	at := d.At()
	place := at.File
	if at.Line > 0 {
		place = fmt.Sprintf("%s:%d:%d", place, at.Line, at.Column)
	}
	return printable.Text(fmt.Sprintf("%s: %s: %s", place, d.Severity, d.Text))
}

// report collects diagnostics and puts them in the order of reading.
type report struct {
	file   string
	strict bool
	found  Diagnostics
	count  map[group]int // including dropped findings

	inForce  map[string]*Virtual   // by ID; nil: there is none, or Options.Returns is set
	shared   map[int]blockID       // the block of each line in a block
	reported map[reportedText]bool // findings about these lines so far

	reportedLine int    // the last line whose layout was reported
	refusal      string // the kind of error with which the Perl ldirectord refuses that line
}

// group is what maxFindings limits. A mistake in every line must not hide warnings of another kind.
type group struct {
	Severity
	kind string // "" for errors: at the limit for them, reading stops
}

// everyError is the group of all errors.
var everyError = group{Severity: Error}

func (d Diagnostic) group() group {
	if d.Severity == Error {
		return everyError
	}
	return group{d.Severity, d.Kind}
}

// maxFindings is the maximum number of findings of each group that are kept.
const maxFindings = 10000

// phase is a stage in the reading of a section. The stages are in the order in which the Perl ldirectord finds errors.
type phase int

const (
	inLines phase = iota
	fallbackNames
	headerNames
	realNames
	wholeSection
	advice
)

// order is the place of a finding in the order of reading.
type order struct {
	block int // the line that opens the section, or the global line
	late  int // a line that, for the Perl ldirectord, is outside its section and is read alone; or 0
	phase phase
}

// turn returns the line at which the Perl ldirectord would report a finding.
func (o order) turn() int { return cmp.Or(o.late, o.block) }

// finder reports findings at a place in the order of reading.
type finder struct {
	*report
	order
}

// in returns a finder for a section.
func (r *report) in(s *section, p phase) finder {
	return finder{r, order{block: s.line.order, phase: p}}
}

// of returns the finder for a line of the section.
func (f finder) of(l line) finder {
	if l.late {
		f.late = l.order
	}
	return f
}

// on returns a finder for a line outside of sections, or for the whole file if line is 0.
func (r *report) on(line int) finder { return finder{r, order{block: line}} }

func (f finder) add(d Diagnostic) {
	if f.isReported(d) {
		return
	}
	if f.count[d.group()]++; f.count[d.group()] <= maxFindings {
		d.order = f.order
		f.found = append(f.found, d)
	}
}

func (f finder) error(kind string, pos Position, format string, args ...any) {
	f.tell(Error, kind, pos, format, args...)
}

func (f finder) warn(kind string, pos Position, format string, args ...any) {
	f.tell(Warning, kind, pos, format, args...)
}

// tell adds a finding with its shape. A shape keeps strings, because they are directives and values.
func (f finder) tell(s Severity, kind string, pos Position, format string, args ...any) {
	text := say(format, args...)
	for i, arg := range args {
		if _, isWord := arg.(piece); !isWord {
			args[i] = "…"
		}
	}
	f.add(Diagnostic{Severity: s, Kind: kind, Pos: pos, Text: text, shape: say(format, args...)})
}

// layout reports a layout that the Perl ldirectord refuses. If strict is set, the finding is an error of the given
// kind. Otherwise it is a warning.
func (f finder) layout(refusal string, pos Position, text string) {
	if f.strict {
		f.error(refusal, pos, "%s", text)
		return
	}
	f.warn(layout, pos, "%s", text)
}

func (r *report) diagnostics() Diagnostics {
	slices.SortStableFunc(r.found, func(a, b Diagnostic) int {
		return cmp.Or(a.turn()-b.turn(), int(a.phase-b.phase), int(a.Pos.Line-b.Pos.Line))
	})
	for _, g := range slices.SortedFunc(maps.Keys(r.count), group.compare) {
		if n := r.count[g]; n > maxFindings {
			r.found = append(r.found, g.tooMany(r.file, n))
		}
	}
	return r.found
}

func (g group) compare(other group) int {
	return cmp.Or(int(g.Severity)-int(other.Severity), cmp.Compare(g.kind, other.kind))
}

// tooMany reports that a group has n findings, more than are listed.
func (g group) tooMany(file string, n int) Diagnostic {
	text := fmt.Sprintf("only the first %d of %d %ss of the kind %s are listed", maxFindings, n, g.Severity, g.kind)
	if g == everyError {
		text = fmt.Sprintf("only the first %d errors are listed", maxFindings)
	}
	return Diagnostic{Severity: g.Severity, Kind: tooMany, Pos: Position{File: file}, Text: text,
		unlisted: n - maxFindings}
}
