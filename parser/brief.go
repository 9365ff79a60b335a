package parser

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"ldirectord/printable"
)

const (
	maxAlike  = 3  // how many similar findings are shown
	maxListed = 10 // how many lines or servers of the others are listed
)

// differing matches lines, ports and addresses (which have two dots or colons) in texts that are otherwise the same.
var differing = regexp.MustCompile(`\b(lines?|ports?) \d+|\[?[0-9a-fA-F]*([.:][0-9a-fA-F]*){2,}\]?(:\d+)?`)

// quotedName is a name in a finding about names.
var quotedName = regexp.MustCompile(`"[^"]*"`)

// WithoutPlaces is the common part of similar findings: the text without lines, ports and addresses.
func WithoutPlaces(text string) string { return differing.ReplaceAllString(text, "…") }

// Places are the lines, ports and addresses in a text.
func Places(text string) []string { return differing.FindAllString(text, -1) }

// IsPerls reports whether the Perl ldirectord has the same warning, in a line of its own.
func (d Diagnostic) IsPerls() bool {
	return d.Severity == Warning && slices.Contains([]string{deprecated, missingDir, ownInterval}, d.Kind)
}

// common is the common part of similar findings.
func (d Diagnostic) common() string {
	text := WithoutPlaces(d.Text)
	if slices.Contains([]string{realHost, realPort, nameInVain}, d.Kind) {
		text = quotedName.ReplaceAllString(text, "…")
	}
	return fmt.Sprintln(d.Severity, d.Kind, text)
}

// Brief returns the findings for a person: the first three of similar ones, then a count of the others with their
// lines. Each list of allowed values appears once.
func (ds Diagnostics) Brief() Diagnostics { return ds.brief(func(Diagnostic) bool { return false }) }

// ForLog is Brief without notes, and with all lines that the Perl ldirectord also has.
func (ds Diagnostics) ForLog() Diagnostics {
	isNote := func(d Diagnostic) bool { return d.Severity == Note }
	return slices.DeleteFunc(slices.Clone(ds), isNote).brief(Diagnostic.IsPerls)
}

func (ds Diagnostics) brief(isKept func(Diagnostic) bool) Diagnostics {
	brief := Thin(ds, func(d Diagnostic) string {
		if isKept(d) {
			return ""
		}
		return d.common()
	}, asOne)
	listed, shown := map[string]bool{}, map[string]bool{}
	for i := range brief {
		d := &brief[i]
		before, list, _ := strings.Cut(d.Text, "; it must be one of ")
		if listed[list] && list != "" {
			d.Text = before
		}
		d.again = d.again || shown[d.common()]
		listed[list], shown[d.common()] = true, true
	}
	return brief
}

// Thin returns the first three of similar items, followed by the sum of the others. Items with the key "" are unique.
func Thin[T any](all []T, key func(T) string, sum func(others []T) T) (few []T) {
	for _, alike := range printable.Alike(all, maxAlike+1, key) { // a sum of one item is no shorter
		if len(alike) > 1 {
			alike = append(alike[:maxAlike:maxAlike], sum(alike[maxAlike:]))
		}
		few = append(few, alike...)
	}
	return few
}

// asOne returns how many others there are, and where.
func asOne(others []Diagnostic) Diagnostic {
	var lines []string
	for _, d := range Diagnostics(others).ByPosition() {
		if line := d.At().Line; line > 0 {
			lines = append(lines, strconv.Itoa(line))
		}
	}
	one, what := others[0], ": lines "
	if lines = slices.Compact(lines); len(lines) == 1 {
		what = ": line "
	}
	one.again = true
	one.Text = fmt.Sprintf("and %d more", len(others)) + Listed(what, lines)
	return one
}

// Listed returns the first of some places, after a title; "" without places.
func Listed(what string, places []string) string {
	if len(places) == 0 {
		return ""
	}
	more := ""
	if len(places) > maxListed {
		places, more = places[:maxListed], ", …"
	}
	return what + strings.Join(places, ", ") + more
}
