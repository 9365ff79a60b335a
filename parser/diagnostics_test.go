package parser

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// The first error is the one at which the Perl ldirectord stops. In a section these come first: the errors of its
// lines, then those of the fallback, of the header, of the real servers, and a repeated section.
func TestErrorsComeInTheOrderOfReading(t *testing.T) {
	const src = `virtual=no-such-host:80
	real=no-such-host masq
	fallback=no-such-host
	ops=maybe
fork=maybe
virtual=1
virtual=1
autoreload=maybe
`
	_, found := parseText(t, src)
	lines := each(found.Errors(), func(d Diagnostic) int32 { return d.Pos.Line })
	testkit.Same(t, lines, []int32{4, 3, 1, 2, 5, 8, 8}, "errors in lines")
	testkit.Contains(t, found.Errors()[5].Render([]byte(src)), "\n  virtual=1\n", "a duplicate is shown as")
}

func TestRenderShowsTheSurroundingsOfTheCaret(t *testing.T) {
	src := "\tcomment=" + strings.Repeat("é", 100) + "\tx" + strings.Repeat("ü", 100) + "\n"
	at := strings.IndexByte(src, 'x') + 1
	text := Diagnostic{Severity: Error, Pos: Position{"a\x1b.cf", 1, int32(at)}, Text: "here"}.Render([]byte(src))
	want := "a\\x1b.cf:1:" + "211: error: here\n" +
		"  …" + strings.Repeat("é", 30) + "\tx" + strings.Repeat("ü", 29) + "…\n" +
		"  " + strings.Repeat(" ", 31) + "\t^\n"
	testkit.Equal(t, text, want)
	for before, after := range map[int]int{60: 60, 61: 61} {
		line := strings.Repeat("b", before) + strings.Repeat("a", after)
		got := Diagnostic{Pos: Position{"", 2, int32(before + 1)}}.Render([]byte("\n" + line))
		testkit.Equal(t, strings.Contains(got, "…"), before > 60, before,
			"bytes before the caret and after it: cut")
	}
	testkit.Equal(t, (Diagnostic{Pos: Position{File: "a.cf"}, Severity: Error, Text: "t"}).Render(nil),
		"a.cf: error: t\n", "without a place")
}

func TestSuggestions(t *testing.T) {
	rows := testkit.Table(t, "../testdata/parser/suggestions.txt", 2)
	for _, row := range append(rows, []string{"", ""}, []string{strings.Repeat("a", 1000), ""}) {
		testkit.Equal(t, nearest(row[0], directiveNames), row[1], row[0])
	}
}

func TestNoFileGivesMoreDiagnosticsThanAnyoneReads(t *testing.T) {
	for _, line := range []string{"nonsense\n", "supervised\n"} {
		_, found := parseText(t, strings.Repeat(line, maxFindings))
		testkit.Equal(t, len(found), maxFindings, line, "diagnostics")
		_, found = parseText(t, strings.Repeat(line, 3*maxFindings))
		if len(found) != maxFindings+1 || found[maxFindings].Kind != tooMany {
			t.Errorf("%q: %d diagnostics, the last: %v", line, len(found), found[len(found)-1])
		}
	}
	_, found := parseText(t, strings.Repeat("supervised\n", 3*maxFindings)+"checktimeout=3\nchecktimeout=4\n")
	last := found[maxFindings:]
	testkit.Equal(t, last[0].Kind, repeated, "after too many of another kind")
	testkit.Equal(t, last[1].Text, "only the first 10000 of 30000 warnings of the kind deprecated are listed")
	testkit.Equal(t, found.Count(Warning), 3*maxFindings+1, "warnings")
	var text strings.Builder // whose names are looked up, so that its sections are read twice
	for i := range maxFindings - 1 {
		fmt.Fprintf(&text, "virtual=10.1.%d.%d:80\n\treal=web:80 gate\n\tchecktype=on\n\trequest=x\n",
			i/250, i%250)
	}
	web := answers{"web": {netip.MustParseAddr("192.0.2.1")}}
	_, found = Parse(t.Context(), "", []byte(text.String()), Options{Resolver: web})
	testkit.Equal(t, len(found), maxFindings-1, "of a file with a name")
}

func TestDiagnosticsByPosition(t *testing.T) {
	at := func(line, column int) Diagnostic {
		return Diagnostic{Pos: Position{"", int32(line), int32(column)},
			Text: fmt.Sprintf("%d:%d", line, column)}
	}
	duplicate := Diagnostic{Pos: Position{"", 9, 1}, cause: Position{"", 2, 5}, Text: "cause 2:5"}
	sorted := Diagnostics{at(0, 0), at(3, 2), duplicate, at(3, 1), at(2, 7), {Text: "no line"}}.ByPosition()
	got := each(sorted, func(d Diagnostic) string { return d.Text })
	testkit.Equal(t, fmt.Sprint(got), "[cause 2:5 2:7 3:1 3:2 0:0 no line]")
}
