package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the test binary be the program: under the name ldirectord it is.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"ldirectord": func() { os.Exit(run(context.Background(), os.Args, os.Stdout, os.Stderr)) },
	})
}

// program is a path of the program: this test binary by another name.
func program(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("ldirectord") // where testscript put it
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// The command line as real processes, with the table in memory. Beside testscript's own commands:
//
//	exits N ARG…       runs ldirectord ARG… with this test's run folder and table, and compares its exit status
//	await FILE REGEXP  waits until the file matches; await ! until it does not, or is not there
//	signal NAME        sends a signal to the daemon of ld.cf
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "../../testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":  exits,
			"await":  await,
			"signal": sendSignal,
		},
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOSTNAME", "director1")
			e.Defer(func() { endDaemons(e.WorkDir) })
			return expandFiles(e.WorkDir)
		},
	})
}

// expandFiles puts the script's folder in the place of $WORK in its files.
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
		if err := os.WriteFile(path, bytes.ReplaceAll(text, []byte("$WORK"), []byte(dir)), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	dir := ts.MkAbs(".")
	all := append([]string{"--rundir", dir, "--ipvs", "memory:" + filepath.Join(dir, "table")}, args[1:]...)
	got := 0
	if err := ts.Exec("ldirectord", all...); err != nil {
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

const awaitLimit = 10 * time.Second

func await(ts *testscript.TestScript, _ bool, args []string) {
	absent := args[0] == "!"
	if absent {
		args = args[1:]
	}
	re := regexp.MustCompile("(?m)" + args[1])
	var text []byte
	for end := time.Now().Add(awaitLimit); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		text, _ = os.ReadFile(ts.MkAbs(args[0]))
		if re.Match(text) != absent {
			return
		}
	}
	ts.Fatalf("waited %v: %s is\n%s", awaitLimit, args[0], text)
}

func sendSignal(ts *testscript.TestScript, _ bool, args []string) {
	pid, _ := instance{pidFile: ts.MkAbs("ldirectord.ld.cf.pid")}.find()
	if pid == 0 {
		ts.Fatalf("no daemon")
	}
	ts.Check(exec.Command("kill", "-"+args[0], strconv.Itoa(pid)).Run())
}

// endDaemons ends what a script left running.
func endDaemons(dir string) {
	files, _ := filepath.Glob(filepath.Join(dir, "ldirectord.*.pid"))
	for _, f := range files {
		if pid, _ := (instance{pidFile: f}).find(); pid != 0 {
			p, _ := os.FindProcess(pid)
			p.Kill()
		}
	}
}
