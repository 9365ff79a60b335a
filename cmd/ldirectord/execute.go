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

// siblings has the daemons that execute= names do something. Each is told in its own order; a reload
// starts one that does not run, as in the reference.
func (d *daemon) siblings(verb string, names []string) {
	program := d.daemonArgs()[0]
	for _, name := range names {
		argv := append([]string{program}, d.ownOptions()...)
		argv = append(argv, name, verb)
		if verb == "reload" {
			argv = append([]string{"/bin/sh", "-c", `"$0" "$@" reload || "$0" "$@" start`}, argv[:len(argv)-1]...)
		}
		d.hooks.Run(notify.Hook{Lane: "execute " + name, Argv: argv})
	}
}

// changeSiblings follows a reload: those that go are stopped, those that stay reloaded, new ones started.
func (d *daemon) changeSiblings(old, now []string) {
	d.siblings("stop", without(old, now))
	d.siblings("reload", without(old, without(old, now)))
	d.siblings("start", without(now, old))
}

// without are the names in a that are not in b.
func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(name string) bool { return slices.Contains(b, name) })
}

// siblingsStatus shows the status of the daemons that execute= names.
func (a *app) siblingsStatus(ctx context.Context) {
	for _, name := range a.loaded.config.Global.Execute {
		ctx, cancel := context.WithTimeout(ctx, siblingTime)
		cmd := exec.CommandContext(ctx, a.daemonArgs()[0], append(a.ownOptions(), name, "status")...)
		cmd.Stdout, cmd.Stderr = a.stdout, a.stderr
		_ = cmd.Run() // what it has to say it says itself
		cancel()
	}
}
