package core

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"reflect"
	"slices"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
	"ldirectord/ipvsctl"
)

// TestOnlyAPartWritesItsFields holds the inner walls: what a part of the core keeps is written by its own methods, and
// by those of the parts that embed it. All others read it, or call that part.
func TestOnlyAPartWritesItsFields(t *testing.T) {
	parts := strings.Fields("agenda announcer background claimant departures examiner machine maintainer marker " +
		"movers observer orderBook records " +
		"role table teller writer")
	fset, files := sources(t)
	info := &types.Info{Selections: map[*ast.SelectorExpr]*types.Selection{}}
	c := types.Config{Importer: noPackage{}, Error: func(error) {}} // the types of other packages are not needed
	pkg, _ := c.Check("core", fset, files, info)
	owner := map[types.Object]string{} // of each field, the part
	for _, name := range parts {
		part := pkg.Scope().Lookup(name)
		if part == nil {
			t.Fatalf("there is no part %s", name)
		}
		for field := range part.Type().Underlying().(*types.Struct).Fields() {
			owner[field] = name
		}
	}
	written := 0
	for _, f := range files {
		for _, d := range f.Decls {
			fn, is := d.(*ast.FuncDecl)
			if !is {
				continue
			}
			for _, s := range writes(fn) {
				if info.Selections[s] == nil {
					continue
				}
				field := info.Selections[s].Obj()
				if owner[field] == "" {
					continue
				}
				if written++; !slices.Contains(embedded(pkg, receiver(fn)), owner[field]) {
					t.Errorf("%s: %s writes %s of %s", fset.Position(s.Pos()), fn.Name.Name,
						field.Name(), owner[field])
				}
			}
		}
	}
	if written < 50 {
		t.Errorf("only %d writes were found", written)
	}
}

// writes are the fields that a function assigns.
func writes(fn *ast.FuncDecl) (all []*ast.SelectorExpr) {
	note := func(at ast.Expr) {
		if s, is := at.(*ast.SelectorExpr); is {
			all = append(all, s)
		}
	}
	ast.Inspect(fn, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, at := range n.Lhs {
				note(at)
			}
		case *ast.IncDecStmt:
			note(n.X)
		}
		return true
	})
	return all
}

// receiver is the type whose method a function is; "" for none.
func receiver(fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return ""
	}
	of := fn.Recv.List[0].Type
	if star, is := of.(*ast.StarExpr); is {
		of = star.X
	}
	if index, is := of.(*ast.IndexExpr); is {
		of = index.X
	}
	return of.(*ast.Ident).Name
}

// embedded are a type and those that it embeds.
func embedded(pkg *types.Package, name string) []string {
	all := []string{name}
	of := pkg.Scope().Lookup(name)
	if of == nil {
		return all
	}
	if s, is := of.Type().Underlying().(*types.Struct); is {
		for field := range s.Fields() {
			if field.Embedded() {
				all = append(all, embedded(pkg, field.Name())...)
			}
		}
	}
	return all
}

type noPackage struct{}

func (noPackage) Import(string) (*types.Package, error) { return nil, errors.New("not needed") }

// sources are the files of the package, without tests.
func sources(t *testing.T) (*token.FileSet, []*ast.File) {
	names := testkit.Files(t, "*.go")
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f := testkit.Must(parser.ParseFile(fset, name, nil, 0))(t)
		files = append(files, f)
	}
	return fset, files
}

// What a core asks for, and what it gets, are values: who carries it out knows nothing else of the core, and can change
// nothing in it. The checks of a plan are the exception: a task is the checker itself, which the plan has made.
func TestEffectsAreValues(t *testing.T) {
	for _, of := range []reflect.Type{reflect.TypeFor[Effects](), reflect.TypeFor[Table](),
		reflect.TypeFor[Claims]()} {
		testkit.Equal(t, notAValue(of), "")
	}
	for _, wrong := range []reflect.Type{reflect.TypeFor[*int](), reflect.TypeFor[struct{ F func() }](),
		reflect.TypeFor[[]chan int](),
		reflect.TypeFor[interface{ Do(map[string]*int) }](),
		reflect.TypeFor[interface{ Do() *ipvsctl.Memory }]()} {
		if notAValue(wrong) == "" {
			t.Errorf("%v is taken for a value", wrong)
		}
	}
}

// notAValue is why a type is not only values; "" if it is. Of an interface the arguments and results of its methods are
// meant, of a struct its fields, but not those of the standard library.
func notAValue(of reflect.Type) string {
	switch of.Kind() {
	case reflect.Pointer, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return of.String() + " is not a value"
	case reflect.Slice, reflect.Array:
		return notAValue(of.Elem())
	case reflect.Map:
		return notAValue(of.Key()) + notAValue(of.Elem())
	case reflect.Struct:
		for field := range of.Fields() {
			if of.PkgPath() == "time" || of.PkgPath() == "net/netip" {
				break
			}
			if why := notAValue(field.Type); why != "" {
				return of.String() + "." + field.Name + ": " + why
			}
		}
	case reflect.Interface:
		for method := range of.Methods() {
			all := slices.AppendSeq(slices.Collect(method.Type.Ins()), method.Type.Outs())
			for _, one := range all {
				if why := notAValue(one); why != "" {
					return of.String() + "." + method.Name + ": " + why
				}
			}
		}
	}
	return ""
}
