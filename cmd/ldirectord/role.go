package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ldirectord/instance"
)

// ordersFormat says how the files that remember orders are written. The version before wrote no such line, and
// passes over it.
const ordersFormat = "# ldirectord 2"

// order is the last word of a cluster manager on what the director of a configuration is to be.
type order string

const (
	noOrder order = "" // it runs or not as it was told by start and stop
	started order = "started"
	stopped order = "stopped"
	active  order = "active"  // for a daemon that runs on: it serves
	standby order = "standby" // … it stands by
)

// staysUp tells whether the daemon runs on whatever the order.
func (o order) staysUp() bool { return o == active || o == standby }

// to is the order that makes the director serve, or not, in the manner of this one.
func (o order) to(serve bool) order {
	switch {
	case o.staysUp() && serve:
		return active
	case o.staysUp():
		return standby
	case serve:
		return started
	default:
		return stopped
	}
}

// dated is an order and when its command began, by the clock that counts from the boot: the latest wins, whichever
// comes first.
type dated struct {
	order order
	given time.Duration
}

// sinceBoot is the time by a clock that all processes share and nobody sets.
func sinceBoot() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// roleFile holds the last order: a word in the first line, then the format, and when it was given. It outlives the daemon that follows
// it, not a boot.
type roleFile string

func (o *options) roleFile() roleFile {
	return roleFile(o.instance().Files().Role)
}

func (d *daemon) roleFile() roleFile { return roleFile(d.hold.Role) }

// read returns the last order.
func (f roleFile) read() (order, error) {
	last, err := f.last()
	return last.order, err
}

// last returns the last order, and when it was given.
func (f roleFile) last() (dated, error) {
	text, err := instance.Read(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return dated{}, nil
	}
	if err != nil {
		return dated{}, fmt.Errorf("reading the role: %w", err)
	}
	word, rest, _ := strings.Cut(string(text), "\n")
	switch o := order(word); o {
	case noOrder, started, stopped, active, standby:
		return dated{o, givenIn(rest)}, nil
	}
	return dated{}, fmt.Errorf("reading the role: %s holds %q, which is none", f, word[:min(len(word), 64)])
}

// givenIn reads the time from the format's line. The version before wrote none, and that of a former boot, whose clock
// was ahead, says nothing.
func givenIn(line string) time.Duration {
	ns, err := strconv.ParseInt(strings.TrimSpace(strings.TrimPrefix(line, ordersFormat)), 10, 64)
	if given := time.Duration(ns); err == nil && given <= sinceBoot() {
		return given
	}
	return 0
}

// isThere reports whether there is a file at all.
func (f roleFile) isThere() bool { return isThere(string(f)) }

func isThere(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// write makes an order the last one.
func (f roleFile) write(last dated) error {
	text := fmt.Sprintf("%s\n%s %d\n", last.order, ordersFormat, last.given)
	if err := instance.Write(string(f), []byte(text), 0o600); err != nil {
		return fmt.Errorf("recording the role: %w", err)
	}
	return nil
}

// clear forgets the orders, for a daemon that is not to follow any.
func (f roleFile) clear() error {
	if err := os.Remove(string(f)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("clearing the role: %w", err)
	}
	return nil
}

// wish is what a command wants of the role, and what becomes of the last order by it.
type wish string

const (
	toServe  wish = "serve"
	toLeave  wish = "leave"
	toStayUp wish = "stay" // as it is, but from now on the daemon runs on when it does not serve
)

func (w wish) after(last order) order {
	switch {
	case w != toStayUp:
		return last.to(w == toServe)
	case last.staysUp():
		return last
	default:
		return active
	}
}

func (w wish) isKnown() bool { return w == toServe || w == toLeave || w == toStayUp }
