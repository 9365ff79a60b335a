package daemon

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"

	"ldirectord/internal/notify"
	"ldirectord/internal/printable"
	"ldirectord/internal/runfile"
	"ldirectord/internal/status"
	"ldirectord/internal/view"
	"ldirectord/parser"
)

// logSink writes events to the log: a file, a syslog facility, or a standard stream. It is a Notifier.
type logSink struct {
	target atomic.Pointer[logTarget]
	fixed  io.Writer // the standard stream with -d or supervised = yes; nil: target decides
	json   bool
	bare   bool   // lines have no header
	writer string // who writes, for the header

	failed  atomic.Pointer[status.Failure] // why the last line could not be written; nil after a success
	writing atomic.Pointer[time.Time]      // since when a line is being written; nil: none is

	mu     sync.Mutex // guards what follows; held while a line is written, even if a pipe blocks
	file   logFile
	system syslogConn
	lost   int // lines lost since the last written one
}

// logTarget is where the log goes: a path or a syslog facility.
type logTarget struct {
	name   string
	since  time.Time
	before string // the target of events before since, which may still be queued
}

// maxWrite is how long writing a line may take before status shows it as a failure.
const maxWrite = 2 * time.Second

// newLogSink returns the log that the command line and the configuration ask for. With -d or supervised = yes it is a
// standard stream, and otherwise the path or the syslog facility in logfile.
func newLogSink(o Options, global parser.Global) *logSink {
	writer := fmt.Sprintf("|%s|%d", printable.Line(o.Name), os.Getpid())
	l := &logSink{json: o.JSONLog, bare: o.JSONLog || o.Debug, writer: writer}
	l.target.Store(&logTarget{name: global.LogFile})
	switch {
	case o.Debug:
		l.fixed = o.Stderr
	case global.Supervised: // not the command's writer: a lost log line must not fail the command
		l.fixed, l.writer = os.Stdout, ""
	}
	return l
}

// setTarget changes the target of the log, from the next event on.
func (l *logSink) setTarget(name string) {
	if was := l.target.Load().name; was != name {
		l.target.Store(&logTarget{name: name, since: time.Now(), before: was})
	}
}

// targetOf returns the target of an event of this time.
func (l *logSink) targetOf(at time.Time) string {
	t := l.target.Load()
	if at.Before(t.since) {
		return t.before
	}
	return t.name
}

// Notify writes one event to the log. If that fails, the event goes to standard error, and the next line reports how
// many lines were lost. If the log can't be opened, for example because its folder is missing, the event goes to syslog
// instead, if there is one.
func (l *logSink) Notify(e notify.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	target, begun := l.targetOf(e.Time), time.Now()
	l.writing.Store(&begun)
	defer l.writing.Store(nil)
	var err error
	if l.lost > 0 {
		text := view.Plural(l.lost, "line") + " lost: " + l.failed.Load().Text
		err = l.put(target, notify.Event{Time: e.Time, Kind: notify.Lost, Text: text})
	}
	if err == nil {
		l.lost, err = 0, l.put(target, e)
	}
	if err == nil {
		l.failed.Store(nil)
		return
	}
	if !isNotOpened(err) || l.system.send("daemon", l.line(e)) != nil {
		l.lost++
		fmt.Fprintln(os.Stderr, l.header(e.Time)+l.line(e))
	}
	l.failed.Store(failure(target, err, e.Time))
}

func failure(target string, err error, at time.Time) *status.Failure {
	text := fmt.Sprintf("the log %s can't be written: %v", target, err)
	return &status.Failure{Event: "log-failed", Text: text, At: at.UTC()}
}

// put writes an event. The caller holds mu.
func (l *logSink) put(target string, e notify.Event) error {
	line := l.line(e)
	if l.fixed == nil && !strings.HasPrefix(target, "/") {
		return l.system.send(target, line) // it adds a header of its own
	}
	line = l.header(e.Time) + line + "\n"
	if l.fixed != nil {
		_, err := io.WriteString(l.fixed, line)
		return err
	}
	return l.file.write(filepath.Clean(target), line, func() bool { return l.target.Load().name != target })
}

func (l *logSink) header(at time.Time) string {
	if l.bare {
		return ""
	}
	return fmt.Sprintf("[%s%s] ", at.Format(time.ANSIC), l.writer)
}

// trouble returns the failure to write the log, or nil if the log can be written. It does not wait for a line that is
// being written.
func (l *logSink) trouble() *status.Failure {
	f := l.failed.Load()
	if since := l.writing.Load(); f == nil && since != nil && time.Since(*since) > maxWrite {
		return failure(l.targetOf(*since), errLineWaits, *since)
	}
	return f
}

var errLineWaits = errors.New("a line waits; the program that reads the log may hang")

// line formats an event as text or JSON.
func (l *logSink) line(e notify.Event) string {
	text := printable.Line(e.Text)
	if !l.json {
		return text
	}
	fields := logrus.Fields{"event": string(e.Kind)}
	for key, value := range map[string]string{"virtual": e.Virtual, "real": e.Real, "reason": e.Reason} {
		if value != "" {
			fields[key] = value
		}
	}
	form := logrus.JSONFormatter{TimestampFormat: time.RFC3339Nano}
	entry := &logrus.Entry{Time: e.Time, Level: logrus.InfoLevel, Message: text, Data: fields}
	line, _ := form.Format(entry) // text can't fail
	return strings.TrimSuffix(string(line), "\n")
}

func isNotOpened(err error) bool {
	of, is := errors.AsType[*fs.PathError](err)
	return is && of.Op == "open"
}

// logFile is an open log file. It stays open, so that lines can be written even when descriptors run out. If its path
// leads to another file, as after a rotation, or to no file, it is opened again, because nobody would find lines in the
// old file.
type logFile struct {
	path   string
	file   *os.File
	opened fileStamp // the version of the open file
	torn   bool      // only a part of the last line was written
	hung   bool      // it did not take the last line
}

// write appends a line to the file at a path. If a pipe does not take the line, write keeps trying until isOver returns
// true. Further lines for that pipe then fail at once.
func (f *logFile) write(path, line string, isOver func() bool) error {
	if f.hung && f.path == path && isOver() {
		return os.ErrDeadlineExceeded
	}
	if f.path != path || !stamp(path).isOf(f.opened) {
		file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY|syscall.O_NONBLOCK, 0o644)
		if err != nil && (f.path != path || !runfile.IsShort(err)) {
			return err
		}
		if err == nil {
			f.file.Close()
			info, _ := file.Stat()
			*f = logFile{path: path, file: file, opened: fileStamp{info}}
		}
	}
	if f.torn {
		line = "\n" + line
	}
	n, err := f.add(line)
	for errors.Is(err, os.ErrDeadlineExceeded) && !isOver() {
		var more int
		more, err = f.add(line[n:])
		n += more
	}
	f.torn = err != nil && (f.torn || n > 0)
	f.hung = errors.Is(err, os.ErrDeadlineExceeded)
	return err
}

// add writes as much of a text as a pipe takes within maxWrite. For a regular file there is no time limit.
func (f *logFile) add(text string) (n int, err error) {
	_ = f.file.SetWriteDeadline(time.Now().Add(maxWrite))
	return f.file.WriteString(text)
}
