package parser

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// hides is what brief findings leave out: the number of findings that are neither shown nor counted, or a kind of
// mistake that is not shown.
func hides(all, brief Diagnostics) string {
	shown, counted := map[string]bool{}, 0
	for _, d := range brief {
		counted++
		if more := regexp.MustCompile(`^and (\d+) more`).FindStringSubmatch(d.Text); more != nil {
			n, _ := strconv.Atoi(more[1])
			counted += n - 1
			continue
		}
		shown[fmt.Sprint(d.Severity, d.Kind, d.At())] = true
	}
	kinds := map[string]bool{}
	for _, d := range all {
		if !kinds[d.common()] && !shown[fmt.Sprint(d.Severity, d.Kind, d.At())] {
			return "the first one like it is not shown: " + d.String()
		}
		kinds[d.common()] = true
	}
	if counted != len(all) {
		return fmt.Sprintf("%d of %d are counted", counted, len(all))
	}
	return ""
}

// A mistake that a large file repeats in each section is shown three times. All other kinds of mistakes are still
// shown.
func TestFindingsAlikeAreCounted(t *testing.T) {
	var src strings.Builder
	for i := range 400 {
		fmt.Fprintf(&src, "virtual=192.0.2.%d:%d\n", i%250+1, i+1)
		fmt.Fprintf(&src, "\treal=192.0.2.10:80 gate\n\treal=192.0.2.10:80 gate\n")
		fmt.Fprintf(&src, "\tservice=pingpong_slave\n\tcheckcount=2\n")
	}
	src.WriteString("virtual=192.0.2.1:9999\n\treal=192.0.2.10:80 gate\n\tservice=htp2x9\n\tcheckinterval=no\n")
	_, found := parse(t.Context(), "a.cf", []byte(src.String()), options(t))
	brief := found.ByPosition().Brief()
	var text strings.Builder
	for _, d := range brief {
		text.WriteString(d.String() + "\n")
	}
	if why := hides(found, brief); why != "" || len(brief) > 20 {
		t.Errorf("%d lines; %s\n%s", len(brief), why, text.String())
	}
	for what, times := range map[string]int{
		"a.cf:19:10: error: and 397 more: lines 19, 24, 29, 34, 39, 44, 49, 54, 59, 64, …\n": 1,
		"it must be one of dns, ftp":     1,
		`error: "htp2x9" is not allowed`: 1, "with gate the kernel has this": 3, "checkcount is deprecated": 3,
	} {
		if n := strings.Count(text.String(), what); n != times {
			t.Errorf("%d times %q, want %d:\n%s", n, what, times, text.String())
		}
	}
	logged := 0
	for _, d := range found.ForLog() {
		if strings.HasPrefix(d.Text, "checkcount is deprecated") {
			logged++
		}
	}
	if logged != 400 {
		t.Errorf("%d lines of the log are those of the Perl ldirectord, want 400", logged)
	}
}

// The log gets errors and warnings, but no notes.
func TestALogHasNoNotes(t *testing.T) {
	found := Diagnostics{{Severity: Note, Text: "a"}, {Severity: Warning, Text: "b"}, {Severity: Error, Text: "c"}}
	if logged := found.ForLog(); len(logged) != 2 || len(logged.only(Note)) > 0 {
		t.Errorf("logged: %v", logged)
	}
}

// Four findings of a kind are all shown: a count instead of the fourth would take a line too.
func TestWhatIsAlike(t *testing.T) {
	for name, c := range map[string]struct {
		found Diagnostics
		want  int
	}{
		"four":      {alikeBut("x%s", "", "", "", ""), 4},
		"five":      {alikeBut("x%s", "", "", "", "", ""), 4},
		"servers":   {alikeBut("%s in line 7", "192.0.2.1:80", "[2001:db8::1]:80", "::2", "::3", "::4"), 4},
		"lines":     {alikeBut("the one in line %s counts", "1", "2", "33", "444", "5"), 4},
		"weights":   {alikeBut("weight %s is too much", "1", "2", "33", "444", "5"), 5},
		"the words": {alikeBut("%s is not allowed", `"a"`, `"b"`, `"c"`, `"d"`, `"e"`), 5},
	} {
		if brief := c.found.Brief(); len(brief) != c.want || hides(c.found, brief) != "" {
			t.Errorf("%s: %d lines, want %d: %v", name, len(brief), c.want, brief)
		}
	}
	two := alikeBut("x%s", "", "", "", "", "", "")
	for i := range two {
		two[i].Kind = []string{"a", "b"}[i%2]
	}
	if brief := two.Brief(); len(brief) != 6 {
		t.Errorf("of two kinds %d lines: %v", len(brief), brief)
	}
}

// alikeBut are findings that differ in one word of their text.
func alikeBut(text string, words ...string) (found Diagnostics) {
	for i, word := range words {
		d := Diagnostic{Kind: "a", Text: strings.ReplaceAll(text, "%s", word), Pos: Position{"a.cf", i + 1, 1}}
		found = append(found, d)
	}
	return found
}

func TestOthersOfOneLine(t *testing.T) {
	for want, lines := range map[string][]int{
		"and 2 more: line 4":     {1, 2, 3, 4, 4},
		"and 2 more: lines 4, 5": {1, 2, 3, 4, 5},
	} {
		var found Diagnostics
		for _, line := range lines {
			found = append(found, Diagnostic{Kind: "x", Pos: Position{Line: line}, Text: "odd"})
		}
		if brief := found.Brief(); brief[len(brief)-1].Text != want {
			t.Errorf("%v: %q, want %q", lines, brief[len(brief)-1].Text, want)
		}
	}
}
