package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

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

// roleFile holds the last order, one word. It outlives the daemon that follows it and the command that
// wrote it, not a boot.
type roleFile string

func (o *options) roleFile() roleFile {
	return roleFile(filepath.Join(o.runDir, "ldirectord."+o.instanceName()+".role"))
}

// read returns the last order.
func (f roleFile) read() (order, error) {
	file, err := openFile(string(f), os.O_RDONLY, 0)
	if os.IsNotExist(err) {
		return noOrder, nil
	}
	if err != nil {
		return noOrder, fmt.Errorf("reading the role: %w", err)
	}
	defer file.Close()
	return readOrder(file)
}

func readOrder(file *os.File) (order, error) {
	text, err := io.ReadAll(io.LimitReader(file, 64))
	if err != nil {
		return noOrder, fmt.Errorf("reading the role: %w", err)
	}
	word, _, _ := strings.Cut(string(text), "\n") // what stands behind it is older
	switch o := order(word); o {
	case noOrder, started, stopped, active, standby:
		return o, nil
	}
	return noOrder, fmt.Errorf("reading the role: %s holds %q, which is none", file.Name(), word)
}

// clear forgets the orders, for a daemon that is not to follow any.
func (f roleFile) clear() error {
	if last, err := f.read(); err == nil && last == noOrder {
		return nil
	}
	if err := os.Truncate(string(f), 0); err != nil {
		return fmt.Errorf("clearing the role: %w", err)
	}
	return nil
}

// change makes next of the last order the current one. Nobody else changes it meanwhile.
func (f roleFile) change(ctx context.Context, next func(order) order) (order, error) {
	file, err := openFile(string(f), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return noOrder, fmt.Errorf("recording the role: %w", err)
	}
	defer file.Close()
	if err := lock(ctx, file, syscall.LOCK_EX); err != nil {
		return noOrder, fmt.Errorf("recording the role: %w", err)
	}
	last, err := readOrder(file)
	if err != nil {
		return noOrder, err
	}
	now := next(last)
	if now == last {
		return now, nil
	}
	// Never half a word, whenever the process is killed: first the new one, then the rest of the old one off.
	text := string(now) + "\n"
	if _, err := file.WriteAt([]byte(text), 0); err != nil {
		return noOrder, fmt.Errorf("recording the role: %w", err)
	}
	if err := file.Truncate(int64(len(text))); err != nil {
		return noOrder, fmt.Errorf("recording the role: %w", err)
	}
	return now, nil
}
