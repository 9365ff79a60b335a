package docs

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"ldirectord/parser"
)

var update = flag.Bool("update", false, "write the lists of directives")

// The lists of directives in directives.md and in the man page are those of the parser's table.
func TestListsOfDirectives(t *testing.T) {
	for _, doc := range []struct {
		file, begin, end string
		list             func([]parser.Directive) string
	}{
		{"directives.md", "<!-- directives: %s -->\n", "<!-- end -->\n", markdownList},
		{configPage, ".\\\" directives: %s\n", ".\\\" end\n", manList},
	} {
		text, err := os.ReadFile(doc.file)
		if err != nil {
			t.Fatal(err)
		}
		want := string(text)
		for _, chapter := range chapters() {
			begin := strings.Replace(doc.begin, "%s", chapter[0].Chapter, 1)
			before, rest, found := strings.Cut(want, begin)
			_, after, ended := strings.Cut(rest, doc.end)
			if !found || !ended {
				t.Fatalf("%s has no list %q", doc.file, chapter[0].Chapter)
			}
			want = before + begin + doc.list(chapter) + doc.end + after
		}
		if want == string(text) {
			continue
		}
		if !*update {
			t.Errorf("%s does not have the directives of the parser: write it with -update", doc.file)
		} else if err := os.WriteFile(doc.file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// The example of why in status.md is what status shows of its test's first server.
func TestTheExampleOfWhyIsWhatItShows(t *testing.T) {
	shown, err := os.ReadFile("../testdata/status/why")
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(shown), "\n\n192.")
	example := "\n    $ sudo ldirectord www.cf why 192.0.2.21:80\n"
	for line := range strings.Lines(first + "\n") {
		example += strings.TrimSuffix("    "+line, "    \n")
		if line == "\n" {
			example += "\n"
		}
	}
	text := readDoc(t, "status.md")
	before, rest, found := strings.Cut(text, "<!-- why -->\n")
	_, after, ended := strings.Cut(rest, "\n<!-- end -->\n")
	want := before + "<!-- why -->\n" + example + "\n<!-- end -->\n" + after
	switch {
	case !found || !ended:
		t.Fatal("status.md has no example of why")
	case want == text:
	case !*update:
		t.Error("status.md does not show what why does: write it with -update")
	default:
		if err := os.WriteFile("status.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// chapters are the directives of each chapter.
func chapters() (list [][]parser.Directive) {
	for _, d := range parser.Directives() {
		if len(list) == 0 || list[len(list)-1][0].Chapter != d.Chapter {
			list = append(list, nil)
		}
		list[len(list)-1] = append(list[len(list)-1], d)
	}
	return list
}

func markdownList(chapter []parser.Directive) string {
	var b strings.Builder
	b.WriteString("| Directive | Value | Default | Meaning |\n|---|---|---|---|\n")
	for _, d := range chapter {
		doc := d.Doc
		if d.Extension {
			doc = "**extension** " + doc
		}
		if d.Repeats {
			doc += " Each line adds one."
		}
		cells := []string{"`" + d.Name + "`", d.Value, d.Default, doc}
		for i, cell := range cells {
			cells[i] = strings.ReplaceAll(cell, "|", `\|`)
		}
		b.WriteString("| " + strings.ReplaceAll(strings.Join(cells, " | "), "|  |", "| |") + " |\n")
	}
	return b.String()
}

func manList(chapter []parser.Directive) string {
	var b strings.Builder
	b.WriteString(".Bl -tag -width Ds\n")
	for _, d := range chapter {
		b.WriteString(".It Ic " + d.Name + " No \"= " + manText(d.Value) + "\"\n")
		if d.Extension {
			b.WriteString(".Em Extension .\n")
		}
		for sentence := range strings.SplitSeq(strings.TrimSuffix(d.Doc, "."), ". ") {
			b.WriteString(manText(sentence) + ".\n")
		}
		if d.Repeats {
			b.WriteString("Each line adds one.\n")
		}
		if d.Default != "" {
			b.WriteString("Default: " + manText(d.Default) + ".\n")
		}
	}
	return b.String() + ".El\n"
}

var name = regexp.MustCompile("`([^`]*)`")

func manText(markdown string) string {
	text := strings.NewReplacer(`\`, `\e`, `"`, `\(dq`).Replace(markdown)
	return name.ReplaceAllString(text, `\fB$1\fR`)
}
