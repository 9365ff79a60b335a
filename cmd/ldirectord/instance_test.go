package main

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

func TestADaemonOfAnotherNameIsFound(t *testing.T) {
	defer func(name string) { os.Args[0] = name }(os.Args[0])
	os.Args[0] = "/opt/balancer"
	for name, want := range map[string]bool{"/usr/sbin/ldirectord": true, "balancer": true, "/opt/balancer": true, "cat": false} {
		cmd := exec.Command("cat")
		cmd.Args[0] = name
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		awaitExec(t, cmd.Process.Pid)
		if got := isDirector(cmd.Process.Pid); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
}

// awaitExec waits until a process shows its command line: that comes a moment after its start is over.
func awaitExec(t *testing.T, pid int) {
	t.Helper()
	for end := time.Now().Add(awaitLimit); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil && len(line) > 0 {
			return
		}
	}
	t.Fatalf("process %d has no command line", pid)
}
