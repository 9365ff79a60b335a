package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ldirectord/checker/seal"
	"ldirectord/internal/doctor"
	"ldirectord/internal/instance"
	"ldirectord/internal/plan"
	"ldirectord/internal/resolve"
	"ldirectord/internal/runfile"
	"ldirectord/parser"
)

// Source names a configuration file, and says how to read it.
type Source struct {
	Path   string
	Names  string // the file with the last addresses of host names
	Strict bool
	Alone  bool // do not look up names
	Runs   bool // a daemon runs with it, and needs the credentials
	Wait   bool // real servers wait for the addresses of their names, which is no error
	Checks *Environment
	Dirs   instance.ConfigDirs // where execute= looks for files
}

// Loaded is a configuration that was read.
type Loaded struct {
	Text   []byte         // the text of the file; nil when it is no longer needed
	Config *parser.Config // nil when prepare refused it
	Plan   *plan.Plan     // nil when it was refused
	Draft  *parser.Config // the readable part of a refused configuration; nil otherwise
	Found  parser.Diagnostics
	Lists  lists  // of realfile and realnames
	Sum    string // of the configuration, for a daemon

	said map[string]bool // if it has lists: its findings in the log, which are not repeated when lists change

	GoodSince time.Time // since when it was in force, if it is the last good one; else zero
	Anyway    string    // why the file was taken back, and why it is in force anyway; else ""
}

// Load reads a configuration and prepares it. An error means that the file could not be read. Mistakes in the file are
// in Found.
func Load(ctx context.Context, s Source) (*Loaded, error) {
	text, err := s.Read()
	if err != nil {
		return nil, err
	}
	return s.load(ctx, text, nil, true), nil
}

// load reads the lists that the text of a configuration names, and prepares the configuration.
func (s Source) load(ctx context.Context, text []byte, inForce lists, guarded bool) *Loaded {
	o := s.parserOptions()
	o.Lists = s.readLists(ctx, text, inForce, guarded, nil)
	return s.prepare(ctx, text, o)
}

// Read returns the text of the file, joined with the texts of its parts.
func (s Source) Read() ([]byte, error) {
	text, err := runfile.ReadFile(s.Path, parser.MaxSize)
	if err == nil {
		text, err = s.withParts(text)
	}
	return text, runfile.While("reading the configuration", err)
}

// prepare parses a configuration and makes its plan. If that panics, the configuration is refused, and a running daemon
// keeps its previous one.
func (s Source) prepare(ctx context.Context, text []byte, o parser.Options) (l *Loaded) {
	l = &Loaded{Text: text, Lists: o.Lists}
	defer func() {
		if p := recover(); p != nil {
			*l = Loaded{Text: text, Found: append(l.Found, parser.Diagnostic{
				Severity: parser.Error, Kind: "fault", Pos: parser.Position{File: s.Path},
				Text: fault(p)})}
		}
	}()
	cfg, found := parser.Parse(ctx, s.Path, text, o)
	l.Found = found
	if cfg == nil {
		return l
	}
	p, more := plan.New(cfg, s.Checks.Builder())
	l.Found = append(l.Found, more...)
	if len(cfg.Virtuals) == 0 && len(cfg.Global.Execute) == 0 && !found.HasErrors() {
		l.Found = append(l.Found, parser.Diagnostic{
			Kind: "nothing-to-do", Pos: parser.Position{File: s.Path},
			Text: "there is no virtual service, so the daemon has nothing to do",
		})
	}
	l.Found = slices.Concat(l.Found, doctor.JudgeMarks(cfg), doctor.JudgePrograms(cfg),
		doctor.JudgeOrigins(cfg, s.Checks.User == ""))
	for _, name := range cfg.Global.Execute {
		_, err := s.Dirs.FindNamed(name)
		if missing, is := errors.AsType[instance.Missing](err); is {
			l.Found = append(l.Found, parser.Diagnostic{Kind: "missing-file", Pos: cfg.Global.At["execute"],
				Text: "execute starts nothing: there is no configuration file " + name + "; " +
					missing.Looked()})
		}
	}
	if l.Found.HasErrors() {
		l.Draft = cfg
		return l
	}
	l.Config, l.Plan = cfg, p
	if s.Runs {
		l.Sum = cfg.Sum()
	}
	return l
}

// maxReported is the highest number of errors that a command reports to the daemon, because the daemon's socket refuses
// long requests.
const maxReported = 10

// Refusals returns the first errors of a refused configuration, in the order in which they were found. If there is more
// than one, the first also contains the number of all errors.
func (l *Loaded) Refusals() (all []string) {
	errors := l.Found.Errors()
	for _, d := range errors[:min(len(errors), maxReported)] {
		all = append(all, d.String())
	}
	if len(errors) > 1 {
		all[0] += fmt.Sprintf(" (errors: %d)", len(errors))
	}
	return all
}

// fault describes a recovered panic.
func fault(p any) string {
	return fmt.Sprintf("a fault in ldirectord: %v at %s", p, seal.PanicPlace())
}

// RefuseWhatNeverRuns refuses a configuration if something in it can't work here, such as a command in an image without
// a shell. The daemon itself only logs a warning, because everything else works.
func (l *Loaded) RefuseWhatNeverRuns() {
	for i := range l.Found {
		if kind := l.Found[i].Kind; kind == doctor.NoShell || kind == doctor.NoOracle {
			l.Found[i].Severity, l.Plan = parser.Error, nil
		}
	}
}

// Summary returns a line with the numbers of virtual services and real servers.
func (l *Loaded) Summary() string {
	reals := 0
	for _, v := range l.Config.Virtuals {
		reals += len(v.Reals) + len(v.Waiting)
	}
	return fmt.Sprintf("Virtual services: %d, real servers: %d", len(l.Config.Virtuals), reals)
}

// forget drops data that is needed only for messages about the file, because in a large file the positions take more
// memory than the settings. It keeps the text if there are lists, names without an answer, or names that are looked up
// periodically.
func (l *Loaded) forget() {
	if len(l.Lists)+len(resolve.Unanswered(l.Config.Names)) == 0 && len(resolve.Followed(l.Config.Names)) == 0 {
		l.Text = nil
	}
	if len(l.Lists) > 0 {
		l.said = map[string]bool{}
		for _, d := range l.Found.ForLog() {
			l.said[Message(d)] = true
		}
	}
	l.Found = nil
	l.Config.Global.At = nil
	for _, v := range l.Config.Virtuals {
		for _, check := range v.Checks() {
			check.At = nil
		}
	}
}

func (s Source) parserOptions() parser.Options {
	o := parser.Options{
		Resolver:   newSystemNames(),
		Last:       resolve.File(s.Names).Last(),
		Own:        ownAddress(),
		Wait:       s.Wait,
		TryFile:    tryFile,
		TryRead:    runfile.TryRead,
		ReadSecret: s.readSecret,
		User:       s.Checks.lacksRights,
		DirExist:   isFolder,
		LogFile:    logOfUnit(),
		HostName:   hostName(),
		Strict:     s.Strict,
	}
	if s.Alone {
		o.Resolver, o.Alone = noNames{}, true
	}
	return o
}

// isFolder reports whether a folder exists. If the file system hangs, the folder counts as existing.
func isFolder(path string) bool {
	info, err := runfile.Stat(path)
	return errors.Is(err, runfile.ErrLate) || err == nil && info.IsDir()
}

// logOfUnit returns the default log file if systemd has made a folder for it, as with the drop-in user.conf. A daemon
// that does not run as root can't write to the usual log file. logOfUnit ignores the folders of other units.
func logOfUnit() string {
	if dir := os.Getenv("LOGS_DIRECTORY"); dir == "/var/log/ldirectord" {
		return dir + "/ldirectord.log"
	}
	return ""
}

// tryFile returns an error if a file can't be opened for appending or, if it is missing, can't be created. It does not
// create the file; the first write does.
func tryFile(path string) error {
	return runfile.Try(path, func() error { return tryAppending(path) })
}

func tryAppending(path string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return tryMaking(path)
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// tryMaking returns an error if a missing file can't be created. It follows a dangling link, as the kernel does when it
// creates the file.
func tryMaking(path string) error {
	if target, err := os.Readlink(path); err == nil {
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		return tryAppending(target)
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

func hostName() string {
	name, _ := os.Hostname()
	return cmp.Or(os.Getenv("HOSTNAME"), name, "localhost")
}

// Message formats a diagnostic as the Perl ldirectord does, because tools grep for that form. It adds the column at the
// end.
func Message(d parser.Diagnostic) string {
	word := "Warning"
	if d.Severity == parser.Error {
		word = "Error"
	}
	text := "%s [%d] reading file %s at line %d: %s (column %d)"
	if d.Pos.Line == 0 {
		text = "%[1]s [%[2]d]: %[3]s: %[5]s"
	}
	return fmt.Sprintf(text, word, os.Getpid(), d.Pos.File, d.Pos.Line, d.Text, d.Pos.Column)
}
