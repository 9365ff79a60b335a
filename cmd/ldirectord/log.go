package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"ldirectord/notify"
)

// logSink is the log as a reader of the journal: file, syslog facility, or a standard stream.
type logSink struct {
	logger *logrus.Logger
	target atomic.Pointer[string]
	fixed  io.Writer // in the foreground; nil when target says
	system *syslogWriter
}

// newLogSink returns the log that the command line and the configuration ask for: in the foreground a
// standard stream, else target, a path or a syslog facility.
func newLogSink(a *app, target string) *logSink {
	l := &logSink{logger: logrus.New()}
	l.target.Store(&target)
	var form logrus.Formatter = logForm(func(e *logrus.Entry) string {
		return fmt.Sprintf("[%s|%s|%d] %s\n", e.Time.Format(time.ANSIC), a.instanceName(), os.Getpid(), e.Message)
	})
	switch {
	case a.debug:
		l.fixed = a.stderr
		form = logForm(func(e *logrus.Entry) string { return e.Message + "\n" })
	case a.supervised():
		l.fixed = a.stdout
		form = logForm(func(e *logrus.Entry) string { return fmt.Sprintf("[%s] %s\n", e.Time.Format(time.ANSIC), e.Message) })
	case !strings.HasPrefix(target, "/"):
		form = logForm(func(e *logrus.Entry) string { return e.Message })
	}
	if a.logFormat == "json" {
		form = &logrus.JSONFormatter{TimestampFormat: time.RFC3339Nano}
	}
	l.logger.SetFormatter(form)
	l.logger.SetOutput(l)
	return l
}

// setTarget changes where the log goes; it counts from the next line on.
func (l *logSink) setTarget(target string) { l.target.Store(&target) }

// Notify writes one event.
func (l *logSink) Notify(_ context.Context, e notify.Event) {
	fields := logrus.Fields{"event": string(e.Kind)}
	for key, value := range map[string]string{"virtual": e.Virtual, "real": e.Real, "reason": e.Reason} {
		if value != "" {
			fields[key] = value
		}
	}
	entry := l.logger.WithTime(e.Time).WithFields(fields)
	entry.Info(oneLine(e.Text))
}

// Write puts one line where the log goes. The file is opened for each, so that it may be rotated;
// where it can't be written the line goes to standard error, and nothing stops.
func (l *logSink) Write(line []byte) (int, error) {
	if l.fixed != nil {
		return l.fixed.Write(line)
	}
	target := *l.target.Load()
	if !strings.HasPrefix(target, "/") {
		return l.syslog(target, line)
	}
	f, err := os.OpenFile(filepath.Clean(target), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return os.Stderr.Write(line)
	}
	defer f.Close()
	return f.Write(line)
}

func (l *logSink) syslog(facility string, line []byte) (int, error) {
	if l.system == nil || l.system.facility != facility {
		l.system = newSyslogWriter(facility)
	}
	return l.system.Write(bytes.TrimRight(line, "\n"))
}

// oneLine keeps a message to one line of printable characters.
func oneLine(s string) string {
	if !strings.ContainsFunc(s, isControl) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if isControl(r) {
			return ' '
		}
		return r
	}, s)
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// logForm is a form of log line without fields.
type logForm func(*logrus.Entry) string

// Format implements logrus.Formatter.
func (f logForm) Format(e *logrus.Entry) ([]byte, error) { return []byte(f(e)), nil }
