package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
	"ldirectord/internal/printable"
	"ldirectord/internal/runfile"
	"ldirectord/internal/socket"
	"ldirectord/internal/status"
	"ldirectord/internal/view"
)

// rollBudget limits how long roll waits for permission to drain a server, unless --wait-budget is given.
const rollBudget = 10 * time.Minute

// roll takes the servers out of service one after another. It drains a server, runs a command, and puts the server back
// once its checks pass. At the first failure or at a signal, it stops; if the server is drained, it stays drained.
func roll(c *call) error {
	if c.dash < 1 || c.dash == len(c.args) {
		return misused("roll: %s must come after it", c.command.Takes)
	}
	words, argv := c.args[:c.dash], c.args[c.dash:]
	virtual, servers, err := c.rolled(words)
	if err != nil {
		return err
	}
	state, err := openRoll(c.State, slices.Concat([]string{c.path}, words, []string{"--"}, argv))
	if err != nil {
		return err
	}
	defer state.close()
	if err := c.warnOfOut(servers); err != nil {
		return err
	}
	left, done := state.left(namesOf(servers))
	if err := c.keepsOrders(servers, left...); err != nil {
		return err
	}
	if len(done) > 0 {
		c.tell("rolled before: %s", strings.Join(done, " "))
	}
	// SIGPIPE is caught, because it may come from the control socket, where the request is then repeated. If nobody
	// reads the output, unread ends the roll.
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)
	var stop context.CancelFunc
	c.ctx, stop = signal.NotifyContext(c.ctx, unix.SIGINT, unix.SIGTERM)
	defer stop()
	c.Why, c.WaitBudget = cmp.Or(c.Why, orders.ByRoll), cmp.Or(c.WaitBudget, rollBudget)
	for i, real := range left {
		turn := rolling{c, append(slices.Clone(virtual), real), servers,
			fmt.Sprintf("%s, %d of %d", real, len(done)+i+1, len(done)+len(left))}
		err := state.begin(real) // this also records that the previous server is done
		if err == nil {
			err = c.keepsOrders(servers, real)
		}
		drained := false
		if err == nil {
			drained, err = turn.roll(argv)
		}
		if err != nil {
			err = cmp.Or(runfile.While("roll", context.Cause(c.ctx)), err)
			c.warn("%v", err)
			turn.hint(drained, left[i+1:], cmp.Or(state.At, real))
			return exit{status: statusFor(err)}
		}
		state.Done = append(state.Done, real)
	}
	c.tell("%s rolled", view.Plural(len(done)+len(left), "server"))
	return state.end()
}

// namesOf returns the names of servers without duplicates.
func namesOf(servers []lvs.Backend) (names []string) {
	for _, at := range servers {
		names = with(names, at.Real)
	}
	return names
}

// keepsOrders returns an error if one of the servers with these names has an order that roll would replace and then
// end. A drain in force is not an error: roll ends it as undrain would.
func (c *call) keepsOrders(servers []lvs.Backend, names ...string) error {
	known, err := c.orders()
	if err != nil {
		return err
	}
	for _, o := range known.Orders {
		real := cmp.Or(o.Server, o.Real)
		isRolled := slices.Contains(servers, lvs.At(o.Virtual, real)) && slices.Contains(names, real)
		if isRolled && (o.Kind != orders.Drain || o.Waits()) {
			return fmt.Errorf("roll would end an order: %s: %s; undo it first, or leave the server out",
				o.Backend, o.Order)
		}
	}
	return nil
}

// warnOfOut warns of servers that are already out of service in the same virtual services.
func (c *call) warnOfOut(servers []lvs.Backend) error {
	report, err := c.report()
	if err != nil {
		return err
	}
	for i := range report.Virtuals {
		v := &report.Virtuals[i]
		if !slices.ContainsFunc(servers, func(at lvs.Backend) bool { return at.Virtual == v.ID }) {
			continue
		}
		var out []string
		for k := range v.Servers {
			if s := &v.Servers[k]; s.State != "up" && s.State != "off" {
				out = append(out, s.Real+": "+s.Why())
			}
		}
		if len(out) > 0 {
			c.warn("%s: already out: %s", v.ID, view.Listed(out))
		}
	}
	return nil
}

// rolled returns the servers that the words name, in the order of the words. If the first word names a virtual service,
// rolled also returns that.
func (c *call) rolled(words []string) (virtual []string, servers []lvs.Backend, err error) {
	if _, err := c.askWhy(words[:1]); err != nil && len(words) > 1 {
		virtual, words = words[:1], words[1:]
	}
	for _, word := range words {
		found, err := c.askWhy(append(slices.Clone(virtual), word))
		if err != nil {
			return nil, nil, err
		}
		for _, s := range found.Servers {
			if !s.Fallback {
				servers = append(servers, lvs.At(s.Virtual, s.Real))
			}
		}
	}
	return virtual, servers, nil
}

// rolling is the server that is being rolled.
type rolling struct {
	*call
	server []string      // as in the command line: its virtual service, if that is named, and its name
	all    []lvs.Backend // all servers that the command rolls
	place  string        // "web1:80, 1 of 3"
}

func (r rolling) real() string { return r.server[len(r.server)-1] }

// step prints the current step of roll. It fails if nobody reads the output any more.
func (r rolling) step(what string) error {
	r.tell("%s%s", r.place, what)
	return r.unread()
}

// unread writes the answer so far, and returns an error if nobody reads it any more.
func (o *output) unread() error {
	if err := o.out.Flush(); errors.Is(err, unix.EPIPE) {
		return fmt.Errorf("roll: its output is no longer being read: %w", err)
	}
	return nil
}

// hint prints what a failed roll leaves behind, and how to continue. at is the server at which --state continues.
func (r rolling) hint(drained bool, left []string, at string) {
	if drained {
		r.warn("%s stays drained; to end that: %s undrain %s", r.real(), r.again(),
			printable.ShellLine(r.server...))
	} else {
		r.warn("%s is not drained", r.real())
	}
	if len(left) > 0 {
		r.warn("not rolled: %s", strings.Join(left, " "))
	}
	if r.State != "" {
		r.warn("to continue, run the same command again; it begins with %s", at)
	} else {
		r.warn("to continue, run the same command with %s",
			printable.ShellLine(append([]string{r.real()}, left...)...))
	}
}

// roll rolls the server. If it fails, it also reports whether the server is still drained.
func (r rolling) roll(argv []string) (drained bool, err error) {
	if err := r.step(""); err != nil {
		return false, err
	}
	if err := r.takeOut(); err != nil {
		return r.isDrained(), err
	}
	err = r.await("still has connections", func(s status.Case) (bool, string) {
		left := ""
		if s.Connections != nil {
			left = strconv.Itoa(int(s.Connections.Active))
		}
		return r.isAs(s, "out"), left
	})
	if late, is := errors.AsType[late](err); is {
		r.tell("%v; the command runs all the same", late)
	} else if err != nil {
		return true, err
	}
	if err := r.step(": running " + argv[0]); err != nil {
		return true, err
	}
	if err := r.runFor(r.real(), argv); err != nil {
		return true, err
	}
	ended := time.Now()
	passes := func(s status.Case) (bool, string) {
		left := unpassed(s, ended)
		return len(left) == 0 || s.State == "off", strings.Join(left, "; ")
	}
	if err := r.await("has not passed its checks", passes); err != nil {
		return true, err
	}
	if err := r.takeBack(); err != nil {
		return r.isDrained(), err
	}
	return false, r.await("does not serve with its full weight", func(s status.Case) (bool, string) {
		serves := r.isAs(s, "up") && !strings.Contains(s.Parts, "slowstart")
		return serves || rests(s), cmp.Or(s.Parts, s.Why())
	})
}

// rests reports whether the file keeps a server out of service: it is a backup server that waits, its weight is 0, or
// nothing checks it.
func rests(s status.Case) bool { return s.Backup == "waits" || s.Weight == 0 || s.State == "off" }

// firstLook is how long roll waits for permission to drain a server before it prints that it is waiting.
const firstLook = time.Second

// takeOut drains the server as soon as enough others serve. If it has to wait, it prints the reason.
func (r rolling) takeOut() error {
	first := *r.call
	first.WaitBudget = min(r.WaitBudget, firstLook)
	err := first.give(r.server, orders.Drain)
	if err == nil || first.WaitBudget == r.WaitBudget {
		return err
	}
	if refused, is := errors.AsType[*socket.Refusal](err); !is || !refused.IsEarly() {
		return err
	}
	short := strings.TrimSuffix(err.Error(), ", after "+firstLook.String())
	r.warn("%s; waiting for up to %v", short, r.WaitBudget)
	again, end := *r.call, time.Now().Add(r.WaitBudget)
	for {
		err := again.give(r.server, orders.Drain)
		if !errors.Is(err, socket.ErrEnding) {
			return err
		}
		answers := func(status.Case) (bool, string) { return true, "" }
		if err := r.await("is not drained yet", answers); err != nil {
			return err
		}
		again.WaitBudget = max(time.Until(end), firstLook)
	}
}

// give gives an order. If the daemon has ended, the order is only recorded, and give returns an error.
func (c *call) give(server []string, kind orders.Kind) error {
	err := setServers(c, server, string(kind))
	if err != nil && statusFor(err) == exitOK {
		return errors.New(err.Error())
	}
	return err
}

// takeBack ends the order to drain, even if a signal comes meanwhile. It fails if the server has since been given an
// order of another kind, or one that waits.
func (r rolling) takeBack() error {
	back := *r.call
	// --why and --wait-budget are only for the drain
	back.ctx, back.Why, back.WaitBudget = context.WithoutCancel(r.ctx), "", 0
	if err := back.keepsOrders(r.all, r.real()); err != nil {
		return err
	}
	return back.give(r.server, orders.Ready)
}

// isDrained reports whether the server is drained. If this can't be found out, it returns true.
func (r rolling) isDrained() bool {
	asks := *r.call
	asks.ctx = context.WithoutCancel(r.ctx)
	found, err := asks.askWhy(r.server)
	return err != nil || slices.ContainsFunc(found.Servers, func(s status.Case) bool { return s.Drained })
}

// runFor runs the command, with the name of the server in place of each word {}. If the command fails, its exit status
// becomes that of roll. A signal that ends roll also ends the command.
func (c *call) runFor(real string, argv []string) error {
	argv = slices.Clone(argv)
	for i, word := range argv {
		if word == "{}" {
			argv[i] = real
		}
	}
	cmd := exec.CommandContext(c.ctx, argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, c.stdout, c.stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second // how long the command may take to end after a signal
	err := cmd.Run()
	if failed, is := errors.AsType[*exec.ExitError](err); is && failed.ExitCode() > 0 {
		return exit{failed.ExitCode(), fmt.Errorf("%s for %s: %w", argv[0], real, err)}
	}
	return runfile.While("running the command", err)
}

// await waits until the server meets a condition in each of its virtual services, but no longer than --timeout, and
// shows what it is waiting for. Where the server does not meet the condition, met also returns the reason. If the
// daemon stops meanwhile, await waits for the next one.
func (r rolling) await(not string, met func(status.Case) (bool, string)) error {
	ctx, cancel := context.WithTimeout(r.ctx, r.Timeout)
	defer cancel()
	line := r.newWaiting()
	defer line.end()
	for {
		found, err := r.askWhy(r.server)
		why := ""
		switch {
		case found == nil:
			why = view.After(": ", err.Error())
		case err != nil: // the server has left the file
			return err
		default:
			i := slices.IndexFunc(found.Servers, func(s status.Case) bool {
				is, text := met(s)
				why = view.After(": ", text)
				return !is
			})
			if i < 0 {
				return nil
			}
			s := found.Servers[i]
			err = late(fmt.Sprintf("%s of %s %s after %v%s", s.Real, s.Virtual, not, r.Timeout, why))
		}
		line.show(r.place + ": " + not + why)
		if unread := r.unread(); unread != nil {
			return unread
		}
		if !runfile.Pause(ctx, idleInterval) {
			return cmp.Or(r.ctx.Err(), err)
		}
	}
}

// late is the error for a wait that timed out.
type late string

func (l late) Error() string { return string(l) }

// lateBy is the longest delay between a result and its recorded time.
const lateBy = time.Second

// unpassed lists a server's checks whose last run failed or began before the given moment, each with its result.
func unpassed(s status.Case, moment time.Time) (list []string) {
	checks := s.Checks
	if len(checks) == 0 {
		checks = []view.Check{{Check: s.Check}}
	}
	for _, check := range checks {
		last, found := check.Check, ""
		switch {
		case check.Agent:
			continue
		case last == nil:
			found = view.NoResult
		case !last.OK:
			found = last.Detail
		case last.Time.Add(-lateBy - time.Duration(last.Seconds*float64(time.Second))).After(moment):
			continue
		default:
			found = "no result since the command ended"
		}
		if check.Name != "" {
			found = check.Name + ": " + found
		}
		list = append(list, found)
	}
	return list
}
