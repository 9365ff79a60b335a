package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"ldirectord/checker"
	"ldirectord/director"
	"ldirectord/parser"
)

// configDirs are where the configuration is looked for, before it is taken as it stands.
var configDirs = []string{"/etc/ha.d", "/etc/ha.d/conf"}

// locate finds the configuration file and returns its absolute path.
func locate(name string) (string, error) {
	if name == "" {
		name = "ldirectord.cf"
	}
	for _, dir := range configDirs {
		if path := dir + "/" + name; isFile(path) {
			return filepath.Clean(path), nil
		}
	}
	if !isFile(name) {
		//lint:ignore ST1005 the reference's words
		return "", fmt.Errorf("Config file %s not found", name)
	}
	return filepath.Abs(name)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// loaded is a configuration that was read, and what there is to say of it.
type loaded struct {
	source []byte
	config *parser.Config // nil when it was refused
	plan   *director.Plan // nil when it was refused
	found  parser.Diagnostics
}

// sum tells one content of the file from another.
func (l *loaded) sum() [sha256.Size]byte { return sha256.Sum256(l.source) }

// summary is what the configuration asks for, in a line.
func (l *loaded) summary() string {
	reals := 0
	for _, v := range l.config.Virtuals {
		reals += len(v.Reals)
	}
	return fmt.Sprintf("Virtual services: %d, real servers: %d", len(l.config.Virtuals), reals)
}

// forget drops what only messages about the file need: a large one has more positions than settings.
func (l *loaded) forget() {
	l.source, l.found = nil, nil
	l.config.Global.At = nil
	for i := range l.config.Virtuals {
		l.config.Virtuals[i].At = nil
	}
}

// load reads the file at path and prepares it. An error means that the file itself could not be read.
func (a *app) load(ctx context.Context) (*loaded, error) {
	source, err := readFile(a.path, largestConfig)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	l := &loaded{source: source}
	cfg, found := parser.Examine(ctx, a.path, source, a.parserOptions())
	l.found = found
	if cfg == nil {
		return l, nil
	}
	env := a.env.checks()
	plan, more := director.NewPlan(cfg, func(s checker.Spec) (checker.Checker, error) { return checker.New(s, env) })
	l.found = append(l.found, more...)
	if own := judgeMarks(cfg); len(own) > 0 {
		l.found, plan = append(l.found, own...), nil
	}
	if plan != nil && !found.HasErrors() {
		l.config, l.plan = cfg, plan
	}
	return l, nil
}

func (a *app) parserOptions() parser.Options {
	return parser.Options{
		Resolver: systemNames{},
		TryFile:  tryFile,
		TryRead:  tryRead,
		DirExist: func(path string) bool { info, err := os.Stat(path); return err == nil && info.IsDir() },
		HostName: hostName(),
		Strict:   a.strict,
	}
}

// tryFile tells whether a file can be written to its end, making it where it is missing.
func tryFile(path string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY|syscall.O_NONBLOCK, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}

// tryRead tells whether a file can be read.
func tryRead(path string) error {
	f, err := openFile(path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

func hostName() string {
	if name := os.Getenv("HOSTNAME"); name != "" {
		return name
	}
	name, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	return name
}

// tell prints diagnostics in the form of the reference, which tools grep for, with the exact place:
// errors first, since the reference has nothing to say behind one. A command that only asks or stops
// hears the reference's warnings, not the advice.
func (l *loaded) tell(w io.Writer, advice bool) {
	for _, d := range slices.Concat(l.found.Errors(), l.found.Warnings()) {
		if d.Severity == parser.Error || advice || slices.Contains(referenceWarnings, d.Kind) {
			fmt.Fprintln(w, message(d))
		}
	}
}

// referenceWarnings are the kinds of warnings that the reference has too.
var referenceWarnings = []string{"deprecated", "missing-dir", "own-interval"}

// message is one diagnostic in the words of the reference, followed by the exact place.
func message(d parser.Diagnostic) string {
	word := "Warning"
	if d.Severity == parser.Error {
		word = "Error"
	}
	if d.Pos.Line == 0 {
		return fmt.Sprintf("%s [%d]: %s", word, os.Getpid(), d)
	}
	return fmt.Sprintf("%s [%d] reading file %s at line %d: %s", word, os.Getpid(), d.File, d.Pos.Line, d)
}
