package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// program is an ldirectord.
type program struct {
	Path      string // absolute
	Reference bool   // the Perl program, which scenarios expect to do what their lines with > say
}

func newProgram(path string) (program, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return program{}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return program{}, err
	}
	if !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return program{}, fmt.Errorf("%s is not a program", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return program{}, err
	}
	defer f.Close()
	head, _ := bufio.NewReader(f).Peek(80) // a shorter file is not a script
	first, _, _ := strings.Cut(string(head), "\n")
	return program{Path: path, Reference: strings.HasPrefix(first, "#!") && strings.Contains(first, "perl")}, nil
}

func (b program) title() string {
	if b.Reference {
		return "reference"
	}
	return "ours"
}

// patience stretches every limit for the Perl ldirectord: it starts ipvsadm for each change and checks one server
// after the other, which the lab's kernel makes slow.
func (b program) patience(limit time.Duration) time.Duration {
	if b.Reference {
		return 5 * limit
	}
	return limit
}
