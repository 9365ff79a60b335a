package parser

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"ldirectord/internal/printable"
)

const (
	maxLines  = 3  // how many lines of similar findings are listed
	maxListed = 10 // how many places Listed lists
)

// differing matches lines, ports and addresses (at least two dots or colons) in texts that are otherwise equal.
var differing = regexp.MustCompile(`\b(lines?|ports?) \d+|\[?[0-9a-fA-F]*([.:][0-9a-fA-F]*){2,}\]?(:\d+)?`)

// quotedName matches a name in the text of a finding.
var quotedName = regexp.MustCompile(`"[^"]*"`)

// WithoutPlaces returns the text that similar findings have in common, without lines, ports and addresses.
func WithoutPlaces(text string) string { return differing.ReplaceAllString(text, "…") }

// Places returns the lines, ports and addresses in a text.
func Places(text string) []string { return differing.FindAllString(text, -1) }

// AtStart reports whether start and reload print a finding. They print errors, warnings that the Perl ldirectord also
// prints, and those in atStart.
func (d Diagnostic) AtStart() bool {
	return d.Severity == Error || d.IsPerls() || d.Severity == Warning && slices.Contains(atStart, d.Kind)
}

// IsPerls reports whether the Perl ldirectord prints the same warning, on a line of its own.
func (d Diagnostic) IsPerls() bool {
	return d.Severity == Warning && slices.Contains([]string{deprecated, missingDir, ownInterval}, d.Kind)
}

// common returns a text that similar findings have in common.
func (d Diagnostic) common() string {
	text := WithoutPlaces(cmp.Or(d.shape, d.Text))
	if slices.Contains([]string{realHost, realPort, nameInVain}, d.Kind) {
		text = quotedName.ReplaceAllString(text, "…")
	}
	return fmt.Sprintln(d.Severity, d.Kind, text)
}

// Brief shortens the findings for a person. It keeps the first of similar findings, and adds how many others there are
// and the line numbers of the first few. A list of allowed values appears only once.
func (ds Diagnostics) Brief() Diagnostics { return ds.brief(false) }

// ForLog is like Brief, but omits notes, sorts by position, and keeps all warnings that the Perl ldirectord prints too.
func (ds Diagnostics) ForLog() Diagnostics {
	isNote := func(d Diagnostic) bool { return d.Severity == Note }
	return slices.DeleteFunc(ds.ByPosition(), isNote).brief(true)
}

func (ds Diagnostics) brief(keepsPerls bool) (brief Diagnostics) {
	listed := map[string]bool{}
	for _, alike := range printable.Alike(ds, 1, func(d Diagnostic) string {
		if keepsPerls && d.IsPerls() {
			return ""
		}
		return d.common()
	}) {
		d := alike[0]
		for _, list := range lists.FindAllString(d.Text, 1) {
			if listed[list] {
				d.Text = strings.TrimSuffix(d.Text, list)
			}
			listed[list] = true
		}
		text, _, _ := strings.Cut(d.Text, "; to fix it: ")
		d.Text = text + others(d.At().File, alike[1:]) + d.Text[len(text):]
		brief = append(brief, d)
	}
	return brief
}

// lists matches the allowed values at the end of a text.
var lists = regexp.MustCompile(`; (it must be one of|known are) .*`)

// Within returns the gravest findings, at most the given number of them, and the number of omitted findings.
func (ds Diagnostics) Within(most int) (few Diagnostics, left int) {
	if len(ds) <= most {
		return ds, 0
	}
	gravest := slices.Concat(ds.only(Error), ds.only(Warning), ds.only(Note))
	return gravest[:most].ByPosition(), len(ds) - most
}

// others describes the number of similar findings and the lines of the first few. If a line is in another file, others
// names that file.
func others(file string, list []Diagnostic) string {
	if len(list) == 0 {
		return ""
	}
	var lines []string
	for _, d := range list {
		line := strconv.Itoa(int(d.At().Line))
		if d.At().File != file {
			line = d.At().File + ":" + line
		}
		if d.At().Line > 0 && len(lines) <= maxLines && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	what := ": lines "
	if len(lines) == 1 {
		what = ": line "
	}
	return fmt.Sprintf("; and %d more%s", len(list), listed(what, lines, maxLines))
}

// Listed returns a title followed by the first few places, or "" if there are no places.
func Listed(what string, places []string) string { return listed(what, places, maxListed) }

func listed(what string, places []string, most int) string {
	if len(places) == 0 {
		return ""
	}
	more := ""
	if len(places) > most {
		places, more = places[:most], ", …"
	}
	return what + strings.Join(places, ", ") + more
}
