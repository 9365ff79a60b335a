package notify

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/testkit"
)

// eventList collects the events that are reported.
type eventList struct {
	mu     sync.Mutex
	events []Event
	more   chan struct{}
}

func newEventList() *eventList { return &eventList{more: make(chan struct{}, 100)} }

func (l *eventList) report(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
	l.more <- struct{}{}
}

func (l *eventList) kinds() (kinds []Kind) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

func TestMonitorWritesThePerlsLines(t *testing.T) {
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	m := NewMonitor(newEventList().report)
	m.Record(one, "connect tcp 10.2.0.1 7000 1 gate / ", true, "")
	m.Record(two, "negotiate http tcp 10.2.0.1 80 1 gate / ok", false, "100% | out\r\nof \x1b\tluck")
	m.Record(one, "connect tcp 10.2.0.1 7000 1 gate / ", false, "Server in maintenance")
	testkit.OK(t, m.Close(t.Context()))
	stamp := `\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ 123][0-9] [0-9:]{8} [0-9]{4}\] \[` + fmt.Sprint(os.Getpid()) + `\] `
	for path, want := range map[string]string{
		one: stamp + `connect tcp 10.2.0.1 7000 1 gate /  \[up\] -\n` + stamp +
			`connect tcp 10.2.0.1 7000 1 gate /  \[down\] Server in maintenance\n`,
		two: stamp + "negotiate http tcp 10.2.0.1 80 1 gate / ok \\[down\\] 100%25 %7c out%0d%0aof %1b\tluck\n",
	} {
		got, _ := os.ReadFile(path)
		if !regexp.MustCompile("^" + want + "$").Match(got) {
			t.Errorf("%s:\n%s\nwant\n%s", filepath.Base(path), got, want)
		}
	}
}

func TestMonitorFilesMayBeRotated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "monitor")
		m := NewMonitor(newEventList().report)
		for _, name := range []string{path + ".0", path + ".1"} {
			m.Record(path, "id", true, "to "+filepath.Base(name))
			synctest.Wait()
			testkit.OK(t, os.Rename(path, name))
			testkit.Contains(t, read(name), "to "+filepath.Base(name), name)
		}
		testkit.OK(t, m.Close(t.Context()))
	})
}

func TestAMonitorFileThatFailsIsReportedOnceAndStopsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		good, bad := filepath.Join(dir, "good"), filepath.Join(dir, "absent", "bad")
		l := newEventList()
		m := NewMonitor(l.report)
		for i := range 5 {
			want := fmt.Sprint("number ", i)
			m.Record(bad, "id", true, want)
			m.Record(good, "id", true, want)
			synctest.Wait()
			testkit.Contains(t, read(good), want)
		}
		if kinds := l.kinds(); len(kinds) != 1 || kinds[0] != MonitorFailed {
			t.Errorf("reported %v, want one failure", kinds)
		}
		testkit.OK(t, os.Mkdir(filepath.Dir(bad), 0o700))
		m.Record(bad, "id", true, "works again")
		synctest.Wait()
		testkit.Contains(t, read(bad), "works again")
		testkit.OK(t, os.RemoveAll(filepath.Dir(bad)))
		m.Record(bad, "id", true, "fails again")
		testkit.OK(t, m.Close(t.Context()))
		m.Set([]string{bad})
		m.Set([]string{good})
		m.write([]result{{file: bad}}, 0) // which waited
		all := []Kind{MonitorFailed, MonitorRecovered, MonitorFailed, MonitorRecovered}
		testkit.Same(t, l.kinds(), all, "until it is not used")
		m.write([]result{{at: time.Now(), file: bad}}, 0) // of a configuration whose Set follows
		m.Set([]string{bad})
		testkit.Same(t, l.kinds(), append(all, MonitorFailed), "when it is used again")
	})
}

// A full disk is a failure, and so is a pipe without a reader.
func TestAFileThatTakesNothingIsAFailure(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	testkit.OK(t, syscall.Mkfifo(pipe, 0o600))
	for _, path := range []string{pipe, "/dev/full"} {
		if _, err := os.Stat(path); err != nil {
			t.Skip(err)
		}
		l := newEventList()
		m := NewMonitor(l.report)
		m.Record(path, "id", true, "")
		testkit.OK(t, m.Close(t.Context()))
		testkit.Same(t, l.kinds(), []Kind{MonitorFailed}, path)
	}
}

func TestTheMonitorsQueueIsBoundedAndItsLossReported(t *testing.T) {
	gate, reported := make(chan struct{}), newEventList()
	m := NewMonitor(func(e Event) {
		reported.report(e)
		<-gate // a report that hangs, instead of a file system
	})
	bad := filepath.Join(t.TempDir(), "absent", "bad")
	m.Record(bad, "id", true, "")
	<-reported.more
	for range maxResults + 7 {
		m.Record(bad, "id", true, "")
	}
	ctx := testkit.Within(t, time.Millisecond)
	testkit.Is(t, m.Close(ctx), context.DeadlineExceeded, "Close of a monitor that hangs")
	close(gate)
	testkit.OK(t, m.Close(t.Context()))
	last := reported.events[len(reported.events)-1]
	if last.Kind != MonitorFailed || !strings.Contains(last.Text, "7 results were lost") {
		t.Errorf("reported %v %q", last.Kind, last.Text)
	}
}

func TestALossOfResultsEnds(t *testing.T) {
	l := newEventList()
	m := NewMonitor(l.report)
	for _, lost := range []int{7, 3, 0, 0} {
		m.write(nil, lost)
	}
	testkit.OK(t, m.Close(t.Context()))
	testkit.Same(t, l.kinds(), []Kind{MonitorFailed, MonitorFailed, MonitorRecovered}, "reported")
}

// A server's answer in a monitorfile is one printable line of limited length.
func TestAMonitorMessageIsPrintable(t *testing.T) {
	for output, want := range map[string]string{
		"200 größe\tas it is":             "200 größe\tas it is",
		"100% | \x1b[m\r\n\x7f":           "100%25 %7c %1b[m%0d%0a%7f",
		"\u009b31m\u202e\u2028":           "%c2%9b31m%e2%80%ae%e2%80%a8",
		"\x9b31m\xff":                     "%9b31m%ff",
		"":                                "-",
		strings.Repeat("x", 2*maxMessage): strings.Repeat("x", maxMessage),
	} {
		testkit.Equal(t, escape(output), want, output)
	}
}

func read(path string) string {
	text, _ := os.ReadFile(path)
	return string(text)
}
