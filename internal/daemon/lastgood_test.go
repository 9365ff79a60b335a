package daemon

import (
	"errors"
	"os"
	"runtime"
	"syscall"
	"testing"

	"ldirectord/internal/runfile"
	"ldirectord/internal/testkit"
)

// A container with a read-only root keeps nothing, which is no failure. A unit whose folder is gone has one.
func TestAContainerMayHaveNoStateFolder(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can mount")
	}
	root := t.TempDir()
	for _, ofUnit := range []string{"", root + "/state"} {
		t.Setenv("STATE_DIRECTORY", ofUnit)
		kept := make(chan error)
		go func() {
			runtime.LockOSThread() // never unlocked: thread and mounts end with the goroutine
			kept <- errors.Join(syscall.Unshare(syscall.CLONE_NEWNS),
				syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""),
				syscall.Mount("none", root, "tmpfs", syscall.MS_RDONLY, ""),
				runfile.Remove(root+"/none"), // what is missing needs no removal
				keep(root+"/state/config", []byte("virtual = 192.0.2.1:80")))
		}()
		err := <-kept
		testkit.Equal(t, errors.Is(err, syscall.EROFS), ofUnit != "", err)
		testkit.Equal(t, err == nil, ofUnit == "", err)
	}
}
