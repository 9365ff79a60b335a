package instance

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ldirectord/internal/lvs"
	"ldirectord/internal/runfile"
	"ldirectord/internal/testkit"
)

// forge writes a state as another process would, and holds the lock. Releasing it is the end of that daemon.
func forge(t *testing.T, i Instance, home string, s State) (release func()) {
	t.Helper()
	testkit.OK(t, runfile.Write(i.files(home).State, testkit.Must(json.Marshal(s))(t), 0o644))
	lock := testkit.Must(takeLock(i.files(home).Lock))(t)
	t.Cleanup(func() { lock.Close() })
	return func() { lock.Close() }
}

// serving is the state of a daemon that runs in another process.
func serving(t *testing.T, d Daemon, name string) (State, standIn) {
	t.Helper()
	s := pretend(t, "/usr/sbin/ldirectord", "start")
	return State{Format: format, Daemon: d, Name: name, Process: s.process(t), Phase: Running}, s
}

// lives has a daemon run in another process, with its state and the lock.
func lives(t *testing.T, i Instance, name string) State {
	t.Helper()
	s, _ := serving(t, i.Daemon, name)
	forge(t, i, name, s)
	return s
}

// keys are virtual services of TCP.
func keys(addrs ...string) (all []lvs.Key) {
	for _, addr := range addrs {
		all = append(all, lvs.Key{Protocol: lvs.TCP, Addr: netip.MustParseAddrPort(addr)})
	}
	return all
}

func file(t *testing.T, path string) string {
	t.Helper()
	testkit.OK(t, os.MkdirAll(filepath.Dir(path), 0o755))
	testkit.OK(t, os.WriteFile(path, nil, 0o644))
	return path
}

// Two paths mean the same file if they are equal, or lead to the same file now.
func TestWhichDaemonIsMeant(t *testing.T) {
	dir := t.TempDir()
	one, two := file(t, filepath.Join(dir, "a", "x.cf")), file(t, filepath.Join(dir, "b", "x.cf"))
	link := filepath.Join(dir, "link.cf")
	testkit.OK(t, os.Symlink(one, link))
	for _, row := range testkit.Table(t, "testdata/same.txt", 4) {
		var two [2]Daemon
		for i := range two {
			d := &two[i]
			testkit.Must(fmt.Sscan(dir+"/"+row[i+1], &d.Path, &d.Table, &d.NetNS))(t)
		}
		testkit.Equal(t, two[0].isSame(two[1]), row[3] == "same", row[0])
		testkit.Equal(t, two[1].isSame(two[0]), row[3] == "same", row[0], "the other way")
	}
	testkit.OK(t, os.Remove(link))
	testkit.OK(t, os.Symlink(two, link))
	testkit.Equal(t, Daemon{one, Kernel, 7}.isSame(Daemon{link, Kernel, 7}), false,
		"a link that leads elsewhere now")
}

// Our daemon is found by its state, whatever the pid file contains and however the file is spelt.
func TestADaemonIsFoundByItsState(t *testing.T) {
	i := daemonOf(t.TempDir(), "/etc/ha.d/ldirectord.cf", "ldirectord", "ldirectord.cf")
	s, _ := serving(t, i.Daemon, "ldirectord")
	release := forge(t, i, "ldirectord", s)
	pager := pretend(t, "less", "/var/log/ldirectord.log")
	for _, names := range [][]string{{"ldirectord", "ldirectord.cf"}, {"ldirectord.cf", "ldirectord"}} {
		other := New(string(i.folder), i.Daemon, names...)
		for _, pid := range []int{0, pager.Process.Pid, 1} {
			os.Remove(other.PidFile())
			if pid != 0 {
				putPid(t, other.PidFile(), pid)
			}
			found := other.Find()
			testkit.Equal(t, found.Process, s.Process, names[0], "pid file of", pid)
			testkit.Equal(t, found.Stale, false, names[0], "pid file of", pid)
			testkit.Equal(t, found.State.Name, "ldirectord")
			testkit.Equal(t, filepath.Base(other.Files().Socket), "ldirectord.ldirectord.sock", names[0])
			err := testkit.Error(other.Acquire(soon(t), ""))
			testkit.Equal(t, err, ErrRunning, names[0], "a second one")
		}
	}
	release()
	testkit.Same(t, i.Find(), Found{Stale: true}, "the lock is free")
}

// After a boot another process may have the same pid and start time. A user who can open the lock finds that it is
// free. A state whose process has another start time is no daemon's.
func TestAStateIsNotBelieved(t *testing.T) {
	for _, edit := range []string{`{"Start": 1}`, `{"Pid": 1073741824}`} {
		i := aDaemon(t)
		s, _ := serving(t, i.Daemon, "x.cf")
		testkit.OK(t, json.Unmarshal([]byte(edit), &s))
		forge(t, i, "x.cf", s)
		testkit.Equal(t, i.Find().Pid, 0, edit)
	}
}

func TestAnothersStateIsNotBelieved(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root gives files away")
	}
	dir := t.TempDir()
	testkit.OK(t, os.Chmod(dir, 0o777|os.ModeSticky))
	i := daemonOf(dir, "/x.cf")
	lives(t, i, "x.cf")
	testkit.OK(t, os.Chown(i.Files().State, 65534, 65534))
	testkit.Equal(t, i.Find().Pid, 0, "found")
	testkit.OK(t, os.Chown(i.files("x.cf").Lock, 65534, 65534))
	testkit.FailsWith(t, testkit.Error(i.Acquire(soon(t), "")), "belongs to the user 65534",
		"with a lock of another user's")
}

// Every user may read the state. Only its owner may open the lock, because opening is enough to hold it.
func TestWhoMayReadWhat(t *testing.T) {
	i := aDaemon(t)
	h := acquire(t, i)
	testkit.OK(t, h.WritePid())
	for path, want := range map[string]os.FileMode{
		h.State: 0o644, h.Pid: 0o644, h.Lock: 0o600, filepath.Join(string(i.folder), "ldirectord.lock"): 0o600,
	} {
		testkit.Equal(t, testkit.Must(os.Lstat(path))(t).Mode(), want, path)
	}
	h.RemovePid()
	testkit.Equal(t, runfile.Exists(h.Pid), false, "the pid file is left")
	putPid(t, h.Pid, 1)
	h.RemovePid()
	testkit.Equal(t, runfile.Exists(h.Pid), true, "another one's pid file")
}

// A state that was written before states had a format names no file. It is ignored.
func TestAStateWithoutAFormat(t *testing.T) {
	i := daemonOf(t.TempDir(), "/etc/ha.d/ldirectord.cf", "ldirectord.cf", "ldirectord")
	old := pretend(t, "/usr/sbin/ldirectord", "start")
	text := fmt.Sprintf(`{"Pid":%d,"Phase":"running","Virtuals":[{"Addr":"10.1.0.1:80"}]}`, old.Process.Pid)
	testkit.OK(t, os.WriteFile(i.files("ldirectord").State, []byte(text), 0o644))
	testkit.Equal(t, i.State().Pid, 0, "recorded")
	testkit.Same(t, acquire(t, i).Before.Virtuals, []lvs.Key{}, "taken over")
}

// The next daemon knows what an earlier one left in the table, however the file is spelt. After a clean end there is
// nothing left.
func TestWhatWasLeftInTheTable(t *testing.T) {
	left := keys("10.1.0.1:80")
	for phase, want := range map[Phase][]lvs.Key{Running: left, HandedOver: left, Ending: nil} {
		i := daemonOf(t.TempDir(), "/x/ldirectord.cf", "ldirectord", "ldirectord.cf")
		s, old := serving(t, i.Daemon, "ldirectord")
		s.Phase, s.Virtuals = phase, left
		release := forge(t, i, "ldirectord", s)
		old.in.Close()
		testkit.OK(t, s.Await(soon(t)))
		release()
		next := New(string(i.folder), i.Daemon, "ldirectord.cf", "ldirectord")
		h := testkit.Must(next.Acquire(soon(t), ""))(t)
		testkit.Same(t, h.Before.Virtuals, want, phase)
		testkit.Equal(t, filepath.Base(h.Pid), "ldirectord.ldirectord.cf.pid", phase)
		testkit.Equal(t, filepath.Base(h.Role), "ldirectord.ldirectord.role", phase)
		giveBack(h)
	}
}

// A daemon that is ending is waited for, however long it takes.
func TestADaemonThatIsEndingIsWaitedFor(t *testing.T) {
	i := aDaemon(t)
	s, old := serving(t, i.Daemon, "x.cf")
	s.Phase = Ending
	release := forge(t, i, "x.cf", s)
	testkit.Equal(t, i.Stays(s.Process), false, "a daemon that is ending stays")
	time.AfterFunc(50*time.Millisecond, func() {
		old.in.Close()
		_ = s.Await(soon(t))
		release()
	})
	h := acquire(t, i)
	testkit.Equal(t, s.Lives(), false, "it lives")
	testkit.Equal(t, h.now.Pid, os.Getpid(), "recorded")
}

func TestTwoFilesOfOneNameAreTwoDaemons(t *testing.T) {
	dir := t.TempDir()
	first, second := daemonOf(dir, "/a/x.cf"), daemonOf(dir, "/b/x.cf")
	s := lives(t, first, "x.cf")
	putPid(t, first.PidFile(), s.Pid)
	testkit.Same(t, second.Find(), Found{}, "the second one")
	want := fmt.Sprintf("the daemon of /a/x.cf already has the name x.cf (pid %d): rename one of the files, or "+
		"give one of them another --rundir", s.Pid)
	testkit.Fails(t, testkit.Error(second.Acquire(soon(t), "")), want, "the second one")
	testkit.Fails(t, second.MayStart(soon(t)), want, "the second one, before the start")
	testkit.OK(t, first.MayStart(soon(t)), "the first one")
}

// With another table, or in another network namespace, a daemon may use the same name, and its files have other
// names.
func TestOtherTablesAndNetworksShareTheFolder(t *testing.T) {
	for about, other := range map[string]Daemon{"table": {"/x.cf", "memory:/t", NetNS()},
		"network": {"/x.cf", "memory", 9}} {
		dir := t.TempDir()
		first, second := daemonOf(dir, "/x.cf"), New(dir, other, "x.cf")
		s := lives(t, first, "x.cf")
		putPid(t, first.PidFile(), s.Pid)
		if elsewhere := second.Elsewhere(); len(elsewhere) != 1 || elsewhere[0].Pid != s.Pid {
			t.Errorf("%s: elsewhere is %v", about, elsewhere)
		}
		h := acquire(t, second)
		testkit.OK(t, h.WritePid())
		for _, path := range []string{h.Pid, h.State, h.Lock, h.Socket, h.Role, h.Drain} {
			if strings.HasPrefix(filepath.Base(path), "ldirectord.x.cf.") {
				t.Errorf("%s: %s", about, path)
			}
		}
		pid, _ := readPid(first.PidFile())
		testkit.Equal(t, pid, s.Pid, about, "in the first one's pid file")
		testkit.Equal(t, first.Find().Pid, s.Pid, about, "the first one")
	}
}

// A daemon that ended frees its name. One that crashed does not, because its services are still in the kernel's
// table.
func TestANameIsLeft(t *testing.T) {
	dir := t.TempDir()
	path := file(t, filepath.Join(dir, "a", "x.cf"))
	for _, row := range testkit.Table(t, "testdata/left.txt", 3) {
		run := t.TempDir()
		i := New(run, Daemon{Path: "/b/x.cf", Table: Kernel, NetNS: 7}, "x.cf")
		s := State{Format: format, Daemon: Daemon{path, Kernel, 7}, Name: "x.cf",
			Process: Process{Pid: 1 << 30}, Phase: Running, Virtuals: keys("10.1.0.1:80")}
		testkit.OK(t, json.Unmarshal([]byte(strings.ReplaceAll(row[1], "DIR", dir)), &s))
		forge(t, i, "x.cf", s)()
		testkit.Equal(t, filepath.Base(i.Files().State) == "ldirectord.x.cf.state", row[2] == "free", row[0])
		testkit.Equal(t, filepath.Base(i.PidFile()), "ldirectord.x.cf.pid", row[0], "the pid file")
	}
}

// An order that was recorded before the first start is found by the other spelling of the file too.
func TestOrdersBeforeTheFirstStartAreFound(t *testing.T) {
	i := daemonOf(t.TempDir(), "/x/ldirectord.cf", "ldirectord", "ldirectord.cf")
	role := i.files("ldirectord.cf").Role
	testkit.OK(t, runfile.Write(role, []byte("standby\n"), 0o600))
	testkit.Equal(t, i.Files().Role, role, "the role is in")
}

// When a virtual service has moved to the daemon of another file, our daemon does not remove it any more.
func TestServicesOfOtherDaemonsAreTheirs(t *testing.T) {
	i := aDaemon(t)
	i.Table = "memory:file"
	for _, row := range [][]string{{"y.cf", i.Table, "10.1.0.1:80"}, {"z.cf", "memory:other", "10.1.0.2:80"}} {
		s, _ := serving(t, Daemon{"/" + row[0], row[1], NetNS()}, row[0])
		s.Virtuals = keys(row[2])
		forge(t, i, row[0], s)
	}
	got := i.NotOthers(keys("10.1.0.1:80", "10.1.0.2:80", "10.1.0.3:80"))
	testkit.Same(t, got, keys("10.1.0.2:80", "10.1.0.3:80"), "left")
}

// A daemon that holds the lock is found by that alone.
func TestADaemonWithoutRecordAndSocketIsFound(t *testing.T) {
	i := aDaemon(t)
	lock := testkit.Must(takeLock(i.Files().Lock))(t)
	other := testkit.Must(os.Open(i.Files().Lock))(t) // who only has it open holds nothing
	pretendAs(t, uint32(os.Geteuid()), []*os.File{other}, "/usr/sbin/ldirectord", "x.cf", "start")
	s := pretendAs(t, uint32(os.Geteuid()), []*os.File{lock}, "/usr/sbin/ldirectord", "x.cf", "start")
	lock.Close()
	testkit.Equal(t, i.Find().Process, s.process(t))
}

// A container does not see the daemon outside that has its run folder. Outside, the daemon in the container has
// another number.
func TestADaemonInAnotherPIDNamespace(t *testing.T) {
	serve := func(i Instance) {
		h := testkit.Must(i.Acquire(soon(t), "somebody"))(t)
		testkit.OK(t, h.WritePid())
		socket := testkit.Must(net.Listen("unix", h.Socket))(t)
		t.Cleanup(func() { socket.Close(); giveBack(h) })
	}
	if dir := os.Getenv("OUTER"); dir != "" {
		found := daemonOf(dir, "/outer.cf").Find()
		testkit.Equal(t, found.Unseen, errElsewhere)
		testkit.Equal(t, found.Stale, false, "stale")
		serve(daemonOf(dir, "/inner.cf"))
		fmt.Println("serving")
		testkit.OK(t, testkit.Error(io.Copy(io.Discard, os.Stdin)))
		return
	}
	dir := t.TempDir()
	serve(daemonOf(dir, "/outer.cf"))
	inner := exec.Command("unshare", "--pid", "--fork", "--mount-proc", testkit.Must(os.Executable())(t),
		"-test.run=^"+t.Name()+"$")
	inner.Env = append(os.Environ(), "OUTER="+dir)
	in, out := testkit.Must(inner.StdinPipe())(t), testkit.Must(inner.StdoutPipe())(t)
	testkit.OK(t, inner.Start())
	defer inner.Wait()
	defer in.Close()
	said, _ := bufio.NewReader(out).ReadString('\n')
	if said == "" {
		t.Skip("no PID namespace here")
	}
	testkit.Equal(t, said, "serving\n")
	found := daemonOf(dir, "/inner.cf").Find()
	testkit.Equal(t, found.Lives(), true, found)
	testkit.Equal(t, found.State.Supervisor, "somebody")
	testkit.OK(t, in.Close())
	testkit.OK(t, inner.Wait(), "what the inner process found")
}

// After a crash the pid in a file may be that of another daemon, as of one with another run folder.
func TestADaemonOfAnotherFolderIsAnotherDaemon(t *testing.T) {
	dir := t.TempDir()
	i := daemonOf(dir, "/x.cf")
	crashed := daemonOf(dir, "/crashed.cf")
	giveBack(acquire(t, crashed))
	other := pretend(t, "ldirectord", "--", "--ipvs=memory", "--rundir="+dir, "crashed.cf", "start")
	putPid(t, crashed.PidFile(), other.Process.Pid)
	testkit.Equal(t, crashed.Find().Pid, 0, "without the lock")
	acquire(t, i)
	for rundir, isIt := range map[string]bool{dir + "/": true, t.TempDir(): false, "/missing": false, "": false} {
		words := strings.Fields("-- --ipvs=memory --rundir=" + rundir + " x.cf start")
		other := pretend(t, "/usr/sbin/ldirectord", words...)
		putPid(t, i.PidFile(), other.Process.Pid)
		testkit.Equal(t, i.Find().Pid == other.Process.Pid, isIt, rundir)
	}
}

// A user who may not open the lock recognises the daemon by its start time. A daemon whose state only root may read
// is recognised by its pid file.
func TestAnyUserFindsTheDaemon(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root becomes another user")
	}
	dir := t.TempDir()
	testkit.OK(t, os.Chmod(filepath.Dir(dir), 0o755))
	i, old := daemonOf(dir, "/x.cf"), daemonOf(dir, "/old.cf")
	s := lives(t, i, "x.cf")
	before := pretend(t, "/usr/sbin/ldirectord", "--", "--ipvs=memory", "--rundir", dir, "start")
	acquire(t, old)
	putPid(t, old.PidFile(), before.Process.Pid)
	testkit.Write(t, old.Files().State, `{"Pid": 1}`)
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		syscall.Setfsgid(65534)
		syscall.Setfsuid(65534)
		testkit.Is(t, testkit.Error(os.ReadFile(i.files("x.cf").Lock)), os.ErrPermission, "the lock")
		testkit.Equal(t, i.Find().Process, s.Process)
		testkit.Equal(t, old.Find().Pid, before.Process.Pid, "by the pid file")
	}()
	<-done
}

func TestAHiddenDaemonIsNotTakenForStopped(t *testing.T) {
	if os.Getpid() != 1 {
		testkit.Again(t, "", "unshare", "--pid", "--fork", "--mount-proc", "sh", "-c",
			`mount -o remount,hidepid=2 /proc && exec "$@"`, "sh")
		return
	}
	dir := t.TempDir()
	testkit.OK(t, os.Chmod(filepath.Dir(dir), 0o755))
	i := daemonOf(dir, "/x.cf")
	s := lives(t, i, "x.cf")
	found := make(chan Found)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		_, _, _ = unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0)
		_, _, _ = unix.RawSyscall(unix.SYS_SETRESGID, 65534, 65534, 65534)
		_, _, _ = unix.RawSyscall(unix.SYS_SETRESUID, 65534, 65534, 65534)
		found <- i.Find()
	}()
	testkit.FailsWith(t, (<-found).Unseen, fmt.Sprintf("pid %d is hidden from this user", s.Pid))
}

// Of two records of one file, the one of our path is preferred, in whatever order they are found.
func TestTheRecordOfOurPathIsPreferred(t *testing.T) {
	dir := t.TempDir()
	path, link := file(t, filepath.Join(dir, "x.cf")), filepath.Join(dir, "link.cf")
	testkit.OK(t, os.Symlink(path, link))
	i := New(dir, Daemon{path, Kernel, 7}, "x.cf")
	byPath := record{State: State{Daemon: i.Daemon}, base: "x.cf"}
	byLink := record{State: State{Daemon: Daemon{link, Kernel, 7}}, base: "link.cf"}
	for _, all := range [][]record{{byPath, byLink}, {byLink, byPath}} {
		if own, lives := i.own(all); own.base != "x.cf" || lives {
			t.Errorf("of %v it is %v, which runs: %v", all, own, lives)
		}
	}
}
