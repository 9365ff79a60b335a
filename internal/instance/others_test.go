package instance

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/runfile"
	"ldirectord/internal/testkit"
	"ldirectord/ipvsctl"
)

// A daemon is alive if its lock is held, whatever its pid is. A record that was written twice within the same moment
// is read again.
func TestOthersLiveByTheirLock(t *testing.T) {
	i := aDaemon(t)
	i.Table = "memory:file"
	key := lvs.Key{Protocol: lvs.TCP, Addr: netip.MustParseAddrPort("10.1.0.1:80")}
	y := State{Format: format, Daemon: Daemon{"/y.cf", i.Table, i.NetNS}, Phase: Running}
	y.Pid = 1 << 30
	y.Virtuals = []lvs.Key{key}
	release := forge(t, i, "y.cf", y)
	z := y
	z.Table = "memory:other"
	forge(t, i, "z.cf", z)
	own := y
	own.Daemon = i.Daemon
	forge(t, i, "x.cf", own)
	one, _ := i.Others(nil)
	if len(one) != 1 || !one[0].Lives || len(one[0].Has()) != 1 {
		t.Fatalf("%+v", one)
	}
	release()
	y.Yields = true
	forge(t, i, "y.cf", y)()
	if one, _ = i.Others(nil); len(one) != 1 || one[0].Lives || len(one[0].Has()) != 0 {
		t.Errorf("%+v", one)
	}
}

// A daemon counts as running while its files are lost, or no file can be opened.
func TestOthersWhoseFilesAreLost(t *testing.T) {
	i := aDaemon(t)
	i.Table = "memory:file"
	self := testkit.Must(processOf(os.Getpid()))(t)
	forge(t, i, "y.cf", State{Format: format, Daemon: Daemon{"/y.cf", i.Table, i.NetNS}, Process: self})
	kept := Kept{}
	look := func(what string) {
		t.Helper()
		if one, _ := i.Others(kept); len(one) != 1 || !one[0].Lives || !self.Lives() {
			t.Errorf("%s: %+v", what, one)
		}
	}
	look("all there")
	testkit.WithoutDescriptors(t, func() { look("a shortage") })
	testkit.OK(t, os.Remove(i.files("y.cf").State))
	look("without the state")
	testkit.OK(t, os.RemoveAll(string(i.folder)))
	look("without the folder")
}

// The private services of a daemon in either run folder belong to it while it runs, whichever folder a command has.
func TestPrivateMarksOfBothFolders(t *testing.T) {
	if os.Getenv("OWN_RUN") == "" {
		const own = `mount -t tmpfs none /run && mkdir /run/ldirectord && exec "$@"`
		outside := pretend(t, "ldirectord", "x.cf", "start").Process.Pid
		testkit.Again(t, fmt.Sprint("OWN_RUN=", outside), "unshare", "-m", "sh", "-c", own, "sh")
		return
	}
	self := testkit.Must(processOf(os.Getpid()))(t)
	marks := map[uint32]bool{}
	for n, dir := range []string{Folder, UnitFolder, Folder} {
		d := New(dir, Daemon{Path: fmt.Sprintf("/%d.cf", n), Table: Kernel})
		mark := uint32(n)
		marks[mark] = n < 2
		release := forge(t, d, fmt.Sprint(n), State{Format: format, Daemon: d.Daemon, Process: self,
			Private: []ipvsctl.PrivateService{{Key: lvs.Key{Mark: mark}}}})
		if n == 2 {
			release()
		}
	}
	for _, dir := range []string{Folder, UnitFolder} {
		testkit.Equal(t, fmt.Sprint(New(dir, Daemon{Table: Kernel}).PrivateMarks()), fmt.Sprint(marks), dir)
	}
	// a running daemon still counts when one of the folders vanishes
	kept := Kept{}
	own := New(UnitFolder, Daemon{Table: Kernel})
	all, _ := own.Others(kept)
	testkit.OK(t, os.RemoveAll(UnitFolder))
	for _, i := range []Instance{own, New(Folder, Daemon{Table: Kernel})} {
		lost, _ := i.Others(kept)
		testkit.Same(t, lost, all, "from "+string(i.folder))
	}
	// without a kept record, the process shows a daemon of the vanished folder
	stranger := pretend(t, "ldirectord", "x.cf", "start", "--rundir", UnitFolder).process(t)
	inside := pretend(t, "ldirectord", "y.cf", "start").process(t)
	strangers := New(Folder, Daemon{Table: Kernel, NetNS: NetNS()}).Strangers(nil, true)
	if !slices.ContainsFunc(strangers, func(s Stranger) bool { return s.Process == stranger }) {
		t.Errorf("strangers: %+v", strangers)
	}
	// a daemon in a container, whose /run is another one, is a stranger
	runDirs := map[int]string{}
	for _, s := range strangers {
		runDirs[s.Pid] = s.RunDir
	}
	outside, _ := strconv.Atoi(os.Getenv("OWN_RUN"))
	testkit.Equal(t, runDirs[outside], fmt.Sprintf("/proc/%d/root/run", outside), "outside")
	testkit.Equal(t, runDirs[inside.Pid], "", "inside")
}

func TestAHandOverIsKeptForAWhile(t *testing.T) {
	for _, c := range []struct {
		phase Phase
		left  time.Duration
		is    bool
	}{
		{HandedOver, Handover - time.Second, true}, {HandedOver, -time.Second, false},
		{Running, time.Second, false},
		{HandedOver, time.Hour, false}, // of another boot
	} {
		if s := (State{Phase: c.phase, Kept: runfile.SinceBoot() + c.left}); s.IsHandedOver() != c.is {
			t.Errorf("%s, %v left", c.phase, c.left)
		}
	}
}

// The records of other daemons are looked at every second. A record of thousands of virtual services is read again
// only when it has changed.
func TestARecordIsReadOnceUntilItChanges(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ldirectord.x.cf.state")
	put := func(pid int, age time.Duration) {
		text := fmt.Sprintf(`{"Format": 1, "Pid": %d}`, pid)
		testkit.OK(t, runfile.Replace(path, []byte(text), 0o600))
		when := time.Now().Add(-age)
		testkit.OK(t, os.Chtimes(path, when, when))
	}
	kept := Kept{}
	read := func() int { return kept.read(path).Pid }
	put(7, time.Minute)
	first := read()
	kept[path] = keptState{kept[path].file, State{Process: Process{Pid: 8}}}
	again := read()
	put(9, 0)
	changed := read()
	testkit.Same(t, []int{first, again, changed}, []int{7, 8, 9}, "read, again, changed")
	testkit.Equal(t, kept[path].file, nil, "one that was just written is not read again: another would not be seen")
}
