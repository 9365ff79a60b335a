package main

import (
	"os"
	"os/exec"
	"testing"
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
		if got := isDirector(cmd.Process.Pid); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
}
