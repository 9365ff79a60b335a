package main

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"ldirectord/instance"
	"ldirectord/notify"
)

// siblingTime is how long a sibling's status may take.
const siblingTime = 10 * time.Second

// sibling is, in a line for sh, the program with our options and the sibling's configuration.
const sibling = `"$0" "$@" `

// viaEnv tells a command that a daemon gives, and the daemon that the command starts, the files whose daemons
// passed it on, a line each: files may name each other.
const viaEnv = "LDIRECTORD_EXECUTE"

// passedOn are the files whose daemons passed this command on.
func passedOn() []string {
	return strings.FieldsFunc(os.Getenv(viaEnv), func(r rune) bool { return r == '\n' })
}

// siblings has the daemons that execute= names do something, each in its own order, but none that has passed it on.
func (d *daemon) siblings(names []string, line string, via []string) {
	via = append(slices.Clone(via), d.path)
	self, err := os.Executable()
	if err != nil {
		d.recorded(err)
		return
	}
	for _, name := range names {
		if isAmong(name, via) {
			continue
		}
		argv := append([]string{"/bin/sh", "-c", line, self}, d.ownOptions()...)
		d.hooks.Run(notify.Hook{Lane: "execute " + name, Argv: append(argv, fileWord(name)), Env: viaOf(via)})
	}
}

func viaOf(via []string) []string { return []string{viaEnv + "=" + strings.Join(via, "\n")} }

// isAmong reports whether the file that execute= names is one of these.
func isAmong(name string, paths []string) bool {
	path, err := locate(name)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(paths, func(other string) bool { return path == other || stamp(path).isOf(stamp(other)) })
}

// fileWord is a file's name as a word of the command line that is no option.
func fileWord(name string) string {
	if strings.HasPrefix(name, "-") {
		return "./" + name
	}
	return name
}

// waitsForUs reports whether a daemon that ends may wait for this command: it was passed on by a daemon, and files
// that name each other have both wait. It is left alone.
func (a *app) waitsForUs(daemon instance.Found) bool {
	return len(a.via) > 0 && isEnding(daemon)
}

// startSibling starts a sibling in the role that this daemon has.
func startSibling(role instance.Role) string {
	switch role {
	case instance.Active:
		return sibling + "standby && " + sibling + "notify master"
	case instance.Standby:
		return sibling + "standby && " + sibling + "notify backup"
	default:
		return sibling + "start"
	}
}

// changeSiblings follows a reload: those that go are stopped, those that stay reloaded, new ones started. A
// reload starts one that does not run, as in the reference.
func (f *configFile) changeSiblings(now []string) {
	old, via := f.loaded.config.Global.Execute, f.now.via
	gone := without(old, now)
	f.siblings(gone, sibling+"stop", via)
	f.siblings(without(old, gone), sibling+"reload || "+startSibling(f.role), via)
	f.siblings(without(now, old), startSibling(f.role), via)
}

// without are the names in a that are not in b.
func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(name string) bool { return slices.Contains(b, name) })
}

// siblingsStatus shows the status of the daemons that execute= names.
func (a *app) siblingsStatus(ctx context.Context, names []string) {
	words := []string{"status"}
	if a.verbose {
		words = append(words, "--verbose")
	}
	via := append(slices.Clone(a.via), a.path)
	self, err := os.Executable()
	if err != nil {
		return
	}
	for _, name := range names {
		if isAmong(name, via) {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, siblingTime)
		cmd := exec.CommandContext(ctx, self, slices.Concat(a.ownOptions(), []string{fileWord(name)}, words)...)
		cmd.Env = append(os.Environ(), viaOf(via)...)
		cmd.Stdout, cmd.Stderr = a.stdout, a.stderr
		_ = cmd.Run() // what it has to say it says itself
		cancel()
	}
}
