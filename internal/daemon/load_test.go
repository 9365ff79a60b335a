package daemon

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"ldirectord/internal/notify"
	"ldirectord/internal/runfile"
	"ldirectord/internal/testkit"
	"ldirectord/parser"
)

// The log of a daemon with a user of its own is in the folder that systemd made for it, and not in another unit's.
func TestTheLogOfTheUnit(t *testing.T) {
	for dir, want := range map[string]string{
		"":                    "",
		"/var/log/ldirectord": "/var/log/ldirectord/ldirectord.log",
		"/var/log/keepalived": "",
	} {
		t.Setenv("LOGS_DIRECTORY", dir)
		testkit.Equal(t, logOfUnit(), want, dir)
	}
}

// A panic between the text of a file and its plan refuses the file, with what was found before, and names the place.
func TestAPanicRefusesTheFile(t *testing.T) {
	s := Source{Path: "x.cf"} // without an environment no checker can be built
	l := s.prepare(t.Context(), []byte("nosuch=1\nvirtual=192.0.2.10:80\n\treal=192.0.2.11:80 masq\n"),
		parser.Options{})
	if errs := l.Found.Errors(); l.Plan != nil || l.Config != nil || len(errs) != 2 ||
		!strings.Contains(errs[1].Text, "a fault in ldirectord: ") ||
		!strings.Contains(errs[1].Text, "environment.go:") {
		t.Errorf("a plan: %v; found: %v", l.Plan != nil, l.Found)
	}
}

// Where a file server is gone, a log is a warning, and what checks need is refused. That callback is not run is said.
func TestFilesOnAFileServerThatIsGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	testkit.Write(t, path, "text\n")
	text := strings.ReplaceAll("logfile=\"PATH\"\ncallback=\"PATH\"\nmaintenancedir=PATH\nvirtual=10.1.0.1:6379\n"+
		"\tservice=redis\n\ttls=yes\n\tmonitorfile=PATH\n\ttlsca=PATH\n\tpasswdfile=PATH\n", "PATH", path)
	synctest.Test(t, func(t *testing.T) {
		end := make(chan struct{})
		_ = runfile.Try(path, func() error { <-end; return nil })
		s := Source{Checks: &Environment{}}
		_, found := parser.Parse(t.Context(), "", []byte(text), s.parserOptions())
		got := ""
		for _, d := range found {
			if strings.Contains(d.Text, runfile.ErrLate.Error()) {
				got += fmt.Sprintf("%v %d ", d.Severity, d.Pos.Line)
			}
		}
		testkit.Equal(t, got, "warning 1 warning 7 error 8 error 9 ")
		said := []string{}
		f := &configFile{d: &daemon{}, current: &Loaded{Config: &parser.Config{}}}
		f.d.tally = newTally(Options{})
		f.d.journal = notify.NewJournal(func(e notify.Event) { said = append(said, e.Text) })
		f.current.Config.Global.Callback = path
		f.callBack([32]byte{1})
		close(end)
		synctest.Wait()
		f.callBack([32]byte{2})
		testkit.OK(t, f.d.journal.Close(t.Context()))
		testkit.Same(t, said, []string{"The callback is not run: " + path + ": " + runfile.ErrLate.Error()})
	})
}
