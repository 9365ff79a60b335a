package docs

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ldirectord/checker"
	"ldirectord/checker/icmp"
	"ldirectord/checker/protocol"
	"ldirectord/checker/settings"
	"ldirectord/internal/plan"
	"ldirectord/internal/testkit"
	"ldirectord/parser"
)

// The parser's services are the checkers' services, and directives.md names them all.
func TestServicesCheckersAndDocsAgree(t *testing.T) {
	text := testkit.Read(t, "../../docs/directives.md")
	known := protocol.Services()
	for s := range settings.Services() {
		if !slices.Contains(known, s.Name) {
			t.Errorf("no checker for service %s", s.Name)
		}
		if !named(text, s.Name) {
			t.Errorf("docs/directives.md does not name service %s", s.Name)
		}
	}
	for _, name := range protocol.Types() {
		if name != "combined" && !named(text, name) { // combined is written as a number
			t.Errorf("docs/directives.md does not name checktype %s", name)
		}
	}
}

func named(text, word string) bool {
	return regexp.MustCompile(`\b` + regexp.QuoteMeta(word) + `\b`).MatchString(text)
}

// docs/checks.md has a chapter for each check, with existing directives and an example without findings.
func TestChecksAndDocsAgree(t *testing.T) {
	text := testkit.Read(t, "../../docs/checks.md")
	_, types, _ := strings.Cut(text, "\n## Check types\n")
	types, services, _ := strings.Cut(types, "\n## Services\n")
	services, _, _ = strings.Cut(services, "\n## ")
	sameNames(t, "the check types of docs/checks.md", headings(types), protocol.Types())
	var known []string
	for s := range settings.Services() {
		known = append(known, s.Name)
	}
	sameNames(t, "the services of docs/checks.md", headings(services), known)
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` ").FindAllStringSubmatch(text, -1) {
		if !slices.ContainsFunc(parser.Directives(),
			func(d *parser.Directive) bool { return d.Name == row[1] }) {
			t.Errorf("docs/checks.md has a setting %s, which is no directive", row[1])
		}
	}
	examples := 0
	for _, block := range regexp.MustCompile("(?s)```(\\w*)\n(.*?)```").FindAllStringSubmatch(text, -1) {
		if block[1] == "" { // others are examples for a server's configuration
			examples++
			checkExample(t, block[2])
		}
	}
	if examples < 15 {
		t.Errorf("%d examples", examples)
	}
}

// headings are the names in a chapter's headings.
func headings(chapter string) (names []string) {
	for _, h := range regexp.MustCompile("(?m)^### (.*)$").FindAllStringSubmatch(chapter, -1) {
		names = append(names, strings.Split(h[1], ", ")...)
	}
	return names
}

func sameNames(t *testing.T, what string, got, want []string) {
	t.Helper()
	without := func(names, others []string) []string {
		return slices.DeleteFunc(slices.Sorted(slices.Values(names)),
			func(name string) bool { return slices.Contains(others, name) })
	}
	if missing, more := without(want, got), without(got, want); len(missing)+len(more) > 0 ||
		len(got) != len(want) {
		t.Errorf("%s: %q are missing, %q are too many; there are %d names, want %d", what, missing, more,
			len(got), len(want))
	}
}

// checkExample parses an example and builds its check. Files that don't exist here are ignored.
func checkExample(t *testing.T, source string) {
	t.Helper()
	cfg, found := parser.Parse(t.Context(), "checks.md", []byte(source), parser.Options{})
	for _, d := range found {
		t.Errorf("%v in\n%s", d, source)
	}
	if cfg == nil {
		return
	}
	env := &protocol.Env{Pinger: icmp.NewPinger()}
	_, found = plan.New(cfg, func(s checker.Spec) (checker.Checker, error) {
		c, err := protocol.New(s, env)
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
		return c, err
	})
	for _, d := range found {
		t.Errorf("%v in\n%s", d, source)
	}
}

// Each directive of the parser has one paragraph, with its values and a text. Messages describe the values in the
// same words.
func TestDirectivesAreDocumented(t *testing.T) {
	var names, documented []string
	for _, d := range parser.Directives() {
		names = append(names, d.Name)
	}
	for _, d := range Directives() {
		documented = append(documented, d.Name)
		if d.Value == "" || d.Doc == "" {
			t.Errorf("%q has no value or no text: %q, %q", d.Name, d.Value, d.Doc)
		}
		if !slices.Contains([]string{"real", "fallback", "mark", "alsocheck"}, d.Name) {
			continue
		}
		line := "virtual=1\n\t" + d.Name + " =\n"
		if _, found := parser.Parse(t.Context(), "", []byte(line),
			parser.Options{}); !strings.Contains(found[0].Text, "; it must be "+d.Value) {
			t.Errorf("the value of %s is %q, a message says: %s", d.Name, d.Value, found[0].Text)
		}
	}
	sameNames(t, "the directives of internal/docs/directives.txt", documented, names)
}

// everything.cf has every directive. Those that need an existing file have a # in front.
func TestExampleOfEverything(t *testing.T) {
	text := testkit.Read(t, "../../examples/everything.cf")
	for _, d := range parser.Directives() {
		if !regexp.MustCompile(`(?m)^ *#?` + d.Name + ` = `).MatchString(text) {
			t.Errorf("examples/everything.cf has no %s", d.Name)
		}
	}
}

// Every example is accepted, and each of its checks can be built.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../../examples/*.cf")
	if err != nil || len(files) < 7 {
		t.Fatalf("%d examples: %v", len(files), err)
	}
	files = append(files, "../../examples/bgp/ldirectord.cf")
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			source := testkit.Must(os.ReadFile(file))(t)
			cfg, found := parser.Parse(t.Context(), file, source, parser.Options{})
			for _, d := range found.Errors() {
				t.Error(d)
			}
			if cfg == nil {
				return
			}
			env := &protocol.Env{Pinger: icmp.NewPinger()}
			_, found = plan.New(cfg, func(s checker.Spec) (checker.Checker,
				error) {
				return protocol.New(s, env)
			})
			for _, d := range found {
				t.Error(d)
			}
		})
	}
}

// The warning that receive is ignored is given exactly for the services whose checkers don't use it.
func TestReceiveCountsWhereACheckerReadsIt(t *testing.T) {
	for s := range settings.Services() {
		source := "virtual = 192.0.2.1:99\n\treal = 192.0.2.2:99 gate\n\tservice = " + s.Name +
			"\n\treceive = \"(\"\n"
		_, found := parser.Parse(t.Context(), "ld.cf", []byte(source), parser.Options{})
		ignored := slices.ContainsFunc(found,
			func(d parser.Diagnostic) bool { return strings.HasPrefix(d.Text, "receive applies only to ") })
		spec := checker.Spec{Type: "negotiate", Service: s.Name, Receive: "(", Request: "/x",
			URL: "http://192.0.2.2/", Account: settings.Account{Secret: "x"}}
		_, err := protocol.New(spec, nil)
		var refused *checker.SpecError
		read := errors.As(err, &refused) && refused.Directive == "receive"
		if read == ignored {
			t.Errorf("%s: the checker reads receive: %v; a warning says that it does not count: %v", s.Name,
				read, ignored)
		}
	}
}
