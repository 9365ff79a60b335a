// Command go runs go for gremlins (make mutate). The coverage that Go counts has no blocks for the conditions of
// `case`, nor for what follows a function literal in its statement, so gremlins would take them for untested. Where a
// switch is reached, its conditions are; where a function literal is reached, so is the rest of the statement.
//
// GO is the real go. MUTATE_RUN, if not empty, is the -run of its tests. They run without vet and symbols: that is
// quicker. No result is from the cache: gremlins takes the limit of each run from the time of the first.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
)

func main() {
	args := os.Args[1:]
	if args[0] == "test" {
		args = slices.Insert(args, 1, "-count=1", "-vet=off", "-ldflags=-s -w")
		if run := os.Getenv("MUTATE_RUN"); run != "" {
			args = slices.Insert(args, 1, "-run", run)
		}
	}
	i := slices.Index(args, "-coverprofile")
	if i < 0 { // gremlins kills this process at its limit, so it must be go itself
		log.Fatal(syscall.Exec(os.Getenv("GO"), append([]string{"go"}, args...), os.Environ()))
	}
	cmd := exec.Command(os.Getenv("GO"), args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		os.Exit(max(failed.ExitCode(), 1))
	}
	if err == nil {
		err = addBlocks(args[i+1])
	}
	if err != nil {
		log.Fatal(err)
	}
}

// block is a part of a file, from a line and column to another.
type block struct{ fromLine, fromColumn, toLine, toColumn int }

func (b block) has(p token.Position) bool {
	after := p.Line > b.fromLine || p.Line == b.fromLine && p.Column >= b.fromColumn
	return after && (p.Line < b.toLine || p.Line == b.toLine && p.Column <= b.toColumn)
}

// addBlocks adds to a profile the code that was reached and has no block in it.
func addBlocks(path string) error {
	reached, err := readProfile(path)
	if err != nil {
		return err
	}
	profile, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	for name, blocks := range reached {
		for _, b := range unblocked(name, blocks) {
			fmt.Fprintf(profile, "%s:%d.%d,%d.%d 1 1\n", name, b.fromLine, b.fromColumn, b.toLine,
				b.toColumn)
		}
	}
	return profile.Close()
}

// readProfile returns the blocks that were reached, by file.
func readProfile(path string) (map[string][]block, error) {
	profile, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer profile.Close()
	reached := map[string][]block{}
	lines := bufio.NewScanner(profile)
	for lines.Scan() {
		name, rest, _ := strings.Cut(lines.Text(), ":")
		var b block
		var statements, count int
		n, _ := fmt.Sscanf(rest, "%d.%d,%d.%d %d %d", &b.fromLine, &b.fromColumn, &b.toLine, &b.toColumn,
			&statements, &count)
		if n == 6 && count > 0 {
			reached[name] = append(reached[name], b)
		}
	}
	return reached, lines.Err()
}

// unblocked finds the code that was reached and has no block, in a file of this module. name is its import path.
func unblocked(name string, reached []block) (found []block) {
	_, path, _ := strings.Cut(name, "/")
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
	if err != nil {
		log.Fatal(err)
	}
	isReached := func(pos token.Pos) bool {
		return slices.ContainsFunc(reached, func(b block) bool { return b.has(files.Position(pos)) })
	}
	add := func(from, to token.Pos) {
		a, b := files.Position(from), files.Position(to)
		found = append(found, block{a.Line, a.Column, b.Line, b.Column})
	}
	ast.PreorderStack(file, nil, func(n ast.Node, outside []ast.Node) bool {
		switch n := n.(type) {
		case *ast.SwitchStmt:
			for _, clause := range n.Body.List {
				if list := clause.(*ast.CaseClause).List; len(list) > 0 && isReached(n.Switch) {
					add(list[0].Pos(), list[len(list)-1].End())
				}
			}
		case *ast.FuncLit:
			if statement := statementOf(outside); statement != nil && isReached(statement.Pos()) {
				add(n.End(), restOf(statement, n))
			}
		}
		return true
	})
	return found
}

// statementOf is the statement that an expression is in: of `if a := b(); a > 0` the whole.
func statementOf(outside []ast.Node) (statement ast.Stmt) {
	for _, n := range slices.Backward(outside) {
		switch n := n.(type) {
		case *ast.BlockStmt, *ast.CaseClause, *ast.CommClause:
			return statement
		case ast.Stmt:
			statement = n
		}
	}
	return statement
}

// restOf is the end of what is done in a statement after a function literal: another one, a block, or its own end.
func restOf(statement ast.Stmt, literal *ast.FuncLit) token.Pos {
	end := statement.End()
	ast.Inspect(statement, func(n ast.Node) bool {
		switch n.(type) {
		case *ast.FuncLit, *ast.BlockStmt:
			if n.Pos() >= literal.End() && n.Pos() < end {
				end = n.Pos()
			}
		}
		return true
	})
	return end
}
