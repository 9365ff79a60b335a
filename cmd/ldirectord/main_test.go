package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"ldirectord/internal/testkit"
)

// TestMain makes the test binary run as the program when it is started under the name ldirectord.
func TestMain(m *testing.M) {
	syscall.Umask(0o022) // a run folder that a group can write is refused
	testscript.Main(m, map[string]func(){
		"accepts-all":  acceptsAll,
		"serves-pages": servesPages,
		"ldirectord": func() {
			if file := os.Getenv("TEST_NAMES"); file != "" {
				fakeNames(file)
			}
			dirs := configDirs
			if dir := os.Getenv("TEST_CONFIGS"); dir != "" {
				dirs = []string{dir}
			}
			os.Exit(runCommand(context.Background(), os.Args, os.Stdout, os.Stderr, dirs))
		},
	})
}

// program is a path of the program: this test binary by another name.
func program(t *testing.T) string {
	t.Helper()
	return testkit.Must(exec.LookPath("ldirectord"))(t) // where testscript put it
}

// Command lines are run as real processes, with the table in memory and, if TEST_NAMES names a file, with the names
// of that file. Beside testscript's own commands there are:
//
//	exits N ARG…       runs ldirectord ARG… with this test's run folder and table, and compares its exit status
//	await FILE REGEXP  waits until the file matches; await ! until it does not, or is not there. A URL is one, too
//	asks METHOD,… URL REGEXP [HOST]  compares a web server's answer, from its status on, or why there is none
//	shows REGEXP ARG…  runs the same until its standard output matches, whatever its exit status is
//	nobody N ARG…      is exits by a user without rights; what is printed is in the file said
//	links DIR          fails if a link in the guides of an installed folder leads to no file
//	signal NAME        sends a signal to the daemon of ld.cf, and waits for the end of one that is killed
//	[root] …           only root does this line; [ipvs] where the kernel has IPVS, [pingless] where unshare and
//	                   setpriv can take the right to send pings away
func TestScripts(t *testing.T) { runScripts(t, "../../testdata/script") }

// These wait 45 seconds.
func TestRealSlowScripts(t *testing.T) {
	if os.Getenv("REAL_TESTS") == "" {
		t.Skip("waits 45 seconds: make test-all")
	}
	runScripts(t, "../../testdata/script/slow")
}

func runScripts(t *testing.T, dir string) {
	t.Helper()
	testscript.Run(t, testscript.Params{
		Dir: dir,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":  exits,
			"asks":   asks,
			"await":  await,
			"shows":  shows,
			"signal": sendSignal,
			"nobody": nobody,
			"links":  links,
		},
		Condition: func(what string) (bool, error) {
			switch what {
			case "root":
				return os.Geteuid() == 0, nil
			case "ipvs":
				_, err := os.Stat("/proc/net/ip_vs")
				return err == nil, nil
			case "pingless":
				err := exec.Command("unshare", "-n", "setpriv", "--bounding-set=-net_raw", "true").Run()
				return err == nil, nil
			}
			return false, fmt.Errorf("%s is no condition", what)
		},
		Setup: func(e *testscript.Env) error {
			repository, err := filepath.Abs("../..")
			if err != nil {
				return err
			}
			e.Setenv("REPO", repository)
			e.Setenv("USERS_HOME", os.Getenv("HOME")) // with the caches of go
			e.Setenv("HOSTNAME", "director1")
			e.Setenv("LOOPBACK", testkit.OwnLoopback())
			// without it each program under the race detector ends a second later
			e.Setenv("GORACE", os.Getenv("GORACE"))
			e.Defer(func() { endDaemons(e.WorkDir) })
			return expandFiles(e.WorkDir)
		},
	})
}

// expandFiles replaces $WORK in a script's files by the script's folder, and $LOOPBACK by an address of this process.
func expandFiles(dir string) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if f.IsDir() {
			continue
		}
		path := filepath.Join(dir, f.Name())
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		expanded := strings.NewReplacer("$WORK", dir, "$LOOPBACK", testkit.OwnLoopback()).Replace(string(text))
		if err := os.WriteFile(path, []byte(expanded), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := execHere(ts, args[1:]); err != nil {
		exit, ok := err.(*exec.ExitError)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// execHere runs ldirectord with this test's run folder and table.
func execHere(ts *testscript.TestScript, args []string) error {
	return ts.Exec("ldirectord", argsHere(ts, args)...)
}

func argsHere(ts *testscript.TestScript, args []string) []string {
	dir := ts.MkAbs(".")
	return append([]string{"--rundir", dir, "--ipvs", "memory:" + filepath.Join(dir, "table")}, args...)
}

func nobody(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(".")
	ts.Check(os.Chmod(filepath.Dir(dir), 0o755))
	c := exec.Command("/proc/self/exe") // the path of the program is closed to other users
	c.Args = append([]string{"ldirectord"}, argsHere(ts, args[1:])...)
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := c.CombinedOutput()
	ts.Check(os.WriteFile(filepath.Join(dir, "said"), out, 0o600))
	if strconv.Itoa(c.ProcessState.ExitCode()) != args[0] {
		ts.Fatalf("%v, want the exit status %s:\n%s", err, args[0], out)
	}
}

func links(ts *testscript.TestScript, _ bool, args []string) {
	link, followed := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`), 0
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/measured/*.md"} {
		guides, _ := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), pattern))
		for _, guide := range guides {
			for _, m := range link.FindAllStringSubmatch(ts.ReadFile(guide), -1) {
				followed++
				if _, err := os.Stat(filepath.Join(filepath.Dir(guide), m[1])); err != nil {
					ts.Fatalf("%s: the link %s leads nowhere", guide, m[1])
				}
			}
		}
	}
	if followed < 40 {
		ts.Fatalf("only %d links in %s", followed, args[0])
	}
}

// awaitLimit is long: on a busy machine an event may be late.
const awaitLimit = 30 * time.Second

func shows(ts *testscript.TestScript, _ bool, args []string) {
	re := regexp.MustCompile("(?m)" + args[0])
	for end := time.Now().Add(awaitLimit); ; time.Sleep(10 * time.Millisecond) {
		_ = execHere(ts, args[1:])
		if re.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("waited %v for %s", awaitLimit, args[0])
		}
	}
}

func await(ts *testscript.TestScript, _ bool, args []string) {
	absent := args[0] == "!"
	if absent {
		args = args[1:]
	}
	re := regexp.MustCompile("(?m)" + args[1])
	var text []byte
	for end := time.Now().Add(awaitLimit); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if strings.HasPrefix(args[0], "http://") {
			text = answerTo("GET", args[0], "")
		} else {
			text, _ = os.ReadFile(ts.MkAbs(args[0]))
		}
		if re.Match(text) != absent {
			return
		}
	}
	ts.Fatalf("waited %v: %s is\n%s", awaitLimit, args[0], text)
}

func asks(ts *testscript.TestScript, _ bool, args []string) {
	host := strings.Join(args[3:], "")
	for method := range strings.SplitSeq(args[0], ",") {
		if answer := answerTo(method, args[1], host); !regexp.MustCompile("(?s)^" + args[2]).Match(answer) {
			ts.Fatalf("%s %s of %q: %s", method, args[1], host, answer)
		}
	}
}

// answerTo is the answer of a web server, or the error.
func answerTo(method, url, host string) []byte {
	request, err := http.NewRequest(method, url, nil)
	if err != nil {
		return []byte(err.Error())
	}
	request.Host = host
	client := &http.Client{Timeout: awaitLimit, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		return []byte(err.Error())
	}
	defer answer.Body.Close()
	var text bytes.Buffer
	if err := answer.Write(&text); err != nil {
		return []byte(err.Error())
	}
	return bytes.TrimPrefix(text.Bytes(), []byte("HTTP/1.1 "))
}

func sendSignal(ts *testscript.TestScript, _ bool, args []string) {
	pidFile := ts.MkAbs("ldirectord.ld.cf.pid")
	pid := livesBy(pidFile)
	if pid == 0 {
		ts.Fatalf("no daemon")
	}
	ts.Check(syscall.Kill(pid, unix.SignalNum("SIG"+args[0])))
	until := map[string]func() bool{
		"KILL": func() bool { return livesBy(pidFile) == 0 },
		"STOP": func() bool { return hasStopped(pid) },
	}[args[0]]
	for end := time.Now().Add(awaitLimit); until != nil && !until(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			ts.Fatalf("pid %d does not take SIG%s", pid, args[0])
		}
	}
}

// hasStopped reports whether every thread of a process has stopped: the signal reaches them one after the other.
func hasStopped(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	return len(threads) > 0 && !slices.ContainsFunc(threads, func(file string) bool {
		stat, _ := os.ReadFile(file)
		return !bytes.Contains(stat, []byte(") T "))
	})
}

// livesBy is the pid in a pid file, or 0 when that process has ended.
func livesBy(pidFile string) int {
	text, err := os.ReadFile(pidFile)
	pid, bad := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || bad != nil {
		return 0
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil || bytes.Contains(stat, []byte(") Z ")) {
		return 0
	}
	return pid
}

// endDaemons ends what a script left running.
func endDaemons(dir string) {
	files, _ := filepath.Glob(filepath.Join(dir, "ldirectord.*.pid"))
	for _, f := range files {
		if pid := livesBy(f); pid != 0 {
			p, _ := os.FindProcess(pid)
			p.Kill()
		}
	}
}
