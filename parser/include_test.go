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
	const main = "include=a*\nvirtual=192.0.2.1:80\n\treal=192.0.2.9:80 masq\n"
	const section = "virtual=192.0.2.%d:80\n\treal=192.0.2.9:80 masq\n"
	two, three := fmt.Sprintf(section, 2), fmt.Sprintf(section, 3)
	for _, row := range []struct {
		parts []Part
		said  string // all findings
	}{
		{[]Part{{Path: "a", Text: []byte(two)}, {Path: "a b", Text: []byte(three)}}, ""},
		{[]Part{{}}, `ld.cf:1:9: warning: there is no file "a*"`},
		{[]Part{{Path: ".a", Left: IsCopy}},
			`ld.cf:1:9: warning: ".a" is not read: its name is that of a copy`},
		{[]Part{{Path: "a", Left: "permission denied"}},
			`ld.cf:1:9: error: "a" cannot be read: permission denied`},
		{[]Part{{Path: "a", Text: []byte("\n" + two + two)}},
			"a:4:9: error: tcp:192.0.2.2:80 of line 4 is already in line 2"},
		{[]Part{{Path: "a", Text: []byte(two)}, {Path: "b", Text: []byte(two)}},
			"b:1:9: error: tcp:192.0.2.2:80 of line 1 is already in line 1 of a"},
		{[]Part{{Path: "a", Text: []byte("\treal=192.0.2.9:80 masq\n")}},
			"a:1:2: error: real is outside of a section; it belongs below a virtual, indented by four " +
				"blanks or a tab"},
		{[]Part{{Path: "a", Text: []byte("supervised\n")}},
			"a:1:1: error: supervised is not followed by =; a line is NAME = VALUE or a comment after #"},
		{[]Part{{Path: "a", Text: []byte("callback=\"x\"\n")}},
			"a:1:1: error: callback is in a part, which has only sections; it belongs in ld.cf"},
		{[]Part{{Path: "ld.cf", Text: []byte("include=a*\n")}},
			"ld.cf:1:1: error: include is in a part, which has only sections; it belongs in ld.cf"},
		{[]Part{{Path: "a", Text: []byte(two)}, {Path: ".a", Left: IsCopy}, {Path: "b", Text: []byte(three)}},
			`ld.cf:1:9: warning: ".a" is not read: its name is that of a copy`},
		{[]Part{{Path: "a", Text: []byte("\ufeff" + two)}},
			"a:1:1: warning: the file begins with a byte-order mark, which the Perl ldirectord refuses"},
		// Each is told, although the lines have the same number.
		{[]Part{{Path: "a", Text: []byte(strings.Replace(two, "masq", "mask", 1))},
			{Path: "b", Text: []byte(strings.Replace(three, "masq", "mask", 1))}},
			`a:2:20: error: "mask" is not a forwarding method; it must be gate, masq or ipip
b:2:20: error: "mask" is not a forwarding method; it must be gate, masq or ipip`},
	} {
		text := testkit.Must(Join("ld.cf", []byte(main), row.parts))(t)
		_, found := parse(t.Context(), "ld.cf", text, Options{})
		said := ""
		for _, d := range found {
			said += d.String() + "\n"
		}
		if strings.TrimSpace(said) != row.said {
			t.Errorf("of %q\n%s\nwant\n%s", text, said, row.said)
		}
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
	if got != "[bom conf.d/*.cf x y]" {
		t.Error(got)
	}
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
