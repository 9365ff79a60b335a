package instance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ldirectord/internal/runfile"
)

const prefix = "ldirectord."

// Folder is the usual run folder. UnitFolder is the run folder that systemd makes for a daemon with its own user.
const (
	Folder     = "/run"
	UnitFolder = "/run/ldirectord"
)

// Instance is the daemon that a command line refers to, whether it is running or not.
type Instance struct {
	Daemon
	folder
	names []string // the possible names of its pid file; the first follows from this command line
}

// New returns the instance whose files are in the folder dir. The names are the possible names of its pid file, one for
// each spelling of the configuration's path. The first name follows from this command line.
func New(dir string, d Daemon, names ...string) Instance {
	return Instance{d, folder(dir), names}
}

// Files returns the files of the daemon, even if they are named after another spelling of its configuration. The actual
// pid file may have another name than the one returned, see State.Name.
func (i Instance) Files() Files { return i.look().current() }

// PidFile returns the path that the pid file has if this command line starts the daemon, and no other daemon has its
// name.
func (i Instance) PidFile() string { return i.files(i.names[0]).Pid }

// look contains what the run folder has recorded at one moment.
type look struct {
	Instance
	all   []record
	ours  record // the record of this daemon; the zero record if there is none
	alive bool   // this daemon is running
}

func (i Instance) look() look {
	l := look{Instance: i, all: i.records(nil)}
	l.ours, l.alive = i.own(l.all)
	return l
}

// Found describes the running daemon.
type Found struct {
	Process       // its Pid is 0 if none runs, or if Unseen is set
	State   State // empty for the Perl ldirectord, or if lost
	Stale   bool  // a pid file exists, but no daemon is running
	Unseen  error // why the process of a running daemon can't be seen
}

// Ends reports whether the daemon has recorded that it is ending.
func (f Found) Ends() bool { return f.State.Phase == Ending || f.State.Phase == HandedOver }

// errElsewhere means that the daemon's process has no number here.
var errElsewhere = errors.New("the daemon runs in another PID namespace: run this command there")

// Find finds the director that runs for the file: a daemon of this program, or the Perl ldirectord. It never finds this
// process.
func (i Instance) Find() Found {
	l := i.look()
	if l.alive && l.ours.Pid != os.Getpid() {
		return Found{Process: l.ours.Process, State: l.ours.State}
	}
	if f := l.unrecorded(); f.Unseen != nil || f.Pid != 0 && f.Pid != os.Getpid() {
		return f
	}
	for _, name := range i.names {
		pid, _ := readPid(i.files(name).Pid)
		// A pid in a file may be from before a reboot, or belong to the daemon of another configuration.
		has := func(r record) bool { return r.Pid == pid }
		if pid == 0 || pid == os.Getpid() || slices.ContainsFunc(l.others(), has) || !l.isDirector(pid) {
			continue
		}
		if p, err := processOf(pid); err == nil {
			return Found{Process: p}
		}
	}
	if l.isHidden() {
		return Found{Unseen: fmt.Errorf("pid %d is hidden from this user (hidepid)", l.ours.Pid)}
	}
	_, left := readPid(i.PidFile())
	_, held := l.userOf(i.names[0])
	return Found{Stale: left && !held}
}

// AwaitUnseen waits while a daemon whose process can't be seen, as in a container, is ending. It returns an error if
// such a daemon keeps running, or has not ended when ctx is done.
func (i Instance) AwaitUnseen(ctx context.Context) error {
	for {
		switch found := i.Find(); {
		case found.Unseen == nil || !found.Ends():
			return found.Unseen
		case !runfile.Pause(ctx, pollInterval):
			return errEnding
		}
	}
}

// unrecorded returns the process that holds our lock although no record has its pid here, for example because the disk
// is full. Such a process listens on the socket, unless the folder has become read-only. The record of a daemon in a
// container has another pid, but the same start time.
func (l look) unrecorded() (found Found) {
	f := l.current()
	if locked, _ := runfile.IsLocked(f.Lock); !locked {
		return found
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return found
	}
	defer unix.Close(fd)
	if unix.Connect(fd, &unix.SockaddrUnix{Name: f.Socket}) != nil {
		return Found{Process: l.holder(f.Lock)}
	}
	who, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err == nil && l.mayName(int(who.Pid)) {
		found.Process, _ = processOf(int(who.Pid))
	}
	if l.ours.Start == found.Start {
		found.State = l.ours.State
	}
	if err == nil && who.Pid == 0 {
		found.Unseen, found.State = errElsewhere, Kept(nil).read(f.State)
	}
	return found
}

// isHidden reports whether this daemon may be running as another user, so that this user sees neither its process nor
// its lock.
func (l look) isHidden() bool {
	pid := l.ours.Pid
	_, unlocked := runfile.IsLocked(l.files(l.ours.base).Lock)
	_, unseen := processOf(pid)
	return pid > 0 && errors.Is(unlocked, fs.ErrPermission) && errors.Is(unseen, fs.ErrNotExist) &&
		unix.Kill(pid, 0) == unix.EPERM
}

// holder returns the daemon of this program that holds a lock. It looks for the lock among the open files of each
// daemon. The open files of another user may be unreadable.
func (i Instance) holder(lock string) (p Process) {
	path, err := filepath.EvalSymlinks(lock)
	if err != nil {
		return p
	}
	for _, pid := range allPids() {
		if !isOurs(argv(pid)) || !i.mayName(pid) {
			continue
		}
		fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", pid))
		for _, info := range fds {
			to, _ := os.Readlink(strings.Replace(info, "/fdinfo/", "/fd/", 1))
			if text, _ := os.ReadFile(info); to == path && strings.Contains(string(text), "\nlock:") {
				p, _ = processOf(pid)
				return p
			}
		}
	}
	return p
}

// own returns the record of this daemon, or the zero record if there is none. It also reports whether the daemon is
// running. If there are several records, it prefers the record of a running daemon, and then a record with our path.
func (i Instance) own(all []record) (own record, lives bool) {
	for _, r := range all {
		if !i.isSame(r.Daemon) {
			continue
		}
		alive := i.lives(r)
		isNearer := alive == lives && r.Path == i.Path && own.Path != i.Path
		if own.base == "" || alive && !lives || isNearer {
			own, lives = r, alive
		}
	}
	return own, lives
}

// current returns the daemon's files, see Files.
func (l look) current() Files { return l.files(l.baseName()) }

// baseName returns the name of the daemon's files. It is their current name if there is a record, a recorded role or
// recorded orders. Otherwise it is the name that follows from this command line, with a suffix if another daemon has
// that name.
func (l look) baseName() string {
	if l.ours.base != "" {
		return l.ours.base
	}
	for _, name := range l.names {
		for _, name := range []string{name + l.suffix(), name} { // another daemon may have had the name
			f := l.files(name)
			if !l.isTaken(name) && (runfile.Exists(f.Role) || runfile.Exists(f.Drain)) {
				return name
			}
		}
	}
	if l.isTaken(l.names[0]) {
		return l.names[0] + l.suffix()
	}
	return l.names[0]
}

// isTaken reports whether a name belongs to another daemon that is running, or that left services in the table of this
// network namespace and may be started again. What a stopped daemon of another namespace left does not count: so a
// daemon in a container keeps its name, although the container has a new network namespace after each start.
func (l look) isTaken(name string) bool {
	return slices.ContainsFunc(l.all, func(r record) bool {
		if r.base != name || l.isSame(r.Daemon) {
			return false
		}
		return l.lives(r) || r.NetNS == l.NetNS && r.hasServices()
	})
}

// others returns the records of other running daemons.
func (l look) others() (found []record) {
	for _, r := range l.all {
		if !l.isSame(r.Daemon) && l.lives(r) {
			found = append(found, r)
		}
	}
	return found
}

// userOf returns the other daemon that runs under a name, if there is one.
func (l look) userOf(name string) (record, bool) {
	for _, r := range l.others() {
		if r.base == name || r.Name == name {
			return r, true
		}
	}
	return record{}, false
}

// isDirector reports whether the process in our pid file is a director: a daemon of this program whose state is lost,
// or the Perl ldirectord of this configuration. After a crash the number may belong to any process, so the lock of a
// daemon of this program must be held, as far as this user can see that.
func (l look) isDirector(pid int) bool {
	if !l.sharesNetNS(pid) || !l.mayName(pid) {
		return false
	}
	line := argv(pid)
	if isOurs(line) {
		locked, err := runfile.IsLocked(l.current().Lock)
		return (locked || errors.Is(err, fs.ErrPermission)) && pid != os.Getppid() &&
			onKernel(line) == (l.Table == Kernel) && l.isFolderOf(line)
	}
	config, is := isPerl(line)
	return is && l.Table == Kernel && l.perlMeans(config)
}

// perlMeans reports whether a Perl ldirectord uses our configuration. The argument is the configuration on its command
// line. If that has no leading slash, it may be relative to an unknown folder, so only its last part is compared.
func (i Instance) perlMeans(config string) bool {
	switch {
	case config == "":
		return slices.Contains(i.names, "ldirectord")
	case filepath.IsAbs(config):
		return i.isOf(filepath.Clean(config))
	default:
		return slices.Contains(i.names, filepath.Base(config))
	}
}

// Stays reports whether a daemon keeps running. It watches the daemon for 0.3 seconds, because a daemon that was just
// ordered to stop does not record that at once.
func (i Instance) Stays(p Process) bool {
	for range 15 {
		now := i.Find()
		if now.Pid != p.Pid || !p.Lives() || isKilled(p.Pid) || cmp.Or(now.State.Phase, Running) != Running {
			return false
		}
		time.Sleep(pollInterval)
	}
	return true
}

// Chains returns the name of the daemon's mark rules. It changes only if the names of the daemon's files change. It is
// the same in Folder and in UnitFolder, so that a daemon keeps its rules when it gets its own user.
func (i Instance) Chains() string {
	pid := i.Files().Pid
	if i.folder == UnitFolder {
		return filepath.Join(Folder, filepath.Base(pid))
	}
	return pid
}

// Elsewhere returns the records of daemons that run for this file with another table or in another network namespace.
func (i Instance) Elsewhere() (states []State) {
	for _, r := range i.look().others() {
		if i.isOf(r.Path) {
			states = append(states, r.State)
		}
	}
	return states
}

// State returns the record of the daemon, whether it is running or not. The record is empty if there is none.
func (i Instance) State() State { return i.look().ours.State }
