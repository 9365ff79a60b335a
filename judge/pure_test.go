package judge

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"
)

// Judge has no clock, waits for nothing and reads nothing from outside: a decision depends on its arguments alone.
func TestJudgeIsPure(t *testing.T) {
	allowed := []string{"cmp", "fmt", "iter", "maps", "math/bits", "net/netip", "slices", "time", "ldirectord/checker/health", "ldirectord/lvs"}
	ofTime := []string{"Time", "Duration", "Second", "Unix"}
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		source, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, what := range impure(t, f.Name(), string(source), allowed, ofTime) {
			t.Errorf("%s: only a caller of judge may have this", what)
		}
	}
}

// The test above would find these.
func TestWhatIsNotPureIsSeen(t *testing.T) {
	for _, source := range []string{`import "context"`, `import "os"`, `import "net"`, `import . "time"`,
		`import clock "time"; var now = clock.Now()`, `import "time"; var late = time.Since`, `var say = fmt.Println`,
		`import "time"; var at time.Timer`, `var results chan int`, `func f() { go f() }`,
		`var m = map[string]chan<- int{}`, `func f() { select {} }`} {
		if len(impure(t, "it.go", "package judge; "+source, []string{"time"}, []string{"Time"})) == 0 {
			t.Errorf("%s: not found to be impure", source)
		}
	}
}

// impure returns the parts of a file that need more than computation.
func impure(t *testing.T, name, source string, imports, ofTime []string) (found []string) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	clock := "time"
	add := func(n ast.Node, what string) { found = append(found, files.Position(n.Pos()).String()+": "+what) }
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			path := strings.Trim(n.Path.Value, `"`)
			if n.Name != nil && path == "time" {
				clock = n.Name.Name
			}
			if !slices.Contains(imports, path) || clock == "." {
				add(n, path)
			}
		case *ast.SelectorExpr:
			of, is := n.X.(*ast.Ident)
			if is && of.Name == clock && !slices.Contains(ofTime, n.Sel.Name) {
				add(n, "time."+n.Sel.Name)
			}
			if is && of.Name == "fmt" && n.Sel.Name != "Sprintf" {
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
