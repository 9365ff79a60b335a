package notify

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	monitorQueue   = 10000 // lines that may wait; more are counted as lost
	monitorMessage = 1000  // bytes of a message that are kept
)

// Monitor writes the monitorfiles: a line for every result of a check, in the form of the reference.
// Nobody waits for it. Files are opened for each batch of lines, so that they may be rotated.
type Monitor struct {
	report func(Event)
	ready  chan struct{} // there is something to write
	done   chan struct{}

	mu     sync.Mutex // guards what follows
	lines  []monitorLine
	lost   int
	closed bool
}

type monitorLine struct {
	at       time.Time
	file, id string
	up       bool
	message  string
}

// NewMonitor returns a monitor. It tells report when a file can't be written, and how many lines were
// lost because they came too fast. Close ends it.
func NewMonitor(report func(Event)) *Monitor {
	m := &Monitor{report: report, ready: make(chan struct{}, 1), done: make(chan struct{})}
	go m.run()
	return m
}

// Record adds the result of a check to a file. The id is that of a MonitorID, the message that of
// MonitorMessage; it may be "".
func (m *Monitor) Record(file, id string, up bool, message string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.closed:
		return
	case len(m.lines) >= monitorQueue:
		m.lost++
		return
	}
	m.lines = append(m.lines, monitorLine{time.Now(), file, id, up, message})
	m.wake()
}

// Close waits until everything is written, but no longer than ctx allows.
func (m *Monitor) Close(ctx context.Context) error {
	m.mu.Lock()
	m.closed = true
	m.wake()
	m.mu.Unlock()
	select {
	case <-m.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("monitor: some results were not written: %w", ctx.Err())
	}
}

func (m *Monitor) wake() {
	select {
	case m.ready <- struct{}{}:
	default:
	}
}

func (m *Monitor) run() {
	defer close(m.done)
	failing := map[string]bool{}
	for range m.ready {
		lines, lost, closed := m.take()
		for file, batch := range byFile(lines) {
			m.write(file, batch, failing)
		}
		if lost > 0 {
			m.report(Event{Time: time.Now(), Kind: MonitorFailed, Text: fmt.Sprintf("Error writing to monitorfile: %d results were lost: they came too fast", lost)})
		}
		if closed {
			return
		}
	}
}

func (m *Monitor) take() (lines []monitorLine, lost int, closed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	lines, lost = m.lines, m.lost
	m.lines, m.lost = nil, 0
	return lines, lost, m.closed
}

// byFile is the text for each file.
func byFile(lines []monitorLine) map[string][]byte {
	batches := map[string][]byte{}
	for _, l := range lines {
		batches[l.file] = l.append(batches[l.file])
	}
	return batches
}

// append adds the line as the reference writes it.
func (l monitorLine) append(b []byte) []byte {
	state := "down"
	if l.up {
		state = "up"
	}
	return fmt.Appendf(b, "[%s] [%d] %s [%s] %s\n", l.at.Format(time.ANSIC), os.Getpid(), l.id, state, monitorEscape(l.message))
}

// write appends to a file, and tells the first failure until it succeeds again.
func (m *Monitor) write(file string, batch []byte, failing map[string]bool) {
	err := appendFile(file, batch)
	if err != nil && !failing[file] {
		m.report(Event{Time: time.Now(), Kind: MonitorFailed, Reason: err.Error(), Text: fmt.Sprintf("Error writing to monitorfile: %v", err)})
	}
	failing[file] = err != nil
}

// appendFile does not wait for a reader when the file is a pipe.
func appendFile(path string, text []byte) error {
	f, err := os.OpenFile(filepath.Clean(path), os.O_APPEND|os.O_CREATE|os.O_WRONLY|syscall.O_NONBLOCK, 0o644)
	if err != nil {
		return err
	}
	_ = f.SetWriteDeadline(time.Now().Add(time.Second)) // of a pipe; files have none
	if _, err := f.Write(text); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// monitorEscape keeps a message to one line of printable characters, and apart from the bars that the manual has
// between the fields, by URI escapes.
func monitorEscape(s string) string {
	if s == "" {
		return "-"
	}
	s = s[:min(len(s), monitorMessage)]
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if r == '\t' || unicode.IsPrint(r) && r != '%' && r != '|' && (r != utf8.RuneError || size > 1) {
			b.WriteString(s[:size])
		} else {
			for _, c := range []byte(s[:size]) {
				fmt.Fprintf(&b, "%%%02x", c)
			}
		}
		s = s[size:]
	}
	return b.String()
}
