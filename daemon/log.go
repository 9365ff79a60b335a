package daemon

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"

	"ldirectord/notify"
	"ldirectord/parser"
	"ldirectord/printable"
)

// logSink writes events to the log: a file, a syslog facility, or a standard stream. It is a Notifier.
type logSink struct {
	logger *logrus.Logger
	target atomic.Pointer[string]
	fixed  io.Writer        // in the foreground; nil when target says
	form   logrus.Formatter // of a standard stream or of JSON; nil when target says
	header func(time.Time) string

	// What follows is guarded by the logger's lock.
	now    string // the target of the line at hand
	file   logFile
	system *syslogWriter
}

// newLogSink returns the log that the command line and the configuration ask for: in the foreground a standard stream,
// else logfile, a path or a syslog facility.
func newLogSink(o Options, global parser.Global) *logSink {
	l := &logSink{logger: logrus.New()}
	l.setTarget(global.LogFile)
	l.header = func(at time.Time) string {
		return fmt.Sprintf("[%s|%s|%d] ", at.Format(time.ANSIC), o.Name, os.Getpid())
	}
	switch {
	case o.Debug:
		l.fixed = o.Stderr
		l.header = func(time.Time) string { return "" }
	case global.Supervised:
		l.fixed = os.Stdout // not the command's writer: a lost line of the log is no failure of it
		l.header = func(at time.Time) string { return fmt.Sprintf("[%s] ", at.Format(time.ANSIC)) }
	}
	if o.JSONLog {
		l.form = &logrus.JSONFormatter{TimestampFormat: time.RFC3339Nano}
	}
	l.logger.SetFormatter(l)
	l.logger.SetOutput(l)
	return l
}

// setTarget changes where the log goes, from the next line on.
func (l *logSink) setTarget(target string) { l.target.Store(&target) }

// Format implements logrus.Formatter. Syslog has a header of its own.
func (l *logSink) Format(e *logrus.Entry) ([]byte, error) {
	l.now = *l.target.Load()
	switch {
	case l.form != nil:
		return l.form.Format(e)
	case l.fixed == nil && !isPath(l.now):
		return []byte(e.Message), nil
	default:
		return []byte(l.header(e.Time) + e.Message + "\n"), nil
	}
}

// Notify writes one event.
func (l *logSink) Notify(e notify.Event) {
	fields := logrus.Fields{"event": string(e.Kind)}
	for key, value := range map[string]string{"virtual": e.Virtual, "real": e.Real, "reason": e.Reason} {
		if value != "" {
			fields[key] = value
		}
	}
	entry := l.logger.WithTime(e.Time).WithFields(fields)
	entry.Info(printable.Line(e.Text))
}

// Write puts one line where the log goes. One that can't be written there goes to standard error, and
// nothing stops.
func (l *logSink) Write(line []byte) (int, error) {
	switch {
	case l.fixed != nil:
		return l.fixed.Write(line)
	case !isPath(l.now):
		if l.system == nil || l.system.facility != l.now {
			l.system = newSyslogWriter(l.now)
		}
		return l.system.Write(bytes.TrimRight(line, "\n"))
	}
	if err := l.file.write(filepath.Clean(l.now), line); err != nil {
		return os.Stderr.Write(line)
	}
	return len(line), nil
}

func isPath(target string) bool { return strings.HasPrefix(target, "/") }

// logFile is an open log file. It stays open, so that lines are written also when descriptors run out. The
// path is opened again when it leads to another file: the log was rotated.
type logFile struct {
	path string
	file *os.File
}

func (f *logFile) write(path string, line []byte) error {
	if !f.current(path) {
		file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY|syscall.O_NONBLOCK, 0o644)
		if err != nil && (f.file == nil || f.path != path) {
			return err
		}
		if err == nil {
			f.file.Close()
			f.path, f.file = path, file
		}
	}
	_, err := f.file.Write(line)
	return err
}

// current reports whether the open file is the one that path leads to.
func (f *logFile) current(path string) bool {
	if f.file == nil || f.path != path {
		return false
	}
	mine, err := f.file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(mine, there)
}
