package parser

import (
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
		cfg, _ := parse(t.Context(), "", []byte(c.source), o)
		if cfg == nil {
			continue
		}
		want := asJSON(t, cfg)
		for name, relayout := range relayouts {
			again, found := parse(t.Context(), "", []byte(relayout(c.source)), o)
			if again == nil {
				t.Errorf("%s with %s: %s", c.name, name, found.Errors()[0])
			} else if got := asJSON(t, again); !reflect.DeepEqual(got, want) {
				t.Errorf("%s with %s: %s", c.name, name, firstDifference("", want, got, false))
			}
		}
	}
}

func TestLayoutWarningsNameTheirLine(t *testing.T) {
	for name, tc := range map[string]struct {
		src  string
		line []int
	}{
		"what the Perl ldirectord accepts is not warned about": {
			"checktimeout=3 # text\nvirtual=1 # text\n\treal=192.0.2.1 gate # text\n\tservice=none\n", nil},
		"one for an indented global": {"fork=no\n\tautoreload=yes # text\n",
			[]int{2}},
		"one for the little indentation of a section": {
			"virtual=1\n  real=192.0.2.1 gate\n  service=none\n", []int{2}},
		"one for a gap in a section": {
			"virtual=1\n\tservice=none\n\n\treal=192.0.2.1 gate\n\treal=192.0.2.2 gate\n", []int{4}},
		"one for a section that is not indented": {
			"virtual=1\nreal=192.0.2.1 gate\nservice=none\n", []int{2}},
		"one for the mark before a checkdef": {
			"\ufeffcheckdef=a\n\tservice=http\nvirtual=1\n\tservice=a\n\treal=192.0.2.1 gate\n", []int{1}},
		"one for the carriage returns of a file": {"fork=no\r\nautoreload=yes\r\n", []int{1}},
		"each for comments": {"fork=no # a\nautoreload=yes # b\n",
			[]int{1, 2}},
		"a blank after a list of states": {
			"emailalertstatus=running , stopping \nvirtual=1\n\tservice=none\n\treal=192.0.2.1 gate\n" +
				"\temailalertstatus=running ,\n", []int{1}},
		"a section continues after a global": {
			"virtual=1\n\tservice=none\nfork=no\n\treal=192.0.2.1 gate\n", []int{4}},
	} {
		_, found := parseText(t, tc.src)
		var lines []int
		for _, d := range found {
			if d.Kind != layout {
				t.Errorf("%s: %s", name, d)
			}
			lines = append(lines, int(d.Pos.Line))
		}
		testkit.Same(t, lines, tc.line, name, "warnings in lines")
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
