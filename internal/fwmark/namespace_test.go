package fwmark

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
)

// Environment variables of a test process.
const (
	apart     = "FWMARK_TEST_APART"     // set: the process has a network namespace of its own
	exchanges = "FWMARK_TEST_EXCHANGES" // the program with which the process exchanges rules until it is killed
	exchanger = "exchanger"             // the daemon's name in that process
)

// TestMain gives root's tests a network namespace of their own, so that they change no rules of the machine.
func TestMain(m *testing.M) {
	if program := os.Getenv(exchanges); program != "" {
		exchange(program)
		return
	}
	if os.Geteuid() != 0 || os.Getenv(apart) != "" {
		os.Exit(m.Run())
	}
	runtime.LockOSThread() // the other process is killed at the end of this thread
	again := exec.Command("/proc/self/exe", os.Args[1:]...)
	again.Env = append(os.Environ(), apart+"=yes")
	again.Stdout, again.Stderr = os.Stdout, os.Stderr
	again.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	err := again.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		os.Exit(0)
	case errors.As(err, &exit):
		os.Exit(max(exit.ExitCode(), 1))
	}
	os.Exit(m.Run()) // namespaces can't be made here: the tests that need the kernel are skipped
}
