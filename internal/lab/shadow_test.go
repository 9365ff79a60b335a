package lab

import (
	"encoding/json"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

const shadowConfig = `checkinterval = 1
checktimeout = 1
virtual = 198.51.100.10:80
        real = 192.0.2.21:80 masq
        real = 192.0.2.22:80 masq
        checktype = connect
        quiescent = no
`

// A shadow runs next to a daemon with the same file. What both see is not a difference. What a hanging daemon misses is
// one. The shadow changes nothing, and docs/upgrade.md shows its output.
func TestKernelShadow(t *testing.T) {
	l := newLab(t)
	l.echo("rs1", ":80")
	second := l.listen("rs2", ":80")
	path := l.config(shadowConfig)
	l.does(path, "start")
	l.until(2*time.Second, "-r 192.0.2.21:80", "-r 192.0.2.22:80")
	l.saysWithin(10*time.Second, "192.0.2.22:80") // the log may be written after the table, and is one of the files
	before := l.files()
	report := filepath.Join(t.TempDir(), "shadow.json")
	shadow := l.beginShadow(path, "--report", report)
	second.Close()
	l.until(5*time.Second, "no -r 192.0.2.22:80")
	time.Sleep(3 * time.Second)
	second = l.listen("rs2", ":80")
	l.until(5*time.Second, "-r 192.0.2.22:80")
	time.Sleep(3 * time.Second)
	if out := shadow.end(0); !strings.Contains(out, "requests that write: 0\n") ||
		!strings.Contains(out, "Lasting differences: 0\n") {
		t.Errorf("the shadow prints\n%s", out)
	}
	var sum struct{ Writes, Virtuals, Servers int }
	if text, err := os.ReadFile(report); err != nil || json.Unmarshal(text, &sum) != nil || sum.Writes != 0 ||
		sum.Virtuals != 1 || sum.Servers != 2 {
		t.Errorf("the report is %s, %v", text, err)
	}

	signal.Ignore(syscall.SIGHUP) // as nohup does, so that the shadow lasts longer than its terminal
	shadow = l.beginShadow(path, "--for", "1h")
	signal.Reset(syscall.SIGHUP)
	testkit.OK(t, shadow.cmd.Process.Signal(syscall.SIGHUP))
	l.signal(syscall.SIGSTOP)
	table := l.table()
	second.Close()
	shadow.await("Different")
	testkit.Equal(t, l.table(), table, "the table")
	l.signal(syscall.SIGCONT)
	shadow.await("The same again")
	testkit.Equal(t, l.files(), before, "the files")
	out := shadow.end(1)
	page := testkit.Read(t, "../../docs/upgrade.md")
	_, shown, _ := strings.Cut(page, "shadow --for 24h --report shadow.json\n")
	shown, _, _ = strings.Cut(shown, "```")
	if got, want := steadyShadow(out), steadyShadow(shown); got != want {
		t.Errorf("the shadow prints\n%sthe page has\n%s", out, shown)
	}
	l.does(path, "stop")
	for _, long := range []string{"ever", "0s", "5"} {
		l.run(255, path, "shadow", "--for", long)
	}

	cmd := l.command(path, "shadow", "--for", "2s")
	if out, err := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != 1 ||
		!strings.Contains(string(out), "nothing was compared") {
		t.Errorf("with an empty table the shadow ends with %v\n%s", err, out)
	}
}

// files are the names in the run folder, except those that the daemon is about to rename.
func (l *lab) files() string {
	l.t.Helper()
	list := testkit.Must(os.ReadDir(l.dir))(l.t)
	var names strings.Builder
	for _, e := range list {
		if !strings.HasSuffix(e.Name(), ".new") {
			names.WriteString(e.Name() + "\n")
		}
	}
	return names.String()
}

// shadowing is a running shadow.
type shadowing struct {
	l   *lab
	cmd *exec.Cmd
	out *os.File
}

func (l *lab) beginShadow(path string, args ...string) *shadowing {
	l.t.Helper()
	out := testkit.Must(os.Create(filepath.Join(l.t.TempDir(), "out")))(l.t)
	report := filepath.Join(l.t.TempDir(), "report")
	if i := slices.Index(args, "--report"); i >= 0 {
		report = args[i+1]
	} else {
		args = append(args, "--report", report)
	}
	s := &shadowing{l, l.command(append([]string{path, "shadow"}, args...)...), out}
	s.cmd.Stdout, s.cmd.Stderr = out, out
	testkit.OK(l.t, s.cmd.Start())
	l.t.Cleanup(func() { s.cmd.Process.Kill() })
	var r struct{ Readings int }
	// by the second reading all servers have a result
	testkit.Until(l.t, 20*time.Second, func() bool {
		if text, err := os.ReadFile(report); err == nil {
			_ = json.Unmarshal(text, &r) // an unfinished file is read again
		}
		return r.Readings >= 2
	}, "the shadow has not read the table twice", s.text)
	return s
}

func (s *shadowing) text() string {
	text, _ := os.ReadFile(s.out.Name())
	return string(text)
}

func (s *shadowing) await(word string) {
	s.l.t.Helper()
	testkit.Until(s.l.t, 20*time.Second, func() bool { return strings.Contains(s.text(), word) }, "no", word,
		s.text)
}

// end ends the shadow as Ctrl-C does, and returns its output.
func (s *shadowing) end(want int) string {
	s.l.t.Helper()
	s.cmd.Process.Signal(syscall.SIGINT)
	err := s.cmd.Wait()
	if got := s.cmd.ProcessState.ExitCode(); got != want {
		s.l.t.Errorf("exit status %d (%v), want %d:\n%s", got, err, want, s.text())
	}
	return s.text()
}

var (
	moments  = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`)
	readings = regexp.MustCompile(`Readings of the live table: \d+`)
)

// steadyShadow is the output of a shadow without times.
func steadyShadow(text string) string {
	return steady(moments.ReplaceAllString(readings.ReplaceAllString(text, "Readings -"), "-"))
}
