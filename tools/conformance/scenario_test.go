package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

func scenarios(t *testing.T) (all []*scenario) {
	t.Helper()
	files, err := filepath.Glob("../../testdata/conformance/*.txt")
	if err != nil || len(files) < 104 {
		t.Fatalf("%d scenarios: %v", len(files), err)
	}
	for _, file := range files {
		all = append(all, testkit.Must(readScenario(file))(t))
	}
	return all
}

func TestEveryScenarioSaysWhatItIsAbout(t *testing.T) {
	for _, sc := range scenarios(t) {
		if !slices.ContainsFunc(sc.lines, func(line string) bool { return strings.HasPrefix(line, "# ") }) {
			t.Errorf("%s has no comment", sc.name)
		}
	}
}

func TestRecordingWhatIsExpectedChangesNothing(t *testing.T) {
	for _, sc := range scenarios(t) {
		seen := map[int][]string{}
		for _, s := range sc.steps {
			seen[s.number] = s.want
		}
		if got, want := sc.recorded(seen), strings.Join(sc.lines, "\n")+"\n"; got != want {
			t.Errorf("%s became\n%s", sc.name, got)
		}
	}
}

// Each intended difference has a row in deviations.md under the name of its scenario, and there is no other row.
func TestDifferencesAreDocumented(t *testing.T) {
	text := testkit.Read(t, "../../testdata/conformance/deviations.md")
	rows := strings.Count(text, "\n| `")
	for _, sc := range scenarios(t) {
		if sc.differs == "" {
			continue
		}
		rows--
		testkit.Contains(t, text, "\n| `"+sc.name+"` |", "deviations.md:", sc.differs)
	}
	testkit.Equal(t, rows, 0, "rows of deviations.md are of scenarios that do not differ")
}

func TestWhatABinaryMustShow(t *testing.T) {
	sc := &scenario{}
	testkit.OK(t, sc.parse("differs: for a test\ntable\n> a\nours> b\ntable\n> c\ntable\n> d\nours>\n"))
	ours, reference := "", ""
	for _, s := range sc.steps {
		ours += strings.Join(s.expected(program{}), "") + ";"
		reference += strings.Join(s.expected(program{Reference: true}), "") + ";"
	}
	if ours != "b;c;;" || reference != "a;c;d;" {
		t.Errorf("ours %s, reference %s", ours, reference)
	}
}

func TestMistakesInScenarios(t *testing.T) {
	for text, want := range map[string]string{
		"tabel\n":               `1: unknown step "tabel"`,
		"> what for?\n":         "1: no step before it",
		"table\n> a\nours> b\n": "1: has lines with ours>, but no line that says how it differs",
	} {
		if err := new(scenario).parse(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestWordsAreSplitAsInAShell(t *testing.T) {
	got := testkit.Must(words(`r1 http body="a  b" x='"' "" y=`))(t)
	testkit.Same(t, got, []string{"r1", "http", "body=a  b", `x="`, "", "y="})
	if _, err := words(`a "b`); err == nil {
		t.Error("a quote that is not closed was taken")
	}
}
