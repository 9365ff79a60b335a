package instance

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ldirectord/internal/runfile"
	"ldirectord/internal/testkit"
)

const nobody = 65534

// folderOfNobody is the run folder of a daemon with a user of its own, nobody.
func folderOfNobody(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir := t.TempDir()
	testkit.OK(t, os.Chown(dir, nobody, nobody))
	return dir
}

// Files that root's commands write to the folder of a daemon with a user of its own belong to that user. Otherwise
// the daemon could not open them.
func TestRootShutsNoUserOut(t *testing.T) {
	i := daemonOf(folderOfNobody(t), "/etc/ha.d/ldirectord.cf")
	lock := testkit.Must(i.LockFolder(soon(t)))(t)
	lock.Close()
	testkit.OK(t, runfile.Write(i.Files().Drain, []byte("x"), 0o600))
	files, err := filepath.Glob(string(i.folder) + "/*")
	if err != nil || len(files) != 2 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, file := range files {
		info := testkit.Must(os.Stat(file))(t)
		testkit.Equal(t, info.Sys().(*syscall.Stat_t).Uid, nobody, file, "belongs to the user")
	}
}

// sleeps starts a process that does nothing until the test ends.
func sleeps(t *testing.T, as syscall.SysProcAttr) (pid int) {
	t.Helper()
	other := exec.Command("sleep", "60")
	as.Pdeathsig = syscall.SIGKILL
	other.SysProcAttr = &as
	testkit.OK(t, other.Start())
	t.Cleanup(func() { _ = other.Process.Kill(); _ = other.Wait() })
	return other.Process.Pid
}

// A user can't make root end a process of another user by naming it as the daemon in a folder.
func TestAUserNamesItsOwnProcessAlone(t *testing.T) {
	for uid, want := range map[uint32]bool{0: false, nobody: true} {
		dir := folderOfNobody(t)
		i := daemonOf(dir, "/etc/ha.d/ldirectord.cf")
		other := sleeps(t, syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}})
		p := testkit.Must(processOf(other))(t)
		forge(t, i, "ldirectord.cf", State{Format: format, Daemon: i.Daemon, Process: p, Phase: Running})
		testkit.Equal(t, i.Find().Pid == p.Pid, want, "a process of user", uid)
	}
}

// Commands of root would not find root's daemon in the folder of another user: stop would end nothing. So it doesn't
// start.
func TestRootIsNoDaemonInTheFolderOfAUser(t *testing.T) {
	i := daemonOf(folderOfNobody(t), "/etc/ha.d/ldirectord.cf")
	testkit.FailsWith(t, testkit.Error(i.Acquire(soon(t), "")), "belongs to the user 65534", "the start")
	testkit.FailsWith(t, i.MayStart(soon(t)), "belongs to the user 65534", "before a restart ends the daemon")
}

// A daemon that changes to the unit's folder and a user of its own keeps its mark rules.
func TestTheChainsStayInTheUnitsFolder(t *testing.T) {
	d := Daemon{Path: "/nowhere/none.cf", Table: Kernel}
	usual, unit, other := New(Folder, d, "none.cf"), New(UnitFolder, d, "none.cf"), New("/run/other", d, "none.cf")
	if usual.Chains() != unit.Chains() || usual.Chains() == other.Chains() {
		t.Errorf("%s, %s, %s", usual.Chains(), unit.Chains(), other.Chains())
	}
}

// The unit has root's user without its right to trace processes. It sees nevertheless who is in its network namespace.
func TestTheNetworkNamespaceIsSeenWithoutTheRightToTrace(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	own := NetNS()
	for flags, want := range map[uintptr]uint64{0: own, syscall.CLONE_NEWNET: elsewhere} {
		other := sleeps(t, syscall.SysProcAttr{Cloneflags: flags})
		seen := make(chan uint64)
		go func() {
			runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
			header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
			var none [2]unix.CapUserData
			if err := unix.Capset(&header, &none[0]); err != nil { // for this thread only
				t.Error(err)
			}
			seen <- netNSOf(strconv.Itoa(other))
		}()
		testkit.Equal(t, <-seen, want, "flags", flags)
	}
}
