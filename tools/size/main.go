// Command size prints the Go tokens of each package of the program, the lines of more than 120 columns, and the largest
// types: those with more than 25 methods, and the structs with more than 25 lines of fields. Of the programs in tools,
// it prints the tokens and the lines.
//
//	size FOLDER    where go.mod is
//
// It counts tokens because the number of lines depends on their width. Comments and tests don't count.
package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	columns = 120 // of a line; a tab counts eight
	most    = 25  // methods of a type, lines of fields of a struct
)

// size is what was counted.
type size struct {
	tokens  map[string]int // of packages
	methods map[string]int // of types
	wide    []string       // lines
	lines   map[string]int // of fields, of large structs
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: size FOLDER")
		os.Exit(2)
	}
	if err := count(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "size:", err)
		os.Exit(1)
	}
}

func count(folder string) error {
	if err := os.Chdir(folder); err != nil {
		return err
	}
	program, err := measure(".", "-deps", "./cmd/ldirectord")
	if err != nil {
		return err
	}
	tools, err := measure("tools", "./...")
	if err != nil {
		return err
	}
	program.wide = append(program.wide, tools.wide...)
	program.print()
	fmt.Printf("%d tokens in tools, which the program does not have\n", tools.sum())
	return nil
}

// measure counts the packages of a module that go list finds by args.
func measure(module string, args ...string) (*size, error) {
	files, err := goFiles(module, args)
	if err != nil {
		return nil, err
	}
	s := &size{tokens: map[string]int{}, methods: map[string]int{}, lines: map[string]int{}}
	for _, file := range files {
		if err := s.count(file); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// goFiles are the Go files of the packages that go list finds, without those of other modules.
func goFiles(module string, args []string) (files []string, err error) {
	const format = `{{if not .Standard}}{{if .Module.Main}}` +
		`{{$d := .Dir}}{{range .GoFiles}}{{$d}}/{{.}}{{"\n"}}{{end}}{{end}}{{end}}`
	list := exec.Command("go", append([]string{"list", "-f", format}, args...)...)
	list.Dir = module
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("asking for the packages in %s: %w", module, err)
	}
	here, err := os.Getwd()
	for _, file := range strings.Fields(string(out)) {
		files = append(files, strings.TrimPrefix(file, here+"/"))
	}
	return files, err
}

func (s *size) count(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	folder, set := filepath.Dir(file), token.NewFileSet()
	s.tokens[folder] += tokens(set.AddFile(file, set.Base(), len(text)), text)
	for i, line := range bytes.Split(text, []byte("\n")) {
		if utf8.RuneCount(bytes.ReplaceAll(line, []byte("\t"), []byte("        "))) > columns {
			s.wide = append(s.wide, fmt.Sprintf("%s:%d", file, i+1))
		}
	}
	parsed, err := parser.ParseFile(set, file, text, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Recv != nil {
				s.methods[folder+"."+receiver(n.Recv.List[0].Type)]++
			}
		case *ast.TypeSpec:
			if t, is := n.Type.(*ast.StructType); is && len(t.Fields.List) > most {
				s.lines[folder+"."+n.Name.Name] = len(t.Fields.List)
			}
		}
		return true
	})
	return nil
}

// tokens counts without the semicolons that the scanner adds.
func tokens(file *token.File, text []byte) (n int) {
	var s scanner.Scanner
	s.Init(file, text, nil, 0)
	for {
		switch _, t, literal := s.Scan(); {
		case t == token.EOF:
			return n
		case t != token.SEMICOLON || literal != "\n":
			n++
		}
	}
}

// receiver is the name of a method's type.
func receiver(e ast.Expr) string {
	switch t := e.(type) {
	case *ast.StarExpr:
		return receiver(t.X)
	case *ast.IndexExpr:
		return receiver(t.X)
	case *ast.IndexListExpr:
		return receiver(t.X)
	default:
		return t.(*ast.Ident).Name
	}
}

func (s *size) print() {
	fmt.Printf("%7d tokens\n", s.sum())
	for _, folder := range largest(s.tokens) {
		fmt.Printf("%7d %s\n", s.tokens[folder], folder)
	}
	for _, name := range largest(s.methods) {
		if n := s.methods[name]; n > most {
			fmt.Printf("%s has %d methods\n", name, n)
		}
	}
	for _, name := range largest(s.lines) {
		fmt.Printf("%s has %d lines of fields\n", name, s.lines[name])
	}
	fmt.Printf("%d lines of more than %d columns", len(s.wide), columns)
	if len(s.wide) > 0 {
		fmt.Printf(", the first %s", s.wide[0])
	}
	fmt.Println()
}

func (s *size) sum() (total int) {
	for _, n := range s.tokens {
		total += n
	}
	return total
}

func largest(counts map[string]int) (names []string) {
	for name := range counts {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		return strings.Compare(a, b)
	})
	return names
}
