package subprocess

import (
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// programs are the programs that this package has started and will wait for.
var programs = struct {
	sync.Mutex
	byPid   map[int]*exec.Cmd
	reaping sync.Once
}{byPid: map[int]*exec.Cmd{}}

// start starts a program. As the first process of a container, this process also begins to reap orphans: the kernel
// makes it the parent of each process whose own parent has exited, and their zombies would use up the process limit.
func start(cmd *exec.Cmd) error {
	programs.Lock() // until the program is registered, reap would take it for an orphan
	defer programs.Unlock()
	if err := cmd.Start(); err != nil {
		return err
	}
	programs.byPid[cmd.Process.Pid] = cmd
	if os.Getpid() == 1 {
		programs.reaping.Do(func() { go reapForever() })
	}
	return nil
}

// finish waits until a program from start has exited.
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
	for range time.Tick(time.Second) {
		reap()
	}
}

// reap removes the zombies among our children that are not programs from start.
func reap() {
	programs.Lock()
	defer programs.Unlock()
	for _, pid := range children(os.Getpid()) {
		if programs.byPid[pid] == nil {
			_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		}
	}
}
