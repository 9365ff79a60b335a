package parser

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// corpusCase is a file and its result in the Perl ldirectord; see 000-format.txt.
type corpusCase struct {
	name     string
	oddity   bool
	source   string
	kind     string // of the error; "" without one
	line     int
	warnings []int // the numbers of their lines
	brief    bool
	config   *expected
	tolerant *expected // how we may read a file that the Perl ldirectord refuses
}

type object = map[string]any

// expected is a configuration in the form of its JSON.
type expected struct {
	global   object
	virtuals []object
}

// corpus reads the files of the folder corpus.
type corpus struct {
	t        *testing.T
	defaults map[string]object
	cases    []corpusCase
	config   *expected // the one that the following lines belong to
}

func readCorpus(t *testing.T) []corpusCase {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(testdata, "corpus", "*.txt"))
	if err != nil || len(files) < 2 {
		t.Fatal("no corpus", err)
	}
	c := corpus{t: t, defaults: map[string]object{}}
	for _, file := range files {
		text := testkit.Read(t, file)
		for line := range strings.Lines(text) {
			c.line(strings.TrimSuffix(line, "\n"))
		}
	}
	return c.cases
}

func (c *corpus) line(line string) {
	word, rest, _ := strings.Cut(line, " ")
	var this *corpusCase
	if len(c.cases) > 0 {
		this = &c.cases[len(c.cases)-1]
	}
	switch word {
	case "", "#", "--":
	case "defaults":
		what, values, _ := strings.Cut(rest, " ")
		c.defaults[what] = c.object(nil, values)
	case "==":
		name, odd, _ := strings.Cut(rest, " ")
		c.cases = append(c.cases, corpusCase{name: name, oddity: odd == "oddity"})
	case "|":
		this.source += rest + "\n"
	case "=":
		this.source += testkit.Must(strconv.Unquote(rest))(c.t, "corpus", rest)
	case "ok":
		this.config = c.newConfig()
	case "error":
		kind, number, _ := strings.Cut(rest, " ")
		this.kind, this.line = kind, c.number(number)
	case "warning":
		this.warnings = append(this.warnings, c.number(rest))
	case "brief":
		this.brief = true
	case "tolerant":
		this.tolerant = c.newConfig()
	case "global":
		c.config.global = c.object(c.defaults[word], rest)
	case "virtual":
		v := c.object(c.defaults[word], rest)
		v["reals"] = []any{}
		c.config.virtuals = append(c.config.virtuals, v)
	case "real":
		v := c.config.virtuals[len(c.config.virtuals)-1]
		v["reals"] = append(v["reals"].([]any), c.object(c.defaults[word], rest))
	default:
		c.t.Fatalf("corpus: cannot read %q", line)
	}
}

func (c *corpus) newConfig() *expected {
	c.config = &expected{global: c.defaults["global"]}
	return c.config
}

func (c *corpus) object(defaults object, text string) object {
	o := maps.Clone(defaults)
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		c.t.Fatalf("corpus: %v in %s", err, text)
	}
	return o
}

func (c *corpus) number(text string) int {
	return testkit.Must(strconv.Atoi(text))(c.t, "corpus")
}

// deviation is a row of deviations.md.
type deviation struct {
	decision bool
	later    bool // the difference shows only outside of the parser
}

// readDeviations reads the numbers of the cases that may differ.
func readDeviations(t *testing.T) map[string]deviation {
	t.Helper()
	text := testkit.Read(t, filepath.Join(testdata, "deviations.md"))
	listed := map[string]deviation{}
	row := regexp.MustCompile(`(?m)^\| ([0-9 ]+) \|(.*)$`)
	for _, m := range row.FindAllStringSubmatch(text, -1) {
		for _, number := range strings.Fields(m[1]) {
			if _, twice := listed[number]; twice {
				t.Errorf("deviations.md lists case %s twice", number)
			}
			listed[number] = deviation{strings.Contains(m[2], "*decision*"),
				strings.Contains(m[2], "not by the parser")}
		}
	}
	return listed
}

// A case passes in three ways: we read the file as the Perl ldirectord does; or we accept a layout that it refuses
// and that has only one meaning; or deviations.md has the reason.
func TestCorpus(t *testing.T) {
	listed := readDeviations(t)
	o := options(t)
	for _, c := range readCorpus(t) {
		t.Run(c.name, func(t *testing.T) {
			why := c.differs(t, o)
			d, excused := listed[c.name[:3]]
			switch {
			case why != "" && !excused:
				t.Error(why)
			case excused && !c.oddity && !d.decision:
				t.Error("is in deviations.md, but is neither an oddity nor decided")
			case excused && why == "" && !d.later:
				t.Error("is in deviations.md, but does not differ")
			}
		})
	}
}

// differs describes how our reading of a case differs from the correct ones. It is empty if it doesn't.
func (c *corpusCase) differs(t *testing.T, o Options) string {
	cfg, found := parse(t.Context(), "ldirectord.cf", []byte(c.source), o)
	if cfg == nil {
		return c.sameError(found)
	}
	if c.config == nil && c.tolerant == nil {
		return fmt.Sprintf("accepted; the Perl ldirectord says %s at line %d", c.kind, c.line)
	}
	if c.config == nil {
		if !slices.ContainsFunc(found, func(d Diagnostic) bool { return d.Kind == layout }) {
			return "accepted without a warning of its layout"
		}
		return c.tolerant.differs(t, cfg, c.brief)
	}
	for _, line := range c.warnings {
		if !slices.ContainsFunc(found, func(d Diagnostic) bool { return int(d.Pos.Line) == line }) {
			return fmt.Sprintf("no warning at line %d", line)
		}
	}
	return c.config.differs(t, cfg, c.brief)
}

func (c *corpusCase) sameError(found Diagnostics) string {
	first := found.Errors()[0]
	if first.Kind == c.kind && int(first.Pos.Line) == c.line {
		return ""
	}
	return fmt.Sprintf("%s: %s; the Perl ldirectord says %q at line %d", first.Kind, first, c.kind, c.line)
}

func (e *expected) differs(t *testing.T, cfg *Config, brief bool) string {
	t.Helper()
	got := asJSON(t, cfg)
	if why := firstDifference("global", e.global, got["global"], brief); why != "" {
		return why
	}
	want := make([]any, len(e.virtuals))
	for i, v := range e.virtuals {
		want[i] = v
	}
	return firstDifference("virtuals", want, got["virtuals"], brief)
}

func asJSON(t *testing.T, cfg *Config) object {
	t.Helper()
	var got object
	testkit.OK(t, json.Unmarshal(marshal(t, cfg), &got))
	return got
}

// firstDifference compares two JSON values. Objects may lack keys if partial is set.
func firstDifference(path string, want, got any, partial bool) string {
	switch want := want.(type) {
	case object:
		got, ok := got.(object)
		if !ok {
			return fmt.Sprintf("%s is null", path)
		}
		for key := range got {
			if _, ok := want[key]; !ok && !partial {
				return fmt.Sprintf("%s.%s should not be there", path, key)
			}
		}
		for key, value := range want {
			if why := firstDifference(path+"."+key, value, got[key], partial); why != "" {
				return why
			}
		}
		return ""
	case []any:
		got, ok := got.([]any)
		if !ok || len(want) != len(got) {
			return fmt.Sprintf("%s is %v, want %v", path, got, want)
		}
		for i := range want {
			if why := firstDifference(fmt.Sprintf("%s[%d]", path, i), want[i], got[i], partial); why != "" {
				return why
			}
		}
		return ""
	}
	if !reflect.DeepEqual(want, got) {
		return fmt.Sprintf("%s is %q, want %q", path, fmt.Sprint(got), fmt.Sprint(want))
	}
	return ""
}

// With Strict a file is refused or accepted as the Perl ldirectord does.
func TestStrictCorpus(t *testing.T) {
	listed := readDeviations(t)
	o := options(t)
	o.Strict = true
	for _, c := range readCorpus(t) {
		if _, excused := listed[c.name[:3]]; excused {
			continue
		}
		cfg, found := parse(t.Context(), "ldirectord.cf", []byte(c.source), o)
		switch {
		case cfg == nil && c.config != nil:
			t.Errorf("%s: %s", c.name, found.Errors()[0])
		case cfg != nil && c.config == nil:
			t.Errorf("%s: accepted; the Perl ldirectord says %s at line %d", c.name, c.kind, c.line)
		case cfg == nil:
			testkit.Equal(t, c.sameError(found), "", c.name)
		}
	}
}
