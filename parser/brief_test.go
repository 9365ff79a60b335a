package parser

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// hides is what brief findings leave out: the number of findings that are neither shown nor counted, or a kind of
// mistake that is not shown.
func hides(all, brief Diagnostics) string {
	shown, counted := map[string]bool{}, 0
	for _, d := range brief {
		counted++
		if more := regexp.MustCompile(`; and (\d+) more(: line|$|; to)`).FindStringSubmatch(
			d.Text); more != nil {
			n, _ := strconv.Atoi(more[1])
			counted += n
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

// A mistake that a large file repeats in each section is shown once. All other kinds of mistakes are still shown.
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
	text := strings.Join(each(brief, Diagnostic.String), "\n") + "\n"
	if why := hides(found, brief); why != "" || len(brief) > 20 {
		t.Errorf("%d lines; %s\n%s", len(brief), why, text)
	}
	for what, times := range map[string]int{
		"a.cf:4:10: error: unknown service \"pingpong_slave\"; known are dns, ftp, ":                         1,
		"submission, tls; a block checkdef = NAME defines another check; and 399 more: lines 9, 14, 19, …\n": 1,
		"; known are": 1, `error: unknown service "htp2x9"`: 1, "with gate, the kernel has one entry": 1,
		"checkcount is deprecated": 1,
		"with gate clients reach the server at port 1, not 80; only masq changes the port; and 798 more: " +
			"lines 3, 7, 8, …\n": 1,
	} {
		testkit.Equal(t, strings.Count(text, what), times, "times", what, text)
	}
	logged := 0
	for _, d := range found.ForLog() {
		if strings.HasPrefix(d.Text, "checkcount is deprecated") {
			logged++
		}
	}
	testkit.Equal(t, logged, 400, "lines of the log are those of the Perl ldirectord")
}

// The log gets errors and warnings, but no notes.
func TestALogHasNoNotes(t *testing.T) {
	found := Diagnostics{{Severity: Note, Text: "a"}, {Severity: Warning, Text: "b"}, {Severity: Error, Text: "c"}}
	if logged := found.ForLog(); len(logged) != 2 || len(logged.only(Note)) > 0 {
		t.Errorf("logged: %v", logged)
	}
}

// Two findings of a kind are one line.
func TestWhatIsAlike(t *testing.T) {
	for name, c := range map[string]struct {
		found Diagnostics
		want  int
	}{
		"four":      {alikeBut("x%s", "", "", "", ""), 1},
		"none":      {alikeBut("x%s"), 0},
		"servers":   {alikeBut("%s in line 7", "192.0.2.1:80", "[2001:db8::1]:80", "::2", "::3", "::4"), 1},
		"lines":     {alikeBut("the one in line %s counts", "1", "2", "33", "444", "5"), 1},
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
	testkit.Equal(t, len(two.Brief()), 2, "lines of two kinds")
}

// alikeBut are findings that differ in one word of their text.
func alikeBut(text string, words ...string) (found Diagnostics) {
	for i, word := range words {
		d := Diagnostic{Kind: "a", Text: strings.ReplaceAll(text, "%s", word),
			Pos: Position{"a.cf", int32(i + 1), 1}}
		found = append(found, d)
	}
	return found
}

func TestOthersOfOneLine(t *testing.T) {
	for want, lines := range map[string][]int{
		"odd":                               {1},
		"odd; and 2 more: line 4":           {1, 4, 4},
		"odd; and 3 more: lines 2, 3, 4":    {1, 2, 3, 4},
		"odd; and 5 more: lines 2, 3, 4, …": {1, 2, 2, 3, 4, 5},
		"odd; and 1 more":                   {0, 0},
	} {
		var found Diagnostics
		for _, line := range lines {
			found = append(found, Diagnostic{Kind: "x", Pos: Position{Line: int32(line)}, Text: "odd"})
		}
		if brief := found.Brief(); brief[len(brief)-1].Text != want {
			t.Errorf("%v: %q, want %q", lines, brief[len(brief)-1].Text, want)
		}
	}
}

// The gravest findings are shown where not all fit.
func TestWithin(t *testing.T) {
	found := Diagnostics{{Severity: Note, Text: "a"}, {Severity: Warning, Text: "b"}, {Severity: Error, Text: "c"},
		{Severity: Warning, Text: "d"}}
	for most, want := range map[int]string{1: "c", 2: "b c", 3: "b c d", 4: "a b c d"} {
		for i := range found {
			found[i].Pos.Line = int32(i + 1)
		}
		few, left := found.Within(most)
		texts := each(few, func(d Diagnostic) string { return d.Text })
		if got := strings.Join(texts, " "); got != want || left != 4-most {
			t.Errorf("%d: %q, and %d are left", most, got, left)
		}
	}
}
