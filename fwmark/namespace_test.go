package fwmark

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
)

// What tells a test process what it is.
const (
	apart     = "FWMARK_TEST_APART"     // it has a network of its own
	exchanges = "FWMARK_TEST_EXCHANGES" // it exchanges rules with that program until it is killed
	exchanger = "exchanger"             // the name of its daemon
)

// TestMain gives root's tests a network of their own: the rules that they set are nobody else's.
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
	os.Exit(m.Run()) // no namespaces for us: the tests of the kernel are skipped
}
