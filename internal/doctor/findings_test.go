package doctor

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// Every finding that the code names has a row, with a place for no more values than it gets. Every row has a severity,
// a text and a place in the code.
func TestEveryFindingHasARow(t *testing.T) {
	files := testkit.Must(filepath.Glob("*.go"))(t)
	var code strings.Builder
	before := map[string]int{"tell": 0, "finding": 0, "addAt": 1} // the arguments before the name
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text := testkit.Must(os.ReadFile(name))(t)
		code.Write(text)
		file := testkit.Must(parser.ParseFile(token.NewFileSet(), name, text, 0))(t)
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			function := ""
			switch f := call.Fun.(type) {
			case *ast.Ident:
				function = f.Name
			case *ast.SelectorExpr:
				function = f.Sel.Name
			}
			at, is := before[function]
			if !is {
				return true
			}
			literal, ok := call.Args[at].(*ast.BasicLit)
			if !ok {
				return true // variants of a row, which the cases of TestFindings have
			}
			name, _ := strconv.Unquote(literal.Value)
			r, known := rows()[name]
			if values := len(call.Args) - at - 1; !known || values < places(r) {
				t.Errorf("%s has %d values, and in findings.txt %+v", name, values, r)
			}
			return true
		})
	}
	if len(rows()) < 60 {
		t.Errorf("only %d rows are read", len(rows()))
	}
	for name, r := range rows() {
		if !slices.Contains([]string{broken, "warning", note, refused}, r.severity) || r.text == "" {
			t.Errorf("%s: %+v", name, r)
		}
		kind, which, _ := strings.Cut(name, " ")
		isVariant := slices.Contains([]string{"unchecked", "mh", "sh", "mail"}, which)
		if !isVariant && !strings.Contains(code.String(), `"`+name+`"`) ||
			!strings.Contains(code.String(), `"`+kind) {
			t.Errorf("no code names %s", name)
		}
	}
}

// places is how many values a row has places for.
func places(r row) (most int) {
	for _, place := range regexp.MustCompile(`\$(\d)`).FindAllStringSubmatch(r.text+r.fix, -1) {
		n, _ := strconv.Atoi(place[1])
		most = max(most, n)
	}
	return most
}
