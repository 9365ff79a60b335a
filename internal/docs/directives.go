// Package docs holds the texts about directives, and the tests that compare the documents with the code. The programs
// don't need it.
package docs

import (
	"cmp"
	_ "embed" // the texts
	"strings"

	"ldirectord/checker/settings"
	"ldirectord/parser"
)

// Directive is a row of the parser's table of directives, together with its documentation.
type Directive struct {
	parser.Directive
	Chapter string
	Value   string // what to write
	Doc     string // the first sentence describes it; Markdown, with names in backquotes
}

//go:embed directives.txt
var texts string

// Directives returns the directives that directives.txt describes, in the same order. A paragraph of that file is
// either the name of a chapter, or NAME = VALUE followed by a text. In VALUE and in the text, SERVICES is replaced by
// the services to which the directive applies. If the parser does not know a directive, its name is left empty.
func Directives() (list []Directive) {
	rows := map[string]parser.Directive{}
	for _, row := range parser.Directives() {
		rows[row.Name] = *row
	}
	every := parser.Enumerate(settings.ServicesThat(func(settings.Service) bool { return true }))
	chapter := ""
	for paragraph := range strings.SplitSeq(strings.TrimSpace(texts), "\n\n") {
		head, text, isDirective := strings.Cut(paragraph, "\n")
		if !isDirective {
			chapter = head
			continue
		}
		name, value, _ := strings.Cut(head, " = ")
		d := Directive{Directive: rows[name], Chapter: chapter}
		d.Default = strings.Trim(d.Default, `"`)
		services := cmp.Or(d.Services, every)
		d.Value = strings.ReplaceAll(value, "SERVICES", services)
		d.Doc = strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "SERVICES", services)
		list = append(list, d)
	}
	return list
}
