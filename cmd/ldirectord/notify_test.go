package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestStatesOfNotify(t *testing.T) {
	for line, want := range map[string]string{
		"master":                     "true",
		"Backup":                     "false",
		"FAULT":                      "false",
		"stop":                       "false",
		"INSTANCE VI_1 MASTER 150":   "true",
		"GROUP G1 BACKUP 0":          "false",
		"INSTANCE MASTER DELETED 99": "false",
		"active":                     `"active": master, backup, fault and stop are allowed`,
		"INSTANCE VI_1 UP 150":       `"UP": master, backup, fault and stop are allowed`,
		"VI_1 MASTER":                `"VI_1 MASTER": STATE, or INSTANCE|GROUP NAME STATE PRIORITY, is allowed`,
		"master one two three":       `"master one two three": STATE, or INSTANCE|GROUP NAME STATE PRIORITY, is allowed`,
	} {
		serve, err := vrrpServes(strings.Fields(line))
		got := strconv.FormatBool(serve)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

func TestOrderInTheMannerOfTheLast(t *testing.T) {
	for last, want := range map[order][2]order{
		noOrder: {started, stopped}, started: {started, stopped}, stopped: {started, stopped},
		active: {active, standby}, standby: {active, standby},
	} {
		if got := [2]order{last.to(true), last.to(false)}; got != want {
			t.Errorf("%q: %q, want %q", last, got, want)
		}
	}
}

func TestRoleFile(t *testing.T) {
	f := roleFile(filepath.Join(t.TempDir(), "role"))
	if err := f.clear(); err != nil {
		t.Error(err)
	}
	for _, o := range []order{noOrder, standby, active, stopped, started, standby} {
		if _, err := f.change(t.Context(), func(order) order { return o }); err != nil {
			t.Fatal(err)
		}
		if got, err := f.read(); got != o || err != nil {
			t.Errorf("%q, %v, want %q", got, err, o)
		}
	}
	if err := os.WriteFile(string(f), []byte("active\nby\n"), 0o600); err != nil { // killed before the rest was cut off
		t.Fatal(err)
	}
	if got, err := f.read(); got != active || err != nil {
		t.Errorf("half written: %q, %v, want active", got, err)
	}
	if err := os.WriteFile(string(f), []byte("\x1b[2J\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.read(); err == nil || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("rubbish: %v", err)
	}
	if err := f.clear(); err != nil {
		t.Error(err)
	}
	if got, err := f.read(); got != noOrder || err != nil {
		t.Errorf("cleared: %q, %v", got, err)
	}
}

// The order waits for a daemon that is ending when keepalived, which has ended, kills its script.
func TestAnOrderIsCarriedOutWhenItsVerbIsKilled(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "ld.cf")
	text := "virtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n\tchecktype = on\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o := options{runDir: dir, config: file}
	ending := pretendEnding(t, o.instance())

	table := filepath.Join(dir, "table")
	verb := exec.Command(program(t), "--rundir", dir, "--ipvs", "memory:"+table, file, "notify", "master")
	verb.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := verb.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { endDaemons(dir) })
	within(t, "a process that carries the order out", func() bool {
		return exec.Command("pgrep", "-P", strconv.Itoa(verb.Process.Pid)).Run() == nil
	})
	if err := syscall.Kill(-verb.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := verb.Wait(); err == nil {
		t.Error("it was not killed")
	}
	ending()
	within(t, "the table", func() bool {
		text, err := os.ReadFile(table)
		return err == nil && strings.Contains(string(text), "-r 10.2.0.1:80")
	})
}

// pretendEnding makes a process look like a daemon that is ending, until end is called.
func pretendEnding(t *testing.T, i instance) (end func()) {
	t.Helper()
	old := exec.CommandContext(t.Context(), "cat")
	old.Args[0] = "ldirectord"
	in, err := old.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := old.Start(); err != nil {
		t.Fatal(err)
	}
	awaitExec(t, old.Process.Pid)
	for path, text := range map[string]string{
		i.pidFile:   fmt.Sprintln(old.Process.Pid),
		i.stateFile: fmt.Sprintf(`{"Pid": %d, "Phase": "ending"}`, old.Process.Pid),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		in.Close()
		if err := old.Wait(); err != nil {
			t.Error(err)
		}
	}
}

func within(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), awaitLimit)
	defer cancel()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatalf("no %s after %v", what, awaitLimit)
		case <-time.After(5 * time.Millisecond):
		}
	}
}
