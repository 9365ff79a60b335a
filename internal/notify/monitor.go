package notify

import (
	"cmp"
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
	maxResults = 10000 // results that may wait; further ones are counted as lost
	maxMessage = 1000  // bytes of a message to keep
)

// Monitor writes the monitorfiles. They contain a line for each recorded result of a check, in the format of the Perl
// ldirectord. The director never waits for it. Monitor opens the files anew for each batch of lines, so that they can
// be rotated.
type Monitor struct {
	report func(Event)
	queue  *queue[result]

	mu      sync.Mutex      // guards what follows
	files   map[string]bool // of the configuration
	since   time.Time       // of the last Set
	failing map[string]bool // files that can't be written; "": results were lost
}

// result is a line of a monitorfile.
type result struct {
	at       time.Time
	file, id string
	up       bool
	message  string
}

// NewMonitor returns a monitor. It calls report when a file can't be written, when results are lost because they come
// too fast, and when such a failure ends. The function report must not block or call the Monitor. Close ends the
// monitor.
func NewMonitor(report func(Event)) *Monitor {
	m := &Monitor{report: report, failing: map[string]bool{}}
	m.queue = newQueue(maxResults, m.write)
	return m
}

// Set replaces the list of files in the configuration. Failures of files that are no longer in it are reported as
// ended.
func (m *Monitor) Set(files []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files, m.since = map[string]bool{"": true}, time.Now()
	for _, file := range files {
		m.files[file] = true
	}
	for file := range m.failing {
		if !m.files[file] {
			m.over(file, "Monitorfile is no longer used: "+file)
		}
	}
}

// Record adds the result of a check to a file. id names the check and must be a single line. message may be "".
func (m *Monitor) Record(file, id string, up bool, message string) {
	m.queue.put(result{time.Now(), file, id, up, message})
}

// Close waits until everything is written, but no longer than ctx allows.
func (m *Monitor) Close(ctx context.Context) error {
	if err := m.queue.end(ctx); err != nil {
		return fmt.Errorf("monitorfile: some results were not written: %w", err)
	}
	return nil
}

func (m *Monitor) write(results []result, lost int) {
	batches, last := map[string][]byte{}, map[string]time.Time{}
	for _, r := range results {
		batches[r.file], last[r.file] = r.append(batches[r.file]), r.at
	}
	for file, batch := range batches {
		m.settle(file, last[file], appendFile(file, batch))
	}
	var err error
	if lost > 0 {
		err = fmt.Errorf("%d results were lost: they came too fast", lost)
	}
	m.settle("", time.Now(), err)
}

// settle reports the first failure of a file, each loss of results, and the end of either. at is the time of the latest
// result. It is needed because results of a new configuration may arrive before Set is called.
func (m *Monitor) settle(file string, at time.Time, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	was := m.failing[file]
	switch {
	case err != nil && !m.files[file] && at.Before(m.since): // the file is no longer used, but its results waited
	case err != nil && (!was || file == ""):
		m.failing[file] = true
		m.report(Event{Kind: MonitorFailed, Key: file, Reason: err.Error(),
			Text: fmt.Sprintf("Error writing to monitorfile: %v", err)})
	case err == nil && was && file == "":
		m.over(file, "Results for monitorfiles are no longer lost")
	case err == nil && was:
		m.over(file, "Monitorfile can be written again: "+file)
	}
}

// over reports the end of a failure.
func (m *Monitor) over(file, text string) {
	delete(m.failing, file)
	m.report(Event{Kind: MonitorRecovered, Key: file, Text: text})
}

// append appends the line in the format of the Perl ldirectord.
func (r result) append(b []byte) []byte {
	state := "down"
	if r.up {
		state = "up"
	}
	return fmt.Appendf(b, "[%s] [%d] %s [%s] %s\n", r.at.Format(time.ANSIC), os.Getpid(), r.id, state,
		escape(r.message))
}

// appendFile appends text to a file. If the file is a pipe, appendFile fails if there is no reader, and waits for a
// slow one for at most a second.
func appendFile(path string, text []byte) error {
	f, err := os.OpenFile(filepath.Clean(path), os.O_APPEND|os.O_CREATE|os.O_WRONLY|syscall.O_NONBLOCK, 0o644)
	if err != nil {
		return err
	}
	_ = f.SetWriteDeadline(time.Now().Add(time.Second)) // for a pipe: regular files do not support it
	_, err = f.Write(text)
	return cmp.Or(err, f.Close())
}

// escape cuts a message to maxMessage bytes and turns it into one line of printable characters and tabs. All other
// characters, "%", and "|", which separates the fields according to the manual of the Perl ldirectord, become URI
// escapes. An empty message becomes "-".
func escape(s string) string {
	if s == "" {
		return "-"
	}
	s = s[:min(len(s), maxMessage)]
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
