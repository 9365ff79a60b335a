package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ldirectord/checker"
	"ldirectord/director"
	"ldirectord/doctor"
	"ldirectord/instance"
	"ldirectord/parser"
)

// largestConfig is the limit on a configuration, in bytes.
const largestConfig = 64 << 20

// configDirs are where the configuration is looked for, before it is taken as it stands.
var configDirs = []string{"/etc/ha.d", "/etc/ha.d/conf"}

// folderTime is the longest wait for the file system's word that a folder is there.
const folderTime = 2 * time.Second

// examples is where a package puts configurations to begin with.
const examples = "/usr/share/doc/ldirectord/examples"

// paths are those at which a configuration is looked for, one after the other.
func paths(name string) (found []string) {
	if name == "" {
		name = "ldirectord.cf"
	}
	for _, dir := range configDirs {
		found = append(found, filepath.Join(dir, name))
	}
	if here, err := filepath.Abs(name); err == nil {
		found = append(found, here)
	}
	return found
}

// locate finds the configuration file and returns its absolute path.
func locate(name string) (string, error) {
	for _, path := range paths(name) {
		if isFile(path) {
			return path, nil
		}
	}
	looked := paths(name)
	if filepath.IsAbs(name) {
		looked = looked[len(configDirs):]
	}
	//lint:ignore ST1005 the reference's words
	return "", fmt.Errorf("Config file %s not found\nldirectord: looked for %s; %s/http.cf is one to begin with",
		cmp.Or(name, "ldirectord.cf"), strings.Join(looked, ", "), examples)
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
func (l *loaded) summary() string { return "V" + l.census()[1:] }

// census is summary within a line.
func (l *loaded) census() string {
	reals := 0
	for _, v := range l.config.Virtuals {
		reals += len(v.Reals) + len(v.Waiting)
	}
	return fmt.Sprintf("virtual services: %d, real servers: %d", len(l.config.Virtuals), reals)
}

// forget drops what only messages about the file need: a large one has more positions than settings. While names
// have no answer its text is needed again.
func (l *loaded) forget() {
	if len(unanswered(l.config.Names)) == 0 {
		l.source = nil
	}
	l.found = nil
	l.config.Global.At = nil
	for i := range l.config.Virtuals {
		l.config.Virtuals[i].At = nil
	}
}

// load reads the file at path and prepares it. An error means that the file itself could not be read.
func (a *app) load(ctx context.Context) (*loaded, error) { return a.loadWith(ctx, a.parserOptions()) }

func (a *app) loadWith(ctx context.Context, o parser.Options) (*loaded, error) {
	source, err := instance.ReadFile(a.path, largestConfig)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return a.prepare(ctx, source, o), nil
}

// prepare makes a configuration ready to run.
func (a *app) prepare(ctx context.Context, source []byte, o parser.Options) *loaded {
	l := &loaded{source: source}
	cfg, found := parser.Parse(ctx, a.path, source, o)
	l.found = found
	if cfg == nil {
		return l
	}
	env := a.env.checks()
	plan, more := director.NewPlan(cfg, func(s checker.Spec) (checker.Checker, error) { return checker.New(s, env) })
	l.found = append(l.found, more...)
	if len(cfg.Virtuals) == 0 && len(cfg.Global.Execute) == 0 && !found.HasErrors() {
		l.found = append(l.found, parser.Diagnostic{Kind: "nothing-to-do", Pos: parser.Position{File: a.path}, Text: "there is no virtual service, so the daemon has nothing to do"})
	}
	if own := doctor.JudgeMarks(cfg); len(own) > 0 {
		l.found, plan = append(l.found, own...), nil
	}
	if plan != nil && !found.HasErrors() {
		l.config, l.plan = cfg, plan
	}
	return l
}

// asking are the commands that ask for a daemon that may have begun without the addresses of some servers.
var asking = map[string]bool{"drain": true, "undrain": true, "connections": true, "doctor": true, "realserver-script": true}

func (a *app) parserOptions() parser.Options {
	return parser.Options{
		Resolver: systemNames{},
		Last:     a.nameFile().last(),
		Wait:     a.patient || asking[a.verb],
		TryFile:  tryFile,
		TryRead:  tryRead,
		DirExist: dirExists,
		LogFile:  logOfUnit(),
		HostName: hostName(),
		Strict:   a.strict,
	}
}

// dirExists reports whether a folder is there. One that hangs, as on a file server that is gone, counts as there.
func dirExists(path string) bool {
	there := make(chan bool, 1)
	go func() {
		info, err := os.Stat(path)
		there <- err == nil && info.IsDir()
	}()
	select {
	case is := <-there:
		return is
	case <-time.After(folderTime):
		return true
	}
}

// logOfUnit is where the log goes by default when systemd has made a folder for it, as the drop-in user.conf asks:
// the usual one is root's. Folders of other units are not meant for us.
func logOfUnit() string {
	if dir := os.Getenv("LOGS_DIRECTORY"); dir == "/var/log/ldirectord" {
		return dir + "/ldirectord.log"
	}
	return ""
}

// tryFile tells whether a file can be written to its end, or made where it is missing. It makes none: commands
// that only ask leave no trace, and a daemon makes it with its first line.
func tryFile(path string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return tryMaking(path)
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// tryMaking tells whether a file that is not there could be made. A link that leads to nothing is followed, as the
// kernel does when it makes the file.
func tryMaking(path string) error {
	if target, err := os.Readlink(path); err == nil {
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		return tryFile(target)
	}
	if strings.HasSuffix(path, "/") {
		return &fs.PathError{Op: "open", Path: path, Err: syscall.EISDIR}
	}
	const mayWrite = unix.W_OK | unix.X_OK
	if err := unix.Faccessat(unix.AT_FDCWD, filepath.Dir(path), mayWrite, unix.AT_EACCESS); err != nil {
		return &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return nil
}

// tryRead tells whether a file can be read.
func tryRead(path string) error {
	f, err := instance.OpenFile(path, os.O_RDONLY, 0)
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

// tell prints diagnostics, errors first, since the reference has nothing to say after one. A command that only
// asks or stops hears the reference's warnings, not the advice.
func (l *loaded) tell(w io.Writer, verb string) {
	advice := verb != "status" && verb != "stop"
	for _, d := range slices.Concat(l.found.Errors(), l.found.Warnings()) {
		if d.Severity == parser.Error || advice || slices.Contains(referenceWarnings, d.Kind) {
			fmt.Fprintln(w, wording(verb, d))
		}
	}
}

// referenceWarnings are the kinds of warnings that the reference has too.
var referenceWarnings = []string{"deprecated", "missing-dir", "own-interval"}

// plainVerbs tell diagnostics as file:line:column: the reference knows none of them, and they start nothing.
var plainVerbs = []string{"check", "plan", "probe", "doctor", "connections", "realserver-script", "drain", "undrain"}

// wording is one diagnostic as a command tells it.
func wording(verb string, d parser.Diagnostic) string {
	if slices.Contains(plainVerbs, verb) {
		return d.String()
	}
	return message(d)
}

// message is one diagnostic in the form of the reference, which tools grep for, with the column, and with the line
// where that is another one than the reference names.
func message(d parser.Diagnostic) string {
	word := "Warning"
	if d.Severity == parser.Error {
		word = "Error"
	}
	at := d.Place()
	switch {
	case d.Pos.Line == 0:
		return fmt.Sprintf("%s [%d]: %s: %s", word, os.Getpid(), at.File, d.Text)
	case at.Line != d.Pos.Line:
		return fmt.Sprintf("%s [%d] reading file %s at line %d: line %d, column %d: %s", word, os.Getpid(), at.File, d.Pos.Line, at.Line, at.Column, d.Text)
	}
	return fmt.Sprintf("%s [%d] reading file %s at line %d: column %d: %s", word, os.Getpid(), at.File, at.Line, at.Column, d.Text)
}
