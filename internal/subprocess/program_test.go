package subprocess

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ldirectord/internal/testkit"
)

const patient = 10 * time.Second

// shell is a command of sh whose output is kept.
func shell(script string) (Command, *Output) {
	out := &Output{Max: 1000}
	return Command{Argv: []string{"/bin/sh", "-c", script}, Limit: patient, Stdout: out, Stderr: out}, out
}

func TestAProgramGetsInputAndEnvironment(t *testing.T) {
	t.Setenv("INHERITED", "one")
	c, out := shell(`cat; echo "$INHERITED $ADDED"; echo complaint >&2`)
	c.Env, c.Stdin = []string{"ADDED=two"}, "input\n"
	if err := Run(t.Context(), c); err != nil || string(out.Text) != "input\none two\ncomplaint\n" || out.Cut {
		t.Errorf("%v: %q", err, out.Text)
	}
}

func TestOutputAndErrorsAreKeptApart(t *testing.T) {
	c, out := shell(`echo text; echo complaint >&2`)
	c.Stderr = &Output{Max: 4}
	if err := Run(t.Context(), c); err != nil || string(out.Text) != "text\n" || string(c.Stderr.Text) != "comp" ||
		!c.Stderr.Cut {
		t.Errorf("%v: %q, %q", err, out.Text, c.Stderr.Text)
	}
	c.Stdout, c.Stderr = nil, nil
	testkit.OK(t, Run(t.Context(), c))
}

func TestOutputIsBounded(t *testing.T) {
	for _, row := range testkit.Table(t, "testdata/output.txt", 3) {
		for _, last := range []bool{false, true} {
			o := Output{Max: 3, Last: last}
			for text := range strings.FieldsSeq(row[0]) {
				testkit.Equal(t, testkit.Must(o.Write([]byte(text)))(t), len(text), row)
			}
			want := row[1]
			if last {
				want = row[2]
			}
			testkit.Equal(t, string(o.Text), want, row)
			testkit.Equal(t, o.Cut, len(strings.ReplaceAll(row[0], " ", "")) > o.Max, row)
		}
	}
}

func TestAFailureIsAnExitError(t *testing.T) {
	for script, signal := range map[string]syscall.Signal{"exit 3": -1, "kill -SEGV $$": syscall.SIGSEGV} {
		c, _ := shell(script)
		var exit *exec.ExitError
		if err := Run(t.Context(), c); !errors.As(err, &exit) {
			t.Errorf("%s: %v", script, err)
		} else if status := exit.Sys().(syscall.WaitStatus); status.Signal() != signal || signal < 0 &&
			status.ExitStatus() != 3 {
			t.Errorf("%s: %v", script, exit)
		}
	}
}

func TestAProgramThatCanNotBeStarted(t *testing.T) {
	err := Run(t.Context(), Command{Argv: []string{"/does/not/exist"}, Limit: patient})
	if !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestAScriptWithoutAnInterpreterIsGivenToTheShell(t *testing.T) {
	path := filepath.Join(t.TempDir(), "script")
	testkit.Script(t, path, "echo $# $1 $2\n")
	c, out := shell("")
	c.Argv = []string{path, "a b", "c"}
	if err := Run(t.Context(), c); err != nil || string(out.Text) != "2 a b c\n" {
		t.Errorf("%v: %q", err, out.Text)
	}
}

func TestAtTheLimitAProgramIsKilledWithAllThatItStarted(t *testing.T) {
	setsid := ""
	if _, err := os.Stat("/proc/self/task/" + strconv.Itoa(os.Getpid()) + "/children"); err == nil {
		setsid = "setsid "
	}
	c, out := shell("trap '' TERM; " + setsid + "sh -c 'sleep 60 & echo $! $$; wait' & sleep 60 & echo $! $$; wait")
	var pids []string
	// a busy machine starts them slowly
	for c.Limit = time.Second; len(pids) != 4 && c.Limit < patient; c.Limit *= 2 {
		out.Text = nil
		begin := time.Now()
		err := Run(t.Context(), c)
		var late *TimeoutError
		if !errors.As(err, &late) || !errors.Is(err, context.DeadlineExceeded) ||
			err.Error() != fmt.Sprintf("did not end in %v", c.Limit) {
			t.Error(err)
		}
		if took := time.Since(begin); took < c.Limit || took > c.Limit+patient {
			t.Errorf("took %v", took)
		}
		pids = strings.Fields(string(out.Text))
	}
	if len(pids) != 4 {
		t.Errorf("processes %q, want 4", pids)
	}
	for _, pid := range pids {
		if !ended(pid) {
			t.Errorf("process %s lives", pid)
		}
	}
}

// ended waits until a process has ended. It may be a zombie of init for a moment.
func ended(pid string) bool {
	for end := time.Now().Add(patient); time.Now().Before(end); time.Sleep(time.Millisecond) {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return true
		}
	}
	return false
}

func TestAProgramIsKilledWhenItsContextIsDone(t *testing.T) {
	why := errors.New("no longer needed")
	ctx, cancel := context.WithCancelCause(t.Context())
	gate := filepath.Join(t.TempDir(), "gate")
	testkit.OK(t, syscall.Mkfifo(gate, 0o600))
	go func() {
		os.ReadFile(gate) // waits until the program runs
		cancel(why)
	}()
	c, _ := shell("echo >" + gate + "; exec sleep 60")
	testkit.Equal(t, Run(ctx, c), why)
	testkit.Equal(t, Run(ctx, c), why, "one that was done before")
}

// Its number may be another process's by then.
func TestAProgramThatHasEndedIsNotKilled(t *testing.T) {
	done := make(chan int, 1)
	for range 100 {
		done <- 1
		testkit.Equal(t, testkit.Must(Await(testkit.Ended(t), done, 0, patient))(t), 1)
	}
}

func TestWhatAProgramLeavesRunningIsNotWaitedFor(t *testing.T) {
	for script, fails := range map[string]bool{"sleep 60 & echo $!": false, "sleep 60 & echo $!; exit 1": true} {
		c, out := shell(script)
		begin := time.Now()
		if err := Run(t.Context(), c); (err != nil) != fails || time.Since(begin) > patient/2 {
			t.Errorf("%s: %v after %v", script, err, time.Since(begin))
		}
		pid := testkit.Must(strconv.Atoi(strings.TrimSpace(string(out.Text))))(t)
		syscall.Kill(pid, syscall.SIGKILL)
	}
}

// The first process of a container is the parent of what programs leave running.
func TestTheFirstProcessReapsOrphans(t *testing.T) {
	if os.Getpid() != 1 {
		asFirst := []string{"--pid", "--fork", "--mount-proc"}
		if out, err := exec.Command("unshare", append(asFirst, "true")...).CombinedOutput(); err != nil {
			t.Skipf("no process namespace here: %v: %s", err, out)
		}
		self := testkit.Must(os.Executable())(t)
		asFirst = append(asFirst, self, "-test.run=^"+t.Name()+"$")
		out, err := exec.Command("unshare", asFirst...).CombinedOutput()
		testkit.OK(t, err, string(out))
		return
	}
	ours := exec.Command("/bin/sh", "-c", "exit 3")
	testkit.OK(t, start(ours))
	c, _ := shell("setsid sleep 0.1 & sleep 0.1 & exit 0")
	testkit.OK(t, Run(t.Context(), c))
	testkit.Until(t, patient, func() bool { return len(children(1)) == 1 }, "the orphans stay")
	testkit.Equal(t, finish(ours).Error(), "exit status 3", "our own program")
}

// Once a helper has ended, another process may get its pid.
func TestEndKillsNoOtherProcessThanTheHelper(t *testing.T) {
	h := testkit.Must(StartHelper(Command{Argv: []string{"/bin/sh", "-c", "read x <&3"}}))(t)
	<-testkit.Must(h.Ask("x"))(t)
	other := exec.Command("sleep", "0.1")
	other.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	testkit.OK(t, other.Start())
	h.Pid = other.Process.Pid
	_ = h.End(os.ErrDeadlineExceeded)
	testkit.OK(t, other.Wait())
}

// Go's runtime ends the daemon when it needs a thread and the limit of processes is reached.
func TestProgramsThatRunBlockNoThreads(t *testing.T) {
	tasks := func() int { return len(testkit.Must(os.ReadDir("/proc/self/task"))(t)) }
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	const programs = 50
	before, others := tasks(), len(children(os.Getpid()))
	for range programs {
		all.Go(func() { Run(ctx, Command{Argv: []string{"sleep", "60"}, Limit: time.Minute}) })
	}
	for end := time.Now().Add(patient); len(children(os.Getpid())) < others+programs && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	if more := tasks() - before; more > programs/2 {
		t.Errorf("%d programs need %d more threads", programs, more)
	}
	stop()
	all.Wait()
}

// A process may have waited for a processor before it got a question. That does not excuse a late answer.
func TestWhatAProcessLackedBeforeDoesNotCount(t *testing.T) {
	spin := exec.Command("/bin/sh", "-c", "while :; do :; done")
	testkit.OK(t, spin.Start())
	defer spin.Wait()
	defer spin.Process.Kill()
	pid := spin.Process.Pid
	for u, ok := used(pid); u.waited == 0 && t.Context().Err() == nil; u, ok = used(pid) {
		if !ok {
			t.Skip("the kernel does not say how long a process waited for a processor")
		}
	}
	_ = spin.Process.Signal(syscall.SIGSTOP)
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, syscall.WUNTRACED, nil); err != nil {
		t.Fatal(err)
	}
	u, _ := used(pid)
	if before, all := lacked(pid, u, 0, maxDepth), lacked(pid, usage{}, 0, maxDepth); before != 0 ||
		all != u.waited {
		t.Errorf("lacked %v since, %v ever, want 0 and %v", before, all, u.waited)
	}
}

// A program on a disk that hangs holds up nothing else: the collector does not wait for it.
func TestAProgramThatCanNotBeReadHoldsUpItsCallAlone(t *testing.T) {
	asks, err := unix.FanotifyInit(unix.FAN_CLASS_CONTENT, unix.O_RDONLY)
	if err != nil {
		t.Skip("needs root and fanotify: ", err)
	}
	path := filepath.Join(t.TempDir(), "program")
	testkit.Script(t, path+".sh", testkit.Read(t, "/bin/sh"))
	testkit.Script(t, path, "#!"+path+".sh\n")
	testkit.OK(t, unix.FanotifyMark(asks, unix.FAN_MARK_ADD, unix.FAN_OPEN_PERM, unix.AT_FDCWD, path+".sh"))
	ended := make(chan error)
	go func() { ended <- Run(t.Context(), Command{Argv: []string{path}, Limit: patient}) }()
	_, err = unix.Poll([]unix.PollFd{{Fd: int32(asks), Events: unix.POLLIN}}, -1) // until it is opened
	testkit.OK(t, err)
	runtime.GC()
	testkit.OK(t, unix.Close(asks)) // which lets it be opened
	testkit.OK(t, <-ended)
}

func TestFindLooksWhereAdministratorsProgramsAre(t *testing.T) {
	t.Setenv("PATH", "/nowhere")
	if _, err := os.Stat("/usr/sbin/chroot"); err == nil {
		testkit.Equal(t, testkit.Must(Find("chroot"))(t), "/usr/sbin/chroot")
	}
	testkit.Fails(t, testkit.Error(Find("no-such-program")), "no-such-program: not installed")
	t.Setenv("PATH", "/bin")
	testkit.Equal(t, testkit.Must(Find("sh"))(t), "/bin/sh")
}
