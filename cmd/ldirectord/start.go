package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ldirectord/internal/daemon"
	"ldirectord/internal/instance"
	"ldirectord/internal/orders"
	"ldirectord/internal/socket"
	"ldirectord/internal/status"
	"ldirectord/internal/view"
)

// start starts a daemon that serves, unless one is already running.
func start(c *call) error {
	return c.begin(func(runs bool) error {
		switch {
		case isInBackground():
		case runs:
			if last, err := c.roleFile().Read(); err == nil && last.Role == instance.Standby {
				c.warn("the daemon runs and stands by; notify master promotes it")
			}
		default:
			return c.roleFile().Clear()
		}
		return nil
	})
}

// standby starts a daemon that makes checks and leaves the table alone until notify promotes it. After a crash a
// promoted daemon serves again. A daemon that is already running serves or stands by as before, but demoting it no
// longer stops it.
func standby(c *call) error {
	return c.begin(func(runs bool) error {
		last, _ := c.roleFile().Read()
		if last.Role.StaysUp() {
			return nil // the order keeps its time; a running daemon is not asked, because it may hang
		}
		if runs {
			_, err := c.giveRole(instance.ToStayUp)
			return err
		}
		given := max(daemon.OrderTime(), last.Given) // even a newer order to stop does not prevent the start
		_, err := c.recordRole(given, func(last instance.Role) instance.Role {
			if last.StaysUp() {
				return last
			}
			return instance.Standby
		})
		return err
	})
}

// begin starts the daemon in its recorded role, unless one is already running. It waits for a daemon that is stopping.
// Then it calls prepare, whose argument is true if a daemon is running. An error of prepare prevents the start.
func (c *call) begin(prepare func(runs bool) error) error {
	c.catchHangups()
	if err := c.loadOrLastGood(); err != nil {
		return err
	}
	if !isInBackground() && !c.staysInForeground() {
		signal.Stop(c.hangups)
	}
	runs, err := runs(c)
	if err == errWaitsForUs {
		return nil
	}
	if err != nil {
		return err
	}
	if err := prepare(runs); err != nil || runs {
		return err
	}
	return c.launch()
}

// catchHangups keeps a SIGHUP, which would end this process silently, for the daemon that it may become.
func (c *call) catchHangups() {
	c.hangups = make(chan os.Signal, 1)
	signal.Notify(c.hangups, unix.SIGHUP)
}

// staysInForeground reports whether this process itself becomes the daemon, instead of starting one in the background.
func (c *call) staysInForeground() bool {
	return c.Foreground || c.Debug || c.Config.Global.Supervised
}

// lastGoodEnv allows the daemon in the background to start with the last good configuration.
const lastGoodEnv = "LDIRECTORD_LAST_GOOD"

// loadOrLastGood reads the configuration. If it can't be used, and --last-good is given or the last daemon ended during
// a trial (reload --confirm), it reads the one that was last in force.
func (c *call) loadOrLastGood() error {
	asked := c.LastGood || os.Getenv(lastGoodEnv) != ""
	os.Unsetenv(lastGoodEnv)
	refused := c.load()
	if refused == nil {
		return nil
	}
	runs, since := c.found().Pid != 0, daemon.LastGood(c.path)
	if asked || !runs && daemon.TakenBack(c.path, nil) != "" {
		err := c.takeLastGood()
		if err == nil {
			c.LastGood = true
			return nil
		}
		c.say("%v", err)
	} else if !runs && !since.IsZero() {
		c.warn("to start with the last good configuration, of %s: %s %s --last-good",
			when(since), c.again(), c.verb)
	}
	return refused
}

// takeLastGood replaces the configuration with the one that was last in force, unless that one can't be used.
func (c *call) takeLastGood() error {
	last, err := daemon.LoadLastGood(c.ctx, c.source())
	if err != nil {
		return err
	}
	c.Loaded = last
	c.warn("starting with the last good configuration, of %s", when(last.GoodSince))
	return nil
}

// waitsForUs reports whether a daemon that is stopping may be waiting for this command. This is possible only if a
// daemon passed the command on. If two files name each other with execute=, each daemon would wait for the other, so
// the stopping one is left alone.
func (c *call) waitsForUs(daemon instance.Found) bool {
	return len(c.via) > 0 && daemon.Pid != 0 && daemon.Ends()
}

var errWaitsForUs = errors.New("the daemon is ending, and may be waiting for this command")

// runs reports whether a daemon is running and not about to stop. If -d or --foreground makes this process the daemon,
// a running one is an error. If only supervised = yes does, a running one is an error only if it has a supervisor. If
// the daemon is about to stop, runs waits until it has exited, unless the daemon may be waiting for this command.
func runs(c *call) (bool, error) {
	ctx, cancel := context.WithTimeout(c.ctx, daemon.EndTimeout)
	defer cancel()
	found := c.found()
	if found.Unseen != nil {
		if found.Ends() {
			c.warn("a daemon in another PID namespace is ending; waiting for up to %v", daemon.EndTimeout)
		}
		return false, c.instance().AwaitUnseen(ctx)
	}
	if found.Pid == 0 {
		return false, nil
	}
	if c.instance().Stays(found.Process) {
		if c.Foreground || c.Debug || c.Config.Global.Supervised && found.State.Supervisor != "" {
			return true, fmt.Errorf(
				"it is already running with pid %d; to end it and keep the table, use stop --keep",
				found.Pid)
		}
		return true, nil
	}
	if c.waitsForUs(c.found()) { // only now: it may have begun to stop meanwhile
		return false, errWaitsForUs
	}
	return false, found.Await(ctx)
}

// reload makes the running daemon read the file again, if the file is good, and waits until the table has been updated.
// A daemon without a control socket gets a signal instead, and reports no result.
func reload(c *call) error {
	err := c.load()
	if err != nil {
		if c.found().Pid != 0 { // for the daemon's log, status and metrics
			words := url.Values{"refused": {err.Error()}}
			if c.Loaded != nil {
				words["refused"] = c.Refusals()
			}
			_ = c.socket().Order(c.ctx, socket.AskTimeout, "/reload", words, new(struct{}))
		}
		return err
	}
	found := c.found()
	switch {
	case found.Unseen != nil:
		return found.Unseen
	case found.Pid == 0:
		stopped := "ldirectord is stopped for " + c.path
		if c.say("%s", stopped); c.answer != nil {
			c.answer["error"] = stopped
		}
		return exit{exitFailure, c.others()}
	case c.waitsForUs(found):
		return nil
	}
	words := url.Values{"via": c.via}
	if c.Empty {
		words.Set("empty", "")
	}
	order := "/reload"
	if c.Confirm > 0 {
		order = "/try" // earlier versions refuse this
		words.Set("within", c.Confirm.String())
	}
	err = c.socket().Order(c.ctx, daemon.ReloadTimeout, order, words, new(struct{}))
	refused, _ := errors.AsType[*socket.Refusal](err)
	switch {
	case errors.Is(err, socket.ErrEnding) && c.waitsForUs(c.found()):
		return nil
	case errors.Is(err, socket.ErrNoListener) && !c.Empty && c.Confirm == 0:
		return send(found.Pid, unix.SIGHUP)
	case refused != nil && strings.HasPrefix(refused.Text, daemon.FileRefused):
		return exit{exitConfig, err}
	case err == nil:
		if report, err := c.report(); err == nil {
			c.warnOfOrders(report.Orders)
			c.warnOfTable(report.Virtuals)
		}
	}
	return err
}

// confirm keeps the configuration that reload --confirm put in force.
func confirm(c *call) error {
	if err := c.lacksDaemon("nothing waits for confirm"); err != nil {
		return err
	}
	return c.socket().Order(c.ctx, daemon.OrderTimeout, "/confirm", nil, new(struct{}))
}

// warnOfOrders names the servers, virtual services and addresses that have an order and are no longer in the file.
func (c *call) warnOfOrders(all []orders.Entry) {
	var lost []string
	for _, o := range all {
		if o.Lost {
			lost = append(lost, o.Backend.String())
		}
	}
	if len(lost) > 0 {
		c.warn("%s kept for what is no longer in the file: %s", view.Plural(len(lost), "order"),
			strings.Join(lost, ", "))
	}
}

// warnOfTable names the first virtual services whose last change of the table failed, and why.
func (c *call) warnOfTable(all []status.Virtual) {
	const most = 10
	failed := slices.DeleteFunc(slices.Clone(all), func(v status.Virtual) bool { return v.Error == "" })
	for _, v := range failed[:min(len(failed), most)] {
		c.warn("the table could not be changed for %s: %s", view.Label(v.ID, v.Title), v.Error)
	}
	if more := len(failed) - most; more > 0 {
		c.warn("nor for %s; status shows each", view.Plural(more, "more virtual service"))
	}
}
