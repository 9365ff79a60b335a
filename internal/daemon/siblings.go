package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"ldirectord/internal/instance"
	"ldirectord/internal/notify"
	"ldirectord/internal/runfile"
)

// sibling is the beginning of a shell command that calls this program with our options and the sibling's configuration.
const sibling = `"$0" "$@" `

// viaEnv is the environment variable that passes Via to a command that a daemon runs, and to the daemon that this
// command starts. It has one file per line.
const viaEnv = "LDIRECTORD_EXECUTE"

// givenEnv is the environment variable with the time at which the role of a daemon was ordered. The daemon sets it for
// the commands that it runs for its siblings.
const givenEnv = "LDIRECTORD_GIVEN"

// OrderTime returns when the order of this command was given, as a time since boot. An order that a daemon passes on
// keeps its time, so that it does not override a newer order to the sibling, however late it arrives.
func OrderTime() time.Duration {
	now := runfile.SinceBoot()
	if ns, err := strconv.ParseInt(os.Getenv(givenEnv), 10, 64); err == nil && ns > 0 {
		return min(now, time.Duration(ns))
	}
	return now
}

// Via lists the files whose daemons have passed a command on to their siblings, and those siblings. Files may name each
// other, so a command is never passed on to a file in Via.
type Via []string

// PassedOn returns the files whose daemons need not be told of this command.
func PassedOn() Via {
	return strings.FieldsFunc(os.Getenv(viaEnv), func(r rune) bool { return r == '\n' })
}

// And returns v with one more file.
func (v Via) And(path string) Via { return append(slices.Clone(v), path) }

// Env returns the variable that passes v to a command.
func (v Via) Env() string { return viaEnv + "=" + strings.Join(v, "\n") }

// Sibling is what a name in execute= leads to.
type Sibling struct {
	Name string // as in the file
	Word string // the word that leads to its file on a command line
	Path string // the path of its file; "" if that is missing
}

// Siblings returns what the names in execute= lead to, without the files in v. It also returns v with their files,
// because a command that all of them get need not be passed on to any of them. If here is true, a name that the folders
// of daemons don't have may mean a file in the current folder, as with -d.
func (v Via) Siblings(names []string, dirs instance.ConfigDirs, here bool) (all []Sibling, with Via) {
	with = slices.Clone(v)
	for _, name := range names {
		s := siblingOf(name, dirs, here)
		isIn := func(path string) bool { return s.Path == path || runfile.SameFile(s.Path, path) }
		if s.Path == "" || !slices.ContainsFunc(v, isIn) {
			all, with = append(all, s), append(with, s.Path)
		}
	}
	return all, with
}

func siblingOf(name string, dirs instance.ConfigDirs, here bool) Sibling {
	word := name
	if strings.HasPrefix(name, "-") { // otherwise it would be taken for an option
		word = "./" + name
	}
	near, _ := dirs.Find(word) // what a command line finds
	path, err := dirs.FindNamed(name)
	switch {
	case err == nil && (near != path || word != name):
		return Sibling{name, path, path}
	case err != nil && !here:
		return Sibling{name, filepath.Join("/", name), ""}
	}
	return Sibling{name, word, near}
}

// siblings are the daemons that execute= lines name. They are started, reloaded and stopped together with this daemon.
type siblings struct {
	d *daemon

	mu    sync.Mutex // guards what follows
	names []string
	gone  []string // those that the last reload stopped
	role  instance.RoleOrder
	over  bool // they were stopped, and nothing may start them again
}

// start starts the siblings in the role of this daemon.
func (s *siblings) start(via Via) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.run(s.names, "role", s.startLine(), via)
}

// follow puts the siblings in a new role.
func (s *siblings) follow(role instance.RoleOrder, via Via) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.role = role
	s.run(s.names, "role", s.startLine(), via)
}

// change is called after a reload. It stops siblings that are no longer named, reloads the others and starts new ones.
// A reload also starts a sibling that is not running, as in the Perl ldirectord.
func (s *siblings) change(now []string, via Via) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.names
	s.gone = without(before, now)
	s.names = slices.Concat(now, s.gone) // all that this reload concerns, see run
	s.run(s.gone, "", sibling+"stop", via)
	s.run(without(before, s.gone), "reload", sibling+"reload || "+s.startLine(), via)
	s.run(without(now, before), "", s.startLine(), via)
	s.names = now
}

func (s *siblings) stop(via Via) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.run(s.names, "", sibling+"stop", via)
	s.over = true
}

// run runs a shell command for each sibling. Commands for the same sibling run in sequence, and those for different
// siblings in parallel. A command replaces the waiting one with the same key, or all waiting ones if its key is "". So
// a reload is not lost when the role changes, and nothing starts a sibling after a stop.
func (s *siblings) run(names []string, key, line string, via Via) {
	if s.over {
		return
	}
	given := fmt.Sprintf("%s=%d", givenEnv, s.role.Given)
	self, err := os.Executable()
	if err != nil {
		s.d.failed(notify.HookFailed, "Execute", err)
		return
	}
	concerned := slices.Concat(names, without(s.names, names)) // no other daemon need tell any of them
	all, via := via.And(s.d.Config.Path).Siblings(concerned, s.d.Config.Dirs, true)
	for _, one := range all {
		if !slices.Contains(names, one.Name) {
			continue
		}
		argv := append([]string{"/bin/sh", "-c", line, self}, s.d.Args...)
		hook := executed(one.Name)
		hook.Key = key
		hook.Argv, hook.Env = append(argv, one.Word), []string{via.Env(), given}
		s.d.hooks.Run(hook)
	}
}

// executed returns the hook of a sibling, without what it runs.
func executed(name string) notify.Hook { return notify.Hook{Lane: "execute " + name, Command: name} }

// used returns the hooks that may run. A sibling whose line has gone keeps its hook until the next reload, so that its
// stop is tried again, and a failure is shown.
func (s *siblings) used() (all []notify.Hook) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range slices.Concat(s.names, s.gone) {
		all = append(all, executed(name))
	}
	return all
}

// startLine returns the shell command that starts a sibling in the role of this daemon.
func (s *siblings) startLine() string {
	switch s.role.Role {
	case instance.Active:
		return sibling + "standby && " + sibling + "notify master"
	case instance.Standby:
		return sibling + "standby && " + sibling + "notify backup"
	default:
		return sibling + "start"
	}
}

// without returns the names in a that are not in b.
func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(name string) bool { return slices.Contains(b, name) })
}
