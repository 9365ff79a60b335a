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

// The configuration in force is kept even if the folder has another one, after a failed reload, or none any more.
func TestTheConfigurationInForceIsKept(t *testing.T) {
	t.Setenv("STATE_DIRECTORY", t.TempDir())
	f := &configFile{d: counted()}
	path, text := statePath("config", ""), "virtual = 192.0.2.1:80"
	for _, happens := range []func(){
		func() {}, func() { testkit.Write(t, path, "another") }, func() { testkit.OK(t, os.Remove(path)) },
	} {
		happens()
		f.keepGood([]byte(text))
		testkit.Equal(t, testkit.Read(t, path), text)
	}
	f.d.journal.Close(t.Context())
}

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
