package main

import (
	"context"
	"os/exec"
	"slices"
	"time"

	"ldirectord/notify"
)

// siblingTime is how long a sibling's status may take.
const siblingTime = 10 * time.Second

// sibling is, in a line for sh, the program with our options and the sibling's configuration.
const sibling = `"$0" "$@" `

// siblings has the daemons that execute= names do something, each in its own order.
func (d *daemon) siblings(names []string, line string) {
	for _, name := range names {
		argv := append([]string{"/bin/sh", "-c", line, d.daemonArgs()[0]}, d.ownOptions()...)
		d.hooks.Run(notify.Hook{Lane: "execute " + name, Argv: append(argv, name)})
	}
}

// startSibling starts a sibling in the role that this daemon has.
func (d *daemon) startSibling() string {
	switch d.role() {
	case active:
		return sibling + "standby && " + sibling + "notify master"
	case standby:
		return sibling + "standby && " + sibling + "notify backup"
	default:
		return sibling + "start"
	}
}

// changeSiblings follows a reload: those that go are stopped, those that stay reloaded, new ones started. A
// reload starts one that does not run, as in the reference.
func (d *daemon) changeSiblings(old, now []string) {
	gone := without(old, now)
	d.siblings(gone, sibling+"stop")
	d.siblings(without(old, gone), sibling+"reload || "+d.startSibling())
	d.siblings(without(now, old), d.startSibling())
}

// without are the names in a that are not in b.
func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(name string) bool { return slices.Contains(b, name) })
}

// siblingsStatus shows the status of the daemons that execute= names.
func (a *app) siblingsStatus(ctx context.Context) {
	words := []string{"status"}
	if a.verbose {
		words = append(words, "--verbose")
	}
	for _, name := range a.loaded.config.Global.Execute {
		ctx, cancel := context.WithTimeout(ctx, siblingTime)
		cmd := exec.CommandContext(ctx, a.daemonArgs()[0], slices.Concat(a.ownOptions(), []string{name}, words)...)
		cmd.Stdout, cmd.Stderr = a.stdout, a.stderr
		_ = cmd.Run() // what it has to say it says itself
		cancel()
	}
}
