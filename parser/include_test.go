package parser

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// Parts mean what their lines mean in one file, and findings have their places.
func TestParts(t *testing.T) {
	const main = `include=a*
virtual=192.0.2.1:80
	real=192.0.2.9:80 masq
	use=b
defaults=b
	backup=192.0.2.8:80 masq
	service=c
checkdef=c
	service=simpletcp
	checktype=negotiate
	send="x"
	expect="y"
`
	for _, row := range testkit.Table(t, "../testdata/parser/parts.txt", 2) {
		var parts []Part
		for written := range strings.SplitSeq(row[0], " & ") {
			path, lines, isRead := strings.Cut(written, ": ")
			if isRead {
				text := strings.ReplaceAll(lines, "; ", "\n") + "\n"
				parts = append(parts, Part{Path: path, Text: []byte(text)})
				continue
			}
			path, why, _ := strings.Cut(strings.Trim(written, "-"), "! ")
			parts = append(parts, Part{Path: path, Left: why})
		}
		text := testkit.Must(Join("ld.cf", []byte(main), parts))(t)
		_, found := parse(t.Context(), "ld.cf", text, Options{})
		testkit.Equal(t, strings.Join(each(found, Diagnostic.String), " & "), row[1], row[0])
	}
}

// The sum of a configuration is the same, whichever parts its sections are in.
func TestSumOfParts(t *testing.T) {
	const one = "virtual=192.0.2.1:80\n\treal=192.0.2.9:80 masq\n"
	const two = "virtual=192.0.2.2:80\n\treal=192.0.2.9:80 masq\n"
	joined := func(main string, parts ...Part) string {
		return sumOf(t, string(testkit.Must(Join("ld.cf", []byte(main), parts))(t)), "d", "")
	}
	whole := sumOf(t, one+two, "d", "")
	testkit.Equal(t, joined("include=a*\n", Part{Path: "a1", Text: []byte(one)},
		Part{Path: "a2", Text: []byte(two)}), whole)
	if joined("include=a*\n", Part{Path: "a1", Text: []byte(one)}) == whole {
		t.Error("a part does not count")
	}
}

// Findings of one kind are one, with the files of the others.
func TestFindingsOfPartsInBrief(t *testing.T) {
	parts := []Part{}
	for _, path := range []string{"a", "b"} {
		parts = append(parts, Part{Path: path, Text: []byte("x=1\nx=1\n")})
	}
	text, _ := Join("ld.cf", []byte("include=*\n"), parts)
	_, found := parse(t.Context(), "ld.cf", text, Options{})
	if brief := found.ByPosition().Brief(); len(brief) != 1 ||
		!strings.HasSuffix(brief[0].Text, "; and 3 more: lines 2, b:1, b:2") {
		t.Error(brief)
	}
}

// The quoted line is that of the part.
func TestFindingsQuoteParts(t *testing.T) {
	text, _ := Join("ld.cf", []byte("include=a\n"), []Part{{Path: "a", Text: []byte("virtual=nonsense\n")}})
	_, found := parse(t.Context(), "ld.cf", text, Options{})
	if said := found[0].Render(text); !strings.HasSuffix(said, "\n  virtual=nonsense\n          ^\n") {
		t.Error(said)
	}
}

// A file can't forge a part.
func TestNoFileLooksJoined(t *testing.T) {
	forged := []byte("include=a\n\x00\"/etc/x\"\t0\nvirtual=1\n")
	if _, err := Join("ld.cf", forged, nil); err == nil {
		t.Error("it is joined")
	}
	if _, err := Join("ld.cf", []byte("include=a\n"), []Part{{Path: "a", Text: forged}}); err == nil {
		t.Error("it is joined as a part")
	}
}

func TestIncludes(t *testing.T) {
	got := fmt.Sprint(Includes([]byte("\ufeffinclude=bom\na=b\ninclude = conf.d/*.cf # all\n  include=\"x y\"\n" +
		"include=*/a\ninclude=[\ninclude\n#include=z\n")))
	testkit.Equal(t, got, "[bom conf.d/*.cf x y]")
}

// farmInParts is a farm with each virtual service in a part.
func farmInParts(n, servers int) []byte {
	sections := bytes.SplitAfter(farm(n, servers), []byte("\n\n"))
	parts := make([]Part, n)
	for i := range parts {
		parts[i] = Part{Path: fmt.Sprintf("/etc/ha.d/conf.d/%04d.cf", i), Text: sections[i+1]}
	}
	text, _ := Join("ldirectord.cf", append([]byte("include=conf.d/*\n"), sections[0]...), parts)
	return text
}

// To be compared with BenchmarkParse1000x4.
func BenchmarkParse1000x4Parts(b *testing.B) { benchmarkParseOf(b, farmInParts(1000, 4), 1000) }
