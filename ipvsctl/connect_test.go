package ipvsctl

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"ldirectord/internal/testkit"
)

// modprobe makes this script the only program in PATH, under the name modprobe.
func modprobe(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	testkit.Script(t, filepath.Join(dir, "modprobe"), "#!/bin/sh\n"+script+"\n")
	t.Setenv("PATH", dir)
}

// Without IPVS the kernel takes the messages of moby/ipvs for other ones without effect, and reports success.
func TestOpenWithoutIPVSIsAnErrorThatSaysWhatToDo(t *testing.T) {
	if _, err := os.Stat("/proc/net/ip_vs"); err == nil {
		t.Skip("this kernel has IPVS")
	}
	modprobe(t, `echo "modprobe: FATAL: Module $1 not found" >&2; exit 1`)
	k := newKernel()
	err := k.Connect(t.Context())
	const want = `ipvs open: the kernel has no IPVS (the module ip_vs can't be loaded: exit status 1: "modprobe: ` +
		`FATAL: Module ip_vs not found")`
	if !errors.Is(err, syscall.ENOENT) || err.Error() != want {
		t.Fatalf("got %v, want %s", err, want)
	}
	for what, do := range map[string]func() error{
		"change":  func() error { return k.Do(t.Context(), parseOp(t, "-A -f 1 -s rr"))[0] },
		"removal": func() error { return k.Do(t.Context(), parseOp(t, "-D -f 1"))[0] },
		"read":    func() error { _, err := k.Read(t.Context()); return err },
	} {
		testkit.FailsWith(t, do(), "ipvs open: the kernel has no IPVS", what)
	}
}

func TestModprobeThatHangsIsLeftAtTheDeadline(t *testing.T) {
	modprobe(t, "exec /bin/sleep 60")
	ctx := testkit.Within(t, 50*time.Millisecond)
	testkit.Is(t, loadModule(ctx), context.DeadlineExceeded)
}

// The director may open the table again while a command lists connections: neither changes the process-wide log of
// logrus.
func TestOpeningsAtOnceLeaveTheLogAlone(t *testing.T) {
	modprobe(t, "exit 1")
	var out bytes.Buffer
	before, level := logrus.StandardLogger().Out, logrus.GetLevel()
	logrus.SetOutput(&out)
	defer logrus.SetOutput(before)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				m, err := openMoby()
				if err != nil {
					t.Error(err)
					return
				}
				m.Close()
			}
		})
	}
	all.Wait()
	if logrus.StandardLogger().Out != &out || logrus.GetLevel() != level || out.Len() > 0 {
		t.Errorf("the log goes to %T from %v on, and has %q", logrus.StandardLogger().Out, logrus.GetLevel(),
			out.String())
	}
}
