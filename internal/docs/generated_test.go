package docs

import (
	"fmt"
	"go/ast"
	goparser "go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"ldirectord/internal/judge"
	"ldirectord/internal/testkit"
)

// The lists of directives in directives.md and in the man page are those of the parser's table.
func TestListsOfDirectives(t *testing.T) {
	for _, doc := range []struct {
		file, begin, end string
		list             func([]Directive) string
	}{
		{"../../docs/directives.md", "<!-- directives: %s -->\n", "<!-- end -->\n", markdownList},
		{configPage, ".\\\" directives: %s\n", ".\\\" end\n", manList},
	} {
		text := testkit.Read(t, doc.file)
		want := text
		for _, chapter := range chapters() {
			begin := strings.Replace(doc.begin, "%s", chapter[0].Chapter, 1)
			before, rest, found := strings.Cut(want, begin)
			_, after, ended := strings.Cut(rest, doc.end)
			if !found || !ended {
				t.Fatalf("%s has no list %q", doc.file, chapter[0].Chapter)
			}
			want = before + begin + doc.list(chapter) + doc.end + after
		}
		if want == text {
			continue
		}
		if !testkit.Update() {
			t.Errorf("%s does not have the directives of the parser: write it with -update", doc.file)
		} else if err := os.WriteFile(doc.file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// The example of why in status.md is the output for the first server of the test data.
func TestTheExampleOfWhyIsWhatItShows(t *testing.T) {
	shown := testkit.Read(t, "../../testdata/status/why")
	first, _, _ := strings.Cut(shown, "\n\n192.")
	example := "\n    $ sudo ldirectord www.cf why 192.0.2.21:80\n"
	for line := range strings.Lines(first + "\n") {
		example += strings.TrimSuffix("    "+line, "    \n")
		if line == "\n" {
			example += "\n"
		}
	}
	testkit.Part(t, "../../docs/status.md", "<!-- why -->\n", example, "\n<!-- end -->\n")
}

// The list of events in events.md has the kinds of package notify, with their comments as text.
func TestTheListOfEvents(t *testing.T) {
	list := "| `event` | What happened |\n|---|---|\n"
	kinds := 0
	for _, s := range constantsOf(t, "../notify/event.go", "Kind") {
		if s.Comment == nil {
			t.Errorf("the event %s has no comment", s.Names[0].Name)
		}
		kind := strings.Trim(s.Values[0].(*ast.BasicLit).Value, `"`)
		list += "| `" + kind + "` | " + strings.TrimSpace(s.Comment.Text()) + " |\n"
		kinds++
	}
	if kinds < 50 {
		t.Fatalf("%d kinds of events: is the code read?", kinds)
	}
	testkit.Part(t, "../../docs/events.md", "<!-- events -->\n", list, "<!-- end events -->\n")
}

// The rules in judgement.md are those of package judge, in their order.
func TestTheListOfRules(t *testing.T) {
	list, says := "", commentsOfRules(t)
	for i, rule := range judge.Rules {
		_, what, has := strings.Cut(says[rule.Name], ": ")
		if !has {
			t.Errorf("the comment of the rule %s is %q", rule.Name, says[rule.Name])
		}
		list += fmt.Sprintf("%d. `%s`: %s\n", i+1, rule.Name, strings.TrimSuffix(what, "."))
	}
	testkit.Part(t, "../../docs/judgement.md", "<!-- rules -->\n", list, "<!-- end rules -->\n")
}

// commentsOfRules are the comments of the rules in package judge, as lines, by the rules' names.
func commentsOfRules(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, file := range testkit.Files(t, "../judge/*.go") {
		parsed := testkit.Must(goparser.ParseFile(token.NewFileSet(), file, nil, goparser.ParseComments))(t)
		for _, decl := range parsed.Decls {
			one, is := decl.(*ast.GenDecl)
			if !is || one.Doc == nil {
				continue
			}
			ast.Inspect(one, func(n ast.Node) bool {
				rule, is := n.(*ast.CompositeLit)
				if !is || fmt.Sprint(rule.Type) != "Rule" {
					return true
				}
				name, _ := strconv.Unquote(rule.Elts[0].(*ast.BasicLit).Value)
				all[name] = strings.Join(strings.Fields(one.Doc.Text()), " ")
				return false
			})
		}
	}
	return all
}

// constantsOf are the constants of a type in a file of Go.
func constantsOf(t *testing.T, file, typ string) (found []*ast.ValueSpec) {
	t.Helper()
	parsed := testkit.Must(goparser.ParseFile(token.NewFileSet(), file, nil, goparser.ParseComments))(t)
	ast.Inspect(parsed, func(n ast.Node) bool {
		if s, is := n.(*ast.ValueSpec); is {
			if name, is := s.Type.(*ast.Ident); is && name.Name == typ {
				found = append(found, s)
			}
		}
		return true
	})
	return found
}

// chapters are the directives of each chapter.
func chapters() (list [][]Directive) {
	for _, d := range Directives() {
		if len(list) == 0 || list[len(list)-1][0].Chapter != d.Chapter {
			list = append(list, nil)
		}
		list[len(list)-1] = append(list[len(list)-1], d)
	}
	return list
}

func markdownList(chapter []Directive) string {
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

func manList(chapter []Directive) string {
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

var (
	name      = regexp.MustCompile("`([^`]*)`")
	reference = regexp.MustCompile(`\[([^\]]*)\]\(([^)#]*\.md)[^)]*\)`)
	page      = regexp.MustCompile(`^[a-z]+\.md$`)
)

func manText(markdown string) string {
	markdown = reference.ReplaceAllStringFunc(markdown, func(all string) string { // a page by its installed path
		parts := reference.FindStringSubmatch(all)
		if page.MatchString(parts[1]) {
			return "/usr/share/doc/ldirectord/docs/" + parts[2]
		}
		return parts[1]
	})
	text := strings.NewReplacer(`\`, `\e`, `"`, `\(dq`).Replace(markdown)
	return name.ReplaceAllString(text, `\fB$1\fR`)
}
