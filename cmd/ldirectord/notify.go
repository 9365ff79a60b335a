package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	workerEnv = "LDIRECTORD_NOTIFY_WORKER" // marks the process that carries an order out
	orderTime = 2 * time.Minute            // for all of it: a daemon that ends is waited for
	orderLook = 5 * time.Millisecond       // between two looks at what the daemon did
)

// vrrpStates are the states of an instance or a group in which its director serves, or does not, as
// keepalived.conf(5) and the scripts it runs name them.
var vrrpStates = map[string]bool{
	"master": true, "master_rx_lower_pri": true,
	"backup": false, "fault": false, "stop": false, "deleted": false,
}

// notify makes the director serve or not, as VRRP has it: one that was started by standby is promoted or
// demoted, any other one started or stopped. The last order wins, and it is carried out even if this
// process is killed, as keepalived does with its scripts when it ends.
func (a *app) notify(ctx context.Context) int {
	serve, err := vrrpServes(a.args)
	if err != nil {
		fmt.Fprintf(a.stderr, "ldirectord: notify: %v\n", err)
		return exitUsage
	}
	ctx, cancel := context.WithTimeout(ctx, orderTime)
	defer cancel()
	if os.Getenv(workerEnv) != "" {
		return a.obey(ctx)
	}
	now, err := a.roleFile().change(ctx, func(last order) order { return last.to(serve) })
	if err != nil {
		fmt.Fprintf(a.stderr, "ldirectord: %v\n", err)
		return exitFailure
	}
	if pid, _ := a.instance().find(); now.staysUp() && pid != 0 {
		return a.awaitRole(ctx, pid, now)
	}
	return a.detach(now)
}

// vrrpServes reads the state from the command line: STATE, or INSTANCE|GROUP NAME STATE PRIORITY, which
// keepalived puts behind the command of `notify`.
func vrrpServes(args []string) (serve bool, err error) {
	state := args[0]
	switch {
	case len(args) == 1:
	case len(args) == 4 && (args[0] == "INSTANCE" || args[0] == "GROUP"):
		state = args[2]
	default:
		return false, fmt.Errorf("%q: STATE, or INSTANCE|GROUP NAME STATE PRIORITY, is allowed", strings.Join(args, " "))
	}
	serve, known := vrrpStates[strings.ToLower(state)]
	if !known {
		return false, fmt.Errorf("%q: master, backup, fault and stop are allowed", state)
	}
	return serve, nil
}

// awaitRole waits until the running daemon has carried an order out, or another one came.
func (a *app) awaitRole(ctx context.Context, pid int, wanted order) int {
	ctx, cancel := context.WithTimeout(ctx, takeTime)
	defer cancel()
	for {
		s, err := a.instance().read()
		if err == nil && s.Pid == pid && s.Role == wanted {
			return exitOK
		}
		if now, err := a.roleFile().read(); err == nil && now != wanted {
			return exitOK
		}
		if !isDirector(pid) {
			return a.detach(wanted)
		}
		select {
		case <-ctx.Done():
			fmt.Fprintf(a.stderr, "ldirectord: the daemon with pid %d has not carried it out after %v\n", pid, takeTime)
			return exitFailure
		case <-time.After(orderLook):
		}
	}
}

// detach carries the order out in a process of a session of its own, and waits for it. A daemon in the
// foreground that crashed is left to its keeper, who starts the next one in this role.
func (a *app) detach(now order) int {
	if s, err := a.instance().read(); err == nil && now.staysUp() && s.Phase == running && s.Keeper != "" {
		return exitOK
	}
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintf(a.stderr, "ldirectord: %v\n", err)
		return exitFailure
	}
	worker := exec.Command(self)
	worker.Args = a.argv
	worker.Env = append(os.Environ(), workerEnv+"=1")
	worker.Stdout, worker.Stderr = a.stdout, a.stderr
	worker.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = worker.Run()
	var failed *exec.ExitError
	switch {
	case errors.As(err, &failed):
		return max(failed.ExitCode(), exitFailure)
	case err != nil:
		fmt.Fprintf(a.stderr, "ldirectord: %v\n", err)
		return exitFailure
	}
	return exitOK
}

// obey carries out the last order, and goes on as long as others come meanwhile.
func (a *app) obey(ctx context.Context) int {
	os.Unsetenv(workerEnv)
	// Who reads what is said may be gone. Taken and not ignored: children would inherit that.
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)
	for {
		now, err := a.roleFile().read()
		if err != nil {
			fmt.Fprintf(a.stderr, "ldirectord: %v\n", err)
			return exitFailure
		}
		code := exitOK
		switch now {
		case started, active:
			code = a.begin(ctx, a.mayStart)
		case stopped:
			code = a.quit(ctx)
		}
		if next, err := a.roleFile().read(); err == nil && next == now || ctx.Err() != nil {
			return code
		}
	}
}

// mayStart refuses to start what its supervisor starts, and in the foreground.
func (a *app) mayStart(runs bool) error {
	a.debug, a.stay = false, false
	if !runs && a.supervised() {
		return errors.New("supervised: only its supervisor starts it; started by standby it can be promoted")
	}
	return nil
}

// quit ends the daemon if one runs, whatever state the file is in.
func (a *app) quit(ctx context.Context) int {
	pid, _ := a.instance().find()
	if pid == 0 {
		return exitOK
	}
	return a.end(ctx, pid, syscall.SIGTERM)
}
