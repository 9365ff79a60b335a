package fwmark

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
)

// apart is set in a test process that has a network of its own.
const apart = "FWMARK_TEST_APART"

// TestMain gives root's tests a network of their own: the rules that they set are nobody else's.
func TestMain(m *testing.M) {
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
