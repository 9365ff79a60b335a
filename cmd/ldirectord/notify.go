package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ldirectord/instance"
)

const (
	workerEnv = "LDIRECTORD_NOTIFY_WORKER" // marks the process that carries an order out
	orderTime = 2 * time.Minute            // for all of it: a daemon that ends is waited for

	lastOrder instance.Role = "last" // tells that process to read the order, which may be another one by then
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
	// keepalived ends its scripts a second after it started them, which may be before the daemon has heard. Taken and
	// not ignored: children would inherit that.
	signal.Notify(make(chan os.Signal, 1), unix.SIGTERM)
	if word := os.Getenv(workerEnv); word != "" {
		return a.obey(ctx, instance.Role(word))
	}
	w := instance.ToLeave
	if serve {
		w = instance.ToServe
	}
	now, err := a.giveRole(ctx, w)
	code := exitOK
	if err != nil {
		fmt.Fprintf(a.stderr, "ldirectord: %v\n", err)
		code = exitFailure
	}
	if now.carriedOut || now.role == instance.NoRole {
		return code
	}
	return max(code, a.detach(now.role, now.unsaved))
}

// given is an order as it was taken.
type given struct {
	role       instance.Role // none when it was refused
	carriedOut bool          // or the daemon that runs does it as soon as it can
	unsaved    bool          // no file has it
}

// giveRole has the running daemon follow an order, and otherwise records it. What is returned with an error is
// true as far as it goes: an order may be carried out and not be recorded.
func (a *app) giveRole(ctx context.Context, w instance.RoleChange) (given, error) {
	var answer roleAnswer
	begun := instance.SinceBoot()
	words := url.Values{"to": {string(w)}, "given": {strconv.FormatInt(int64(begun), 10)}, "via": a.via}
	err := a.socket().Order(ctx, takeTime, "/role", words, &answer)
	var refused *instance.Refusal
	switch {
	case err == nil && answer.Unsaved != "":
		return given{answer.Role, answer.Role.StaysUp(), true}, fmt.Errorf("it is carried out, but the next daemon will not know: %s", answer.Unsaved)
	case err == nil:
		return given{answer.Role, answer.Role.StaysUp(), false}, nil
	case errors.As(err, &refused) && refused.IsFinal():
		return given{}, err
	}
	now, unsaved := a.recordRole(ctx, begun, w.After)
	found := a.instance().Find()
	follows := now.StaysUp() && found.Pid != 0 && a.instance().Stays(found.Process)
	switch silent := !errors.Is(err, instance.ErrNoListener) && !errors.Is(err, instance.ErrEnding); {
	case follows && unsaved != nil:
		return given{}, errors.Join(err, unsaved)
	case follows && silent:
		return given{now, true, false}, fmt.Errorf("%w; the order is recorded, and the daemon with pid %d follows it as soon as it can", err, found.Pid)
	}
	return given{now, follows, unsaved != nil}, unsaved
}

// recordRole makes what next says of the last order the last one, unless one that was given later is there. Nobody else
// changes it meanwhile. The order is returned also if it could not be recorded.
func (a *app) recordRole(ctx context.Context, given time.Duration, next func(instance.Role) instance.Role) (instance.Role, error) {
	lock, locked := a.instance().LockFolder(ctx)
	if locked == nil {
		defer lock.Close()
	}
	last, err := a.roleFile().Read()
	if err != nil {
		return instance.NoRole, err
	}
	now := next(last.Role)
	switch {
	case last.Given > given:
		return last.Role, nil
	case locked != nil:
		return now, fmt.Errorf("recording the role: %w", locked)
	}
	return now, a.roleFile().Write(instance.RoleOrder{Role: now, Given: given})
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

// detach carries the order out in a process of a session of its own, and waits for it. That reads the order again,
// unless it could not be saved. A daemon in the foreground that crashed is left to its keeper, who starts the next
// one in this role.
func (a *app) detach(now instance.Role, unsaved bool) int {
	if s, err := a.instance().State(); err == nil && now.StaysUp() && s.Phase == instance.Running && s.Supervisor != "" {
		return exitOK
	}
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintf(a.stderr, "ldirectord: %v\n", err)
		return exitFailure
	}
	worker := exec.Command(self)
	worker.Args = a.argv
	word := lastOrder
	if unsaved {
		word = now
	}
	worker.Env = append(os.Environ(), workerEnv+"="+string(word))
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

// obey carries out an order: that one, or the last one, and then goes on as long as others come meanwhile.
func (a *app) obey(ctx context.Context, o instance.Role) int {
	os.Unsetenv(workerEnv)
	// Who reads what is said may be gone. Taken and not ignored: children would inherit that.
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)
	if o != lastOrder {
		return a.carryOut(ctx, o)
	}
	for {
		now, err := a.roleFile().Read()
		if err != nil {
			fmt.Fprintf(a.stderr, "ldirectord: %v\n", err)
			return exitFailure
		}
		code := a.carryOut(ctx, now.Role)
		if next, err := a.roleFile().Read(); err == nil && next == now || ctx.Err() != nil {
			return code
		}
	}
}

// carryOut starts or ends the daemon as an order has it.
func (a *app) carryOut(ctx context.Context, o instance.Role) int {
	switch o {
	case instance.Started, instance.Active:
		return a.begin(ctx, a.mayStart)
	case instance.Stopped:
		return a.quit(ctx)
	}
	return exitOK
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
	found := a.instance().Find()
	if found.Pid == 0 {
		return exitOK
	}
	return a.end(ctx, found.Process, syscall.SIGTERM)
}
