package instance

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/runfile"
	"ldirectord/internal/testkit"
)

// The folder is locked by one process at a time, and others wait for it.
func TestLockFolderWaits(t *testing.T) {
	i := aDaemon(t)
	first := testkit.Must(i.LockFolder(soon(t)))(t)
	ctx := testkit.Within(t, 20*time.Millisecond)
	if _, err := i.LockFolder(ctx); err == nil || !strings.HasPrefix(err.Error(), "locking "+first.Name()) {
		t.Errorf("a second one: %v", err)
	}
	time.AfterFunc(50*time.Millisecond, func() { first.Close() })
	second := testkit.Must(i.LockFolder(soon(t)))(t)
	second.Close()
}

// Files that were lost are written again, so that the daemon is found and no second one starts.
func TestRestore(t *testing.T) {
	i := aDaemon(t)
	l := acquire(t, i)
	testkit.OK(t, l.Update(func(s *State) { s.Execute = []string{"y.cf"} }))
	for _, lost := range [][]string{{l.State, l.Lock}, {l.State}, {l.Lock}, nil} {
		for _, path := range lost {
			testkit.OK(t, os.Remove(path))
		}
		testkit.OK(t, l.Restore(), lost)
		testkit.Same(t, Kept(nil).read(l.State).Execute, []string{"y.cf"}, lost)
		testkit.Equal(t, testkit.Must(runfile.IsLocked(l.Lock))(t), true, lost, "locked")
	}
	testkit.OK(t, errors.Join(os.Remove(l.State), os.WriteFile(l.State, []byte("another"), 0o600)))
	testkit.OK(t, l.Restore())
	testkit.Equal(t, testkit.Read(t, l.State), "another", "the state of another process")
}

func TestRestoreSaysWhatFails(t *testing.T) {
	i := aDaemon(t)
	l := acquire(t, i)
	testkit.OK(t, os.Chmod(string(i.folder), 0o777))
	testkit.OK(t, l.Update(func(s *State) { s.Phase = Ending })) // which needs no folder lock
	dir := filepath.Dir(l.State)
	testkit.OK(t, os.RemoveAll(dir))
	testkit.FailsWith(t, l.Restore(), "recording the state: ", "without a folder")
}

// On a full disk a daemon starts, is found by its socket, and keeps others out by its lock. It writes as soon as it
// can.
func TestADaemonThatCannotWriteStarts(t *testing.T) {
	i := aDaemon(t)
	files := i.files("x.cf")
	for _, path := range []string{files.State, files.Pid} {
		testkit.OK(t, os.MkdirAll(path+"/x", 0o700)) // a file can't replace a folder
	}
	h := testkit.Must(i.Acquire(soon(t), ""))(t)
	defer giveBack(h)
	if err := h.WritePid(); err == nil {
		t.Error("the pid file is written")
	}
	if err := h.Restore(); err == nil {
		t.Error("the state is written")
	}
	if second, err := i.Acquire(soon(t), ""); !errors.Is(err, errEnding) {
		t.Errorf("a second daemon: %v, %v", second, err)
	}
	for _, path := range []string{files.State, files.Pid} {
		testkit.OK(t, os.RemoveAll(path))
	}
	pid, _ := readPid(files.Pid)
	testkit.Equal(t, pid, 0, "before")
	testkit.OK(t, h.Restore())
	pid, _ = readPid(files.Pid)
	testkit.Equal(t, pid, os.Getpid())
	testkit.Equal(t, i.State().Pid, os.Getpid(), "recorded")
}

// A daemon that runs will stay. One that was killed, or told to end, will not.
func TestStays(t *testing.T) {
	i := aDaemon(t)
	s, daemon := serving(t, i.Daemon, "x.cf")
	forge(t, i, "x.cf", s)
	testkit.Equal(t, i.Stays(s.Process), true, "a daemon that runs")
	testkit.Equal(t, i.Stays(Process{Pid: s.Pid, Start: s.Start + 1}), false, "a later process")
	testkit.Equal(t, i.Stays(Process{Pid: 1 << 30}), false, "no process")
	s.Phase = HandedOver
	text := testkit.Must(json.Marshal(s))(t)
	testkit.OK(t, runfile.Write(i.Files().State, text, 0o644))
	testkit.Equal(t, i.Stays(s.Process), false, "a daemon that hands over")
	daemon.in.Close()
	testkit.OK(t, s.Await(soon(t)))
	testkit.Equal(t, i.Stays(s.Process), false, "a daemon that has ended")
}
