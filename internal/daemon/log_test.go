package daemon

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/notify"
	"ldirectord/internal/testkit"
	"ldirectord/parser"
)

// troubleOf is why a log can't be written.
func troubleOf(l *logSink) string {
	if f := l.trouble(); f != nil {
		return f.Text
	}
	return ""
}

func TestTheLogFollowsItsTarget(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first"), filepath.Join(dir, "second")
	defer func(usual []string) { syslogSockets = usual }(syslogSockets)
	syslogSockets = nil
	l := newLogSink(Options{Name: "ld.cf"}, parser.Global{LogFile: first})
	said := func(text string) { l.Notify(notify.Event{Text: text, Time: time.Now()}) }

	said("one")
	testkit.OK(t, os.Rename(first, first+".1"))
	said("after its rotation")
	l.setTarget("local0")
	said("no syslog daemon accepts it")
	l.setTarget(second)
	said("two")
	said("three")
	queued := notify.Event{Text: "queued", Time: time.Now()}
	l.setTarget(first)
	l.Notify(queued)
	for file, want := range map[string][]string{
		first + ".1": {"one"}, first: {"after its rotation"}, second: {
			"1 line lost: the log local0 can't be written: no syslog daemon accepts it", "two", "three",
			"queued"},
	} {
		var got []string
		for line := range strings.Lines(testkit.Read(t, file)) {
			_, text, _ := strings.Cut(line, "|ld.cf|"+strconv.Itoa(os.Getpid())+"] ")
			testkit.Equal(t, line[0], '[', line)
			got = append(got, strings.TrimSuffix(text, "\n"))
		}
		testkit.Same(t, got, want, file)
	}
}

func TestTheLogGoesOnWithoutDescriptors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := newLogSink(Options{}, parser.Global{LogFile: path})
	l.Notify(notify.Event{Text: "before"})

	testkit.WithoutDescriptors(t, func() { l.Notify(notify.Event{Text: "Own shortage"}) })
	testkit.Contains(t, testkit.Read(t, path), "Own shortage", "the log")
}

// Where the path leads nowhere, lines go to syslog, here by a stream, and not into the file that nobody finds. Without
// syslog they are lost.
func TestTheLogWithoutItsFolder(t *testing.T) {
	folder, socket := filepath.Join(t.TempDir(), "folder"), filepath.Join(t.TempDir(), "syslog")
	path := filepath.Join(folder, "log")
	server := testkit.Must(net.Listen("unix", socket))(t)
	defer server.Close()
	defer func(usual []string) { syslogSockets = usual }(syslogSockets)
	syslogSockets = nil
	l := newLogSink(Options{JSONLog: true}, parser.Global{LogFile: path})
	said := func(text string) { l.Notify(notify.Event{Text: text}) }

	testkit.OK(t, os.Mkdir(folder, 0o755))
	said("before")
	testkit.OK(t, os.RemoveAll(folder))
	said("nobody gets it")
	testkit.Contains(t, troubleOf(l), syscall.ENOENT.Error())
	syslogSockets = []string{socket}
	said("to syslog")
	testkit.Write(t, folder, "")
	said("too")
	testkit.Contains(t, troubleOf(l), syscall.ENOTDIR.Error())
	l.system.conn.Close()
	testkit.OK(t, os.Remove(folder))
	testkit.OK(t, os.Mkdir(folder, 0o755))
	said("after")

	text := testkit.Read(t, path)
	testkit.Contains(t, text, "1 line lost: ", "the log")
	testkit.Equal(t, strings.Count(text, "\n"), 2, "lines of", text)
	conn := testkit.Must(server.Accept())(t)
	lines := string(testkit.Must(io.ReadAll(conn))(t))
	testkit.Equal(t, strings.Count("\n"+lines, "\n<30>"), 2, "lines of", lines)
}

// When a disk becomes full, the last line may be cut. When there is room again, the log continues on a new line, and
// reports how many lines were lost.
func TestAFullDiskTearsNoSecondLine(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("log", dir, "tmpfs", 0, "size=8k"); err != nil {
		t.Skip("needs a file system of its own: ", err)
	}
	defer syscall.Unmount(dir, 0)
	fill, path := filepath.Join(dir, "fill"), filepath.Join(dir, "log")
	testkit.Write(t, fill, string(make([]byte, 4096)))
	l := newLogSink(Options{Name: "ld.cf"}, parser.Global{LogFile: path})
	said := func(text string) { l.Notify(notify.Event{Time: time.Now(), Kind: notify.Starting, Text: text}) }
	for i := 0; troubleOf(l) == "" && i < 1000; i++ {
		said("a line of the log")
	}
	said("lost")
	said("lost")
	testkit.Contains(t, troubleOf(l), syscall.ENOSPC.Error(), "the disk is not full")
	testkit.OK(t, os.Remove(fill))
	said("after room is made")
	said("the next one")
	text := testkit.Read(t, path)
	l.file.file.Close()
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if testkit.Equal(t, troubleOf(l), ""); len(lines) < 5 {
		t.Fatal(text)
	}
	counted := "] 3 lines lost: the log " + path + " can't be written: "
	for i, want := range []string{counted, "] after room is made", "] the next one"} {
		line := lines[len(lines)-3+i]
		if !strings.HasPrefix(line, "[") || !strings.Contains(line, want) || strings.Count(line, "[") != 1 {
			t.Errorf("%q, want %q", line, want)
		}
	}
}

// A line of JSON has no header, wherever it is written, and only the fields that have a value.
func TestTheLogAsJSON(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	at := testkit.Time("2026-11-21T12:00:00.0000005Z")
	var stream strings.Builder
	for _, l := range []*logSink{
		newLogSink(Options{Name: "ld.cf", JSONLog: true}, parser.Global{LogFile: path}),
		newLogSink(Options{JSONLog: true, Debug: true, Stderr: &stream}, parser.Global{}),
	} {
		l.Notify(notify.Event{Time: at, Kind: notify.TableError, Virtual: "fwm:3", Reason: "a <b>\n",
			Text: "not\x1b made"})
	}
	want := `{"event":"table-error","level":"info","msg":"not  made","reason":"a ` +
		`\u003cb\u003e\n","time":"2026-11-21T12:00:00.0000005Z","virtual":"fwm:3"}` + "\n"
	testkit.Equal(t, testkit.Read(t, path), want, "the file")
	testkit.Equal(t, stream.String(), want, "the stream")
}

// Each line has the facility that is configured at that time. A syslog daemon that was restarted gets the next line.
func TestTheLogInSyslog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	defer func(usual []string) { syslogSockets = usual }(syslogSockets)
	syslogSockets = []string{path}
	l := newLogSink(Options{}, parser.Global{LogFile: "local0"})
	for facility, priority := range map[string]string{"local0": "<134>", "local7": "<190>", "nonsense": "<14>"} {
		server := testkit.Must(net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"}))(t)
		l.setTarget(facility)
		l.Notify(notify.Event{Text: "a line", Time: time.Now()})
		line := make([]byte, 200)
		n, err := server.Read(line)
		got := string(line[:n])
		if err != nil || !strings.HasPrefix(got, priority) ||
			!strings.HasSuffix(got, " ldirectord["+strconv.Itoa(os.Getpid())+"]: a line") {
			t.Errorf("%s: %q, %v", facility, got, err)
		}
		server.Close()
		os.Remove(path)
	}
}

// While a line waits, as for a program that no longer reads its pipe, the report does not wait, and tells so.
func TestALineThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		read, write := io.Pipe()
		l := newLogSink(Options{Debug: true, Stderr: write}, parser.Global{LogFile: "/log"})
		go l.Notify(notify.Event{Text: "waits"})
		synctest.Wait()
		testkit.Equal(t, troubleOf(l), "", "at once")
		time.Sleep(2 * maxWrite)
		l.setTarget("/next")
		testkit.Contains(t, troubleOf(l), "the log /log can't be written: a line waits", "later")
		go io.Copy(io.Discard, read)
		synctest.Wait()
		testkit.Equal(t, troubleOf(l), "", "once it is read")
		write.Close()
	})
}

// A line that waits for a pipe is lost once the log has another target, and so are those in the queue, without a
// further wait. The failure names the pipe.
func TestAPipeThatNobodyReadsKeepsNoLineFromTheNextLog(t *testing.T) {
	dir := t.TempDir()
	pipe, next := filepath.Join(dir, "pipe"), filepath.Join(dir, "next")
	testkit.OK(t, syscall.Mkfifo(pipe, 0o600))
	defer testkit.Must(os.OpenFile(pipe, os.O_RDWR, 0))(t).Close()
	l := newLogSink(Options{}, parser.Global{LogFile: pipe})
	waits := make(chan struct{})
	go func() {
		defer close(waits)
		l.Notify(notify.Event{Text: strings.Repeat("x", 1<<17)})
	}()
	testkit.Until(t, 10*time.Second, func() bool { return l.writing.Load() != nil }, "a line waits")
	l.setTarget(next)
	<-waits
	failed := "the log " + pipe + " can't be written: write " + pipe + ": i/o timeout"
	testkit.Equal(t, troubleOf(l), failed)
	begun := time.Now()
	for range 2 {
		l.Notify(notify.Event{Text: "queued"})
	}
	testkit.Equal(t, time.Since(begun) < maxWrite, true, "no wait for queued lines")
	l.Notify(notify.Event{Time: time.Now()})
	testkit.Contains(t, testkit.Read(t, next), "3 lines lost: the log "+pipe+" can't be written: i/o timeout")
}

func TestALogThatCannotBeWrittenIsAFailure(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "log")
	l := newLogSink(Options{Name: "ldirectord"}, parser.Global{LogFile: path})
	e := notify.Event{Time: time.Now(), Kind: notify.Starting, Text: "a line for standard error, too"}
	l.Notify(e)
	testkit.Contains(t, troubleOf(l), path)
	testkit.Equal(t, l.trouble().At, e.Time.UTC())
	testkit.OK(t, os.Mkdir(filepath.Dir(path), 0o700))
	l.Notify(e)
	testkit.Equal(t, troubleOf(l), "", "a log that can be written again")
}
