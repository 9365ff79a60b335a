package parser

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// relayouts rewrite a file so that its layout changes and its meaning does not.
var relayouts = map[string]func(string) string{
	"byte-order mark": func(src string) string { return "\ufeff" + src },
	"CR LF":           func(src string) string { return strings.ReplaceAll(src, "\n", "\r\n") },
	"blanks after":    func(src string) string { return afterValues(src, " \t ") },
	"comments after":  func(src string) string { return afterValues(src, "\t# a note") },
	"blank lines":     func(src string) string { return strings.ReplaceAll(src, "\n", "\n\n") },
	"all indented":    allIndented,
	"two blanks": func(src string) string {
		return eachLine(src, func(l string) string {
			if body := strings.TrimLeft(l, " \t"); body != l {
				return "  " + body
			}
			return l
		})
	},
}

func eachLine(src string, f func(string) string) string {
	var b strings.Builder
	for line := range strings.Lines(src) {
		text := strings.TrimSuffix(line, "\n")
		b.WriteString(f(text) + line[len(text):])
	}
	return b.String()
}

// allIndented indents a file. It leaves a file with a global below a section as it is: indented, the global would
// belong to the section.
func allIndented(src string) string {
	inSection, globalBelow := false, false
	indented := eachLine(src, func(l string) string {
		isVirtual := strings.HasPrefix(l, "virtual")
		globalBelow = globalBelow || inSection && !isVirtual && strings.TrimLeft(l, " \t") == l && l != ""
		inSection = inSection || isVirtual
		return "\t" + l
	})
	if globalBelow {
		return src
	}
	return indented
}

// afterValues adds text after the value of each directive, except free text, to which blanks belong.
func afterValues(src, add string) string {
	return eachLine(src, func(l string) string {
		if !strings.Contains(l, "=") || strings.Contains(l, "servicename") || strings.Contains(l, "comment") {
			return l
		}
		return l + add
	})
}

func TestLayoutDoesNotChangeTheMeaning(t *testing.T) {
	o := options(t)
	for _, c := range readCorpus(t) {
		if c.brief || strings.ContainsAny(c.source, "#\r\f\ufeff") {
			continue // the layout is what this case tests
		}
		cfg, _ := parseWith(t, c.source, o)
		if cfg == nil {
			continue
		}
		want := asJSON(t, cfg)
		for name, relayout := range relayouts {
			again, found := parseWith(t, relayout(c.source), o)
			if again == nil {
				t.Errorf("%s with %s: %s", c.name, name, found.Errors()[0])
			} else if got := asJSON(t, again); !reflect.DeepEqual(got, want) {
				t.Errorf("%s with %s: %s", c.name, name, firstDifference("", want, got, false))
			}
		}
	}
}

func TestLayoutWarningsNameTheirLine(t *testing.T) {
	for _, row := range testkit.Table(t, "../testdata/parser/layouts.txt", 3) {
		_, found := parseText(t, asWritten.Replace(row[1]))
		var lines []string
		for _, d := range found {
			testkit.Equal(t, d.Kind, layout, row[0], d)
			lines = append(lines, fmt.Sprint(d.Pos.Line))
		}
		testkit.Equal(t, strings.Join(lines, " "), row[2], row[0], "warnings in lines")
	}
}

func TestColumnZeroIsAmbiguousOnlyUntilTheNextVirtual(t *testing.T) {
	const src = "virtual=1\nreal=192.0.2.1 gate\nservice=none\nautoreload=yes\nvirtual=2\n\treal=192.0.2.1 gate\n" +
		"\tservice=none\nquiescent=yes\n"
	cfg, found := parseText(t, src)
	if cfg == nil {
		t.Fatal(found)
	}
	if !cfg.Global.Quiescent || !cfg.Global.AutoReload {
		t.Error("globals below a section did not count")
	}
}

// Where the Perl ldirectord stops at the layout of a line, an error of this line's value has the kind that the Perl
// ldirectord reports.
func TestTheReferencesErrorComesFirst(t *testing.T) {
	for src, kind := range map[string]string{
		"virtual=1\n\tautoreload=maybe\n":   unknownDirective,
		"virtual=1\n  ops=maybe\n":          unknownDirective,
		"virtual=1\n\tops=maybe # never\n":  badValue,
		"virtual=1\n\tpasswd=\"\" # none\n": badValue,
		"virtual=1\n\tpasswd= # \"a\"\n":    unknownDirective,
		"virtual=1\nreal=192.0.2.1 nat\n":   unknownDirective,
	} {
		_, found := parseText(t, src)
		if errs := found.Errors(); len(errs) != 1 || errs[0].Kind != kind {
			t.Errorf("%q: got %v, want %s", src, errs, kind)
		}
	}
}
