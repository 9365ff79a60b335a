package subprocess

import (
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// programs are the programs that this package has started and will wait for.
var programs = struct {
	sync.Mutex
	byPid   map[int]*exec.Cmd
	reaping sync.Once
}{byPid: map[int]*exec.Cmd{}}

// ReapOrphans makes this process, if it is the first one of a container, reap orphans from now on. The kernel makes the
// first process the parent of each process whose own parent has exited, even of those that `docker exec` starts. Their
// zombies would use up the process limit.
func ReapOrphans() {
	if os.Getpid() == 1 {
		programs.reaping.Do(func() { go reapForever() })
	}
}

// start starts a program, and registers it for reap.
func start(cmd *exec.Cmd) error {
	programs.Lock() // until the program is registered, reap would take it for an orphan
	defer programs.Unlock()
	if err := cmd.Start(); err != nil {
		return err
	}
	programs.byPid[cmd.Process.Pid] = cmd
	ReapOrphans()
	return nil
}

// finish waits until a program has exited, and undoes its registration by start.
func finish(cmd *exec.Cmd) error {
	defer func() {
		programs.Lock()
		defer programs.Unlock()
		if pid := cmd.Process.Pid; programs.byPid[pid] == cmd { // another program may have got its number
			delete(programs.byPid, pid)
		}
	}()
	return cmd.Wait()
}

func reapForever() {
	var seen map[int]bool
	for {
		time.Sleep(time.Second) // a ticker would not keep two looks apart after a stall
		seen = reap(seen)
	}
}

// reap reaps the zombies among our children that are not in programs, if they were already zombies at the last look. It
// leaves new zombies alone and returns them, because go-iptables, which starts programs itself, may be about to wait
// for them.
func reap(seen map[int]bool) (found map[int]bool) {
	programs.Lock()
	defer programs.Unlock()
	found = map[int]bool{}
	for _, pid := range children(os.Getpid()) {
		switch {
		case programs.byPid[pid] != nil || !isZombie(pid):
		case seen[pid]:
			_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		default:
			found[pid] = true
		}
	}
	return found
}

// isZombie reports whether a child has exited. It leaves the child's status to whoever waits for the child.
func isZombie(pid int) bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return err == nil && info.Signo != 0
}
