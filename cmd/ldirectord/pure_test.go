package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// Judge and core have no clock, wait for nothing and read nothing from outside: a decision depends on events alone.
// What core asks outside, and what it has done there, are the interfaces of core.Performers and core.Table.
func TestWhatDecidesIsPure(t *testing.T) {
	ofTime := []string{"Time", "Duration", "Second", "Unix"}
	for dir, row := range map[string]struct{ imports, ofTime []string }{
		"judge": {[]string{"cmp", "fmt", "iter", "maps", "math/bits", "net/netip", "slices", "time",
			"ldirectord/internal/health", "ldirectord/internal/lvs"}, ofTime},
		"core": {[]string{"bytes", "cmp", "container/heap", "encoding/json", "errors", "fmt", "iter", "maps",
			"net/netip", "path/filepath", "reflect",
			"slices", "strings", "time", "ldirectord/"}, append(ofTime, "Minute", "Hour", "Microsecond",
			"Millisecond")},
	} {
		for _, file := range testkit.Files(t, "../../internal/"+dir+"/*.go") {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			source := testkit.Read(t, file)
			for _, what := range impure(t, file, source, row.imports, row.ofTime) {
				t.Errorf("%s: only a caller of %s may have this", what, dir)
			}
		}
	}
}

// The test above would find these.
func TestWhatIsNotPureIsSeen(t *testing.T) {
	for _, source := range []string{`import "context"`, `import "os"`, `import "net"`, `import . "time"`,
		`import clock "time"; var now = clock.Now()`, `import "time"; var late = time.Since`,
		`var say = fmt.Println`,
		`import "time"; var at time.Timer`, `var results chan int`, `func f() { go f() }`,
		`var m = map[string]chan<- int{}`, `func f() { select {} }`} {
		if len(impure(t, "it.go", "package pure; "+source, []string{"time"}, []string{"Time"})) == 0 {
			t.Errorf("%s: not found to be impure", source)
		}
	}
}

// impure returns the parts of a file that need more than computation.
func impure(t *testing.T, name, source string, imports, ofTime []string) (found []string) {
	files := token.NewFileSet()
	file := testkit.Must(parser.ParseFile(files, name, source, parser.SkipObjectResolution))(t)
	clock := "time"
	add := func(n ast.Node, what string) { found = append(found, files.Position(n.Pos()).String()+": "+what) }
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			path := strings.Trim(n.Path.Value, `"`)
			if n.Name != nil && path == "time" {
				clock = n.Name.Name
			}
			allowed := func(one string) bool {
				return path == one || one == "ldirectord/" &&
					strings.HasPrefix(path, one)
			}
			if !slices.ContainsFunc(imports, allowed) || clock == "." {
				add(n, path)
			}
		case *ast.SelectorExpr:
			of, is := n.X.(*ast.Ident)
			if is && of.Name == clock && !slices.Contains(ofTime, n.Sel.Name) {
				add(n, "time."+n.Sel.Name)
			}
			if is && of.Name == "fmt" &&
				!slices.Contains([]string{"Sprintf", "Sprint", "Errorf"}, n.Sel.Name) {
				add(n, "fmt."+n.Sel.Name)
			}
		case *ast.GoStmt:
			add(n, "a goroutine")
		case *ast.ChanType, *ast.SendStmt, *ast.SelectStmt:
			add(n, "a channel")
		}
		return true
	})
	return found
}
