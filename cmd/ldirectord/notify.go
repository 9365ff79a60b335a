package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ldirectord/internal/daemon"
	"ldirectord/internal/instance"
	"ldirectord/internal/printable"
	"ldirectord/internal/resolve"
	"ldirectord/internal/runfile"
	"ldirectord/internal/socket"
)

const (
	workerEnv = "LDIRECTORD_NOTIFY_WORKER" // marks the process that carries an order out
	// the time limit for the whole order, including the wait for a daemon that is stopping
	orderTimeout = 2 * time.Minute
	// the time limit for the start of the next daemon: a slow file, look-ups, and the pause of a supervisor
	nextTimeout = runfile.ReadTimeout + resolve.LookupDeadline + 5*time.Second

	// the value of workerEnv that makes that process read the recorded order, which may be later than this one
	lastOrder instance.Role = "last"
)

// vrrpStates maps a state of a VRRP instance or group to true if the director serves in that state. The names are those
// of keepalived.conf(5) and its scripts.
var vrrpStates = map[string]bool{
	"master": true, "master_rx_lower_pri": true,
	"backup": false, "fault": false, "stop": false, "deleted": false,
}

// notifyState makes the director serve, or stop serving, according to the VRRP state. It promotes or demotes a daemon
// that standby started; otherwise it starts or stops the daemon. The last order wins. Because keepalived kills its
// scripts when it exits, an order is carried out even if this process is killed.
func notifyState(c *call) error {
	serve, err := vrrpServes(c.args)
	if err != nil {
		return misused("notify: %w", err)
	}
	var cancel context.CancelFunc
	c.ctx, cancel = context.WithTimeout(c.ctx, orderTimeout)
	defer cancel()
	// When keepalived exits, it kills its scripts a second after it started them, which may be before the daemon
	// has answered. SIGTERM is caught rather than ignored, because children would inherit an ignored signal.
	signal.Notify(make(chan os.Signal, 1), unix.SIGTERM)
	if word := os.Getenv(workerEnv); word != "" {
		return obey(c, instance.Role(word))
	}
	change := instance.ToLeave
	if serve {
		change = instance.ToServe
	}
	left, err := c.giveRole(change)
	if left == instance.NoRole {
		return err
	}
	status := c.complain(err)
	if err := detach(c, left, err == nil); err != nil || status == exitOK {
		return err
	}
	return exit{status: status}
}

// giveRole gives an order to the running daemon, or else records it. It returns the role that the caller still has to
// carry out. This is NoRole if the running daemon carries the order out, now or as soon as it can, if it has refused
// the order, or if it could not be told. The role is valid even with an error. An error with a role other than NoRole
// means that no file records the order.
func (c *call) giveRole(change instance.RoleChange) (left instance.Role, err error) {
	var answer daemon.RoleAnswer
	given := daemon.OrderTime()
	words := url.Values{"to": {string(change)}, "given": {strconv.FormatInt(int64(given), 10)}, "via": c.via}
	err = c.socket().Order(c.ctx, daemon.OrderTimeout, "/role", words, &answer)
	refused, _ := errors.AsType[*socket.Refusal](err)
	switch {
	case err == nil:
		if answer.Unsaved != "" {
			const lost = "the role has changed, but it is not saved for the next daemon: %s"
			err = fmt.Errorf(lost, answer.Unsaved)
		}
		if !answer.Role.StaysUp() {
			left = answer.Role
		}
		return left, err
	case refused != nil && refused.IsFinal(), errors.Is(err, fs.ErrPermission):
		return left, err
	}
	now, unrecorded := c.recordRole(given, change.After)
	found := c.found()
	if !now.StaysUp() || found.Pid == 0 || !c.instance().Stays(found.Process) {
		return now, unrecorded
	}
	switch {
	case unrecorded != nil:
		return left, errors.Join(err, unrecorded)
	case errors.Is(err, socket.ErrNoListener), errors.Is(err, socket.ErrEnding):
		return left, nil
	}
	return left, fmt.Errorf("%w; the order is recorded, and the daemon with pid %d follows it as soon as it can",
		err, found.Pid)
}

// recordRole passes the recorded role to next and records the result instead, unless a later order is already recorded.
// It holds the folder's lock meanwhile. It returns the role that now applies, even if the folder could not be locked or
// the role could not be written.
func (c *call) recordRole(given time.Duration,
	next func(instance.Role) instance.Role) (instance.Role, error) {
	lock, locked := c.instance().LockFolder(c.ctx)
	if locked == nil {
		defer lock.Close()
	}
	last, err := c.roleFile().Read()
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
	return now, c.roleFile().Write(instance.RoleOrder{Role: now, Given: given})
}

// vrrpServes reads the state from the command line. This is either STATE or INSTANCE|GROUP NAME STATE PRIORITY, which
// keepalived appends to the command of `notify`.
func vrrpServes(args []string) (serve bool, err error) {
	state := args[0]
	switch {
	case len(args) == 1:
	case len(args) == 4 && (args[0] == "INSTANCE" || args[0] == "GROUP"):
		state = args[2]
	default:
		return false, fmt.Errorf("%q: STATE, or INSTANCE|GROUP NAME STATE PRIORITY, is allowed",
			strings.Join(args, " "))
	}
	serve, known := vrrpStates[strings.ToLower(state)]
	if !known {
		return false, fmt.Errorf("%q: master, backup, fault and stop are allowed", state)
	}
	return serve, nil
}

// detach carries out the order in a process with its own session, and waits for that process. If the order is recorded,
// the process reads it again. If the role keeps a daemon running, and a record says that one runs with a supervisor,
// that daemon has crashed: the supervisor starts the next one in this role, and detach starts nothing. If the next one
// is to serve, detach waits for it.
func detach(c *call, now instance.Role, recorded bool) error {
	if s := c.instance().State(); now.StaysUp() && s.Phase == instance.Running && s.Supervisor != "" {
		if now == instance.Standby {
			return nil
		}
		return c.awaitNext(s.Supervisor)
	}
	if recorded {
		now = lastOrder
	}
	worker, err := ownProcess(c.argv, workerEnv+"="+string(now))
	if err != nil {
		return err
	}
	worker.Stdout, worker.Stderr = c.stdout, c.stderr
	return statusOf(worker.Run())
}

// awaitNext waits until a supervisor has started the next daemon. The supervisor may have given up, for example because
// of a mistake in the file.
func (c *call) awaitNext(by instance.Supervisor) error {
	ctx, cancel := context.WithTimeout(c.ctx, nextTimeout)
	defer cancel()
	for runfile.Pause(ctx, nextTimeout/100) {
		if found := c.found(); found.Pid != 0 && c.instance().Stays(found.Process) {
			return nil
		}
	}
	how := "where the last one was started"
	if by != somebody {
		how = "with " + printable.ShellLine("systemctl", "start", string(by))
	}
	return fmt.Errorf("no daemon is running: none was started after the crash; start one %s", how)
}

// obey carries out the given order. For lastOrder, it carries out the last recorded order, and repeats this if another
// one was recorded meanwhile.
func obey(c *call, role instance.Role) error {
	os.Unsetenv(workerEnv)
	if role != lastOrder {
		err := carryOut(c, role)
		last, _ := c.roleFile().Read()
		if err == nil && role == instance.Active && last.Role == instance.Standby {
			// the daemon has taken its role from the file
			_, err = c.giveRole(instance.ToServe)
		}
		return err
	}
	for {
		now, err := c.roleFile().Read()
		if err != nil {
			return err
		}
		err = carryOut(c, now.Role)
		if next, unread := c.roleFile().Read(); unread == nil && next.Role == now.Role || c.ctx.Err() != nil {
			return err
		}
		c.complain(err)
	}
}

// carryOut starts or stops the daemon, as the order requires. It can stop a running daemon even if the file is missing
// or refused.
func carryOut(c *call, role instance.Role) error {
	switch role {
	case instance.Started, instance.Active:
		return c.begin(c.mayStart)
	case instance.Stopped:
		if found := c.found(); found.Pid != 0 {
			return end(c, found.Process, unix.SIGTERM)
		}
	}
	return nil
}

// mayStart refuses to start a daemon that only a supervisor may start. Others start in the background.
func (c *call) mayStart(runs bool) error {
	c.Debug, c.Foreground = false, false
	if !runs && c.Config.Global.Supervised {
		return errors.New("supervised = yes: only the supervisor may start the daemon; " +
			"notify can only promote a daemon that was started with the command standby")
	}
	return nil
}
