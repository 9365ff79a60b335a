package peers

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// maxFirst is how long a program may take until it has checked every server once.
const maxFirst = 2 * time.Minute

// sample is what one run of one program measured.
type sample struct {
	cpu   float64 // microseconds for a check
	rss   float64 // MiB
	first float64 // seconds from its start until every server was checked
	rate  float64 // checks made, as a share of those that the interval asks for
}

// measure runs a program over the servers of a row; ok is false where it can't.
func measure(t *testing.T, p program, r row, window time.Duration) (s sample, ok bool) {
	t.Helper()
	folder := t.TempDir()
	cmd := p.command(t, r, folder)
	if cmd == nil {
		return sample{}, false
	}
	g := startTarget(t, r.kind)
	defer g.stop()
	begin := time.Now()
	said, ended := starts(t, cmd)
	s.first, ok = firstPass(t, g, r.servers, begin, ended)
	if ok {
		time.Sleep(r.every)
		s.steady(t, g, r, cmd.Process.Pid, window)
	}
	end(cmd, ended)
	log, _ := os.ReadFile(filepath.Join(folder, "log"))
	switch failure := p.failed.Find(append(said.Bytes(), log...)); {
	case !ok:
		t.Errorf("%s, %v: no first pass: %s", p.name, r, said.Bytes())
	case failure != nil:
		t.Errorf("%s, %v: a check failed: %s", p.name, r, failure)
	}
	return s, ok
}

// starts runs a program as a process group. It returns what it prints, and a channel that is closed at its end.
func starts(t *testing.T, cmd *exec.Cmd) (said *bytes.Buffer, ended chan struct{}) {
	t.Helper()
	said, ended = &bytes.Buffer{}, make(chan struct{})
	cmd.Stdout, cmd.Stderr = said, said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	testkit.OK(t, cmd.Start())
	go func() { cmd.Wait(); close(ended) }()
	return said, ended
}

// firstPass waits until every server was checked.
func firstPass(t *testing.T, g *target, servers int, begin time.Time, ended chan struct{}) (seconds float64, ok bool) {
	t.Helper()
	for time.Since(begin) < maxFirst {
		if _, n := g.count(t); n >= servers {
			return time.Since(begin).Seconds(), true
		}
		select {
		case <-ended:
			return 0, false
		case <-time.After(10 * time.Millisecond):
		}
	}
	return 0, false
}

// steady measures a window of whole intervals.
func (s *sample) steady(t *testing.T, g *target, r row, pid int, window time.Duration) {
	t.Helper()
	intervals := (window + r.every - 1) / r.every
	checks, _ := g.count(t)
	before := used(t, pid)
	time.Sleep(intervals * r.every)
	after := used(t, pid)
	more, _ := g.count(t)
	made := float64(more - checks)
	s.cpu = float64((after.cpu - before.cpu).Microseconds()) / max(made, 1)
	s.rss = float64(after.rss) / (1 << 20)
	s.rate = made / float64(r.servers*int(intervals))
}

// end ends a program, and kills its process group when that takes long.
func end(cmd *exec.Cmd, ended chan struct{}) {
	cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
	}
}
