package status

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"ldirectord/internal/printable"
	"ldirectord/internal/view"
)

// width is the width of the text in characters. Sentences are broken to fit it; the lines of tables may exceed it.
const width = 80

// columns is the format of a server's line: name, state, time in this state, weight, active connections, last check.
const columns = "%-23s %-11s %7s %6s %7s  %s\n"

// WriteText writes the report of a running daemon for people. It begins with a few lines about the daemon and its
// addresses. The virtual services follow with their servers, those in trouble first, and then the last events.
func (r *Report) WriteText(w io.Writer) error {
	t := page{bufio.NewWriter(w)}
	t.printf("%s, version %s, up for %s\n", r.Doing(), r.Version, r.UpFor())
	t.printf("configuration read %s ago; %s, %d refused\n", shortSeconds(r.Reloads.Ago),
		view.Plural(r.Reloads.Succeeded, "reload"), r.Reloads.Refused)
	notice, _ := r.Zone.Notice(r.Time)
	t.printf("%s", notice)
	t.remarks(0, r.Remarks()...)
	t.announcements(r)
	t.printf("\n%s\n", r.Summary())
	if len(r.Virtuals) > 0 {
		t.printf("\n"+columns, "REAL SERVER", "STATE", "FOR", "WEIGHT", "ACTIVE", "LAST CHECK")
	}
	for _, v := range WorstFirst(r.Services()) {
		t.printf("%s\n", printable.Line(v.At.title()))
		t.remarks(2, v.At.Remarks()...)
		remarks := v.At.once(r.Time)
		for _, row := range WorstFirst(v.At.Rows()) {
			t.server(&row, r.Time)
			t.remarks(4, remarks(row.Server)...)
		}
	}
	if len(r.Last) > 0 {
		t.printf("\nLAST EVENTS\n")
	}
	for _, e := range r.Last {
		text := e.Text
		if e.More > 0 {
			text += fmt.Sprintf(" (and %d more)", e.More)
		}
		t.hanging(fmt.Sprintf("  %-14s", r.clock(e.At)), text)
	}
	return t.w.Flush()
}

// page buffers the text. Flush returns the writer's error.
type page struct{ w *bufio.Writer }

func (t page) printf(format string, values ...any) { fmt.Fprintf(t.w, format, values...) }

// announcements writes the addresses that are announced, or should be.
func (t page) announcements(r *Report) {
	const columns = "%-39s %-11s %-15s %7s\n"
	if len(r.Announcements) > 0 {
		t.printf("\n"+columns, "ADDRESS", "IS", "ON", "FOR")
	}
	for _, a := range r.Announcements {
		is, on := a.State, cmp.Or(a.On, a.Foreign, "-")
		if a.On == "" && a.Foreign != "" {
			is = "foreign"
		}
		t.printf(columns, a.Address, is, on, lasted(a.InState, a.Since, r.Time))
		if a.Why != "" {
			t.remarks(4, a.Why)
		}
	}
}

// Doing describes what the daemon is doing: whether it stands by, serves or is only active, and its phase unless that
// is "running".
func (r *Report) Doing() string {
	word := "active"
	switch {
	case r.Role == "standby":
		word = "standing by"
	case slices.ContainsFunc(r.Virtuals, func(v Virtual) bool { return v.Serving > 0 }):
		word = "serving"
	}
	if r.Phase != "running" {
		word += " (" + r.Phase + ")"
	}
	return word
}

// server writes the line of a server. A name that is too long for its column is written on a separate line.
func (t page) server(r *Row, now time.Time) {
	s := r.Server
	name := "  " + s.Real
	if len(name) > 23 {
		t.printf("%s\n", name)
		name = ""
	}
	weight, active := Number(r.Weight), Number(r.Active)
	if s.State == "fallback" { // no numbers, except a weight that was changed by hand
		active = ""
		if !s.ByHand {
			weight = ""
		}
	}
	t.printf(columns, name, s.State, For(s, now), weight, active, LastCheck(s, now))
}

// remarks writes sentences, each broken between words to fit the width.
func (t page) remarks(indent int, all ...string) {
	for _, sentence := range all {
		t.hanging(strings.Repeat(" ", indent), sentence)
	}
}

// hanging writes a sentence whose first line begins with start. It indents the other lines by the length of start.
func (t page) hanging(start, sentence string) {
	margin, line := strings.Repeat(" ", len(start)), start
	for _, word := range strings.FieldsFunc(sentence,
		func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		word = printable.Text(word)
		switch {
		case len(line) == len(start):
			line += word
		case len(line)+1+len(word) > width:
			t.printf("%s\n", line)
			line = margin + word
		default:
			line += " " + word
		}
	}
	t.printf("%s\n", line)
}

// Short formats a duration in its two largest units. It uses no unit smaller than a second.
func Short(d time.Duration) string {
	n := max(int64(d/time.Second), 0)
	switch {
	case n < 60:
		return fmt.Sprintf("%ds", n)
	case n < 3600:
		return fmt.Sprintf("%dm%ds", n/60, n%60)
	case n < 24*3600:
		return fmt.Sprintf("%dh%dm", n/3600, n/60%60)
	default:
		return fmt.Sprintf("%dd%dh", n/(24*3600), n/3600%24)
	}
}

// UpFor returns how long the daemon has run.
func (r *Report) UpFor() string { return shortSeconds(r.Up) }

// lasted returns how long a state has lasted. It prefers the number of seconds, which is right even if the clock was
// set since. If a daemon of a former version does not report that number, lasted uses the time when the state began.
func lasted(seconds float64, since, now time.Time) string {
	if seconds > 0 {
		return shortSeconds(seconds)
	}
	return Short(now.Sub(since))
}

func shortSeconds(n float64) string { return Short(time.Duration(n * float64(time.Second))) }

// brief formats the duration of a check with about three digits.
func brief(seconds float64) string {
	switch {
	case seconds < 0.001:
		return fmt.Sprintf("%.0fµs", seconds*1e6)
	case seconds < 0.9995:
		return fmt.Sprintf("%.3gms", seconds*1e3)
	default:
		return fmt.Sprintf("%.3gs", seconds)
	}
}
