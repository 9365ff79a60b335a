package doctor

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"ldirectord/internal/instance"
	"ldirectord/internal/printable"
	"ldirectord/internal/runfile"
	"ldirectord/parser"
)

// trust warns if other users may change the configuration, from which the daemon runs commands, or the programs that it
// names.
func (f *findings) trust(cfg *parser.Config) {
	known := map[string]bool{} // paths that were judged (thousands of checks may run one program), and reasons
	judge := func(at parser.Position, path, what string) {
		if known[path] {
			return
		}
		known[path] = true
		if why, command := changeable(path); why != "" && !known[why] {
			known[why] = true
			f.addAt(at, "writable-file", why, what, command)
		}
	}
	judge(parser.Position{}, cfg.Name, "this file, and with it what the daemon does")
	for _, part := range cfg.Parts {
		judge(parser.Position{File: part}, part, "this part, and with it what the daemon does")
	}
	eachCommand(cfg, func(directive, line string, at parser.Position) {
		if directive != "execute" {
			judge(at, programOf(line), "the "+directive)
		}
	})
}

// eachCommand calls f for each command line of a configuration, and for execute=, which names other configurations.
func eachCommand(cfg *parser.Config, f func(directive, line string, at parser.Position)) {
	named := func(directive, line string, places ...map[string]parser.Position) {
		for _, place := range places {
			if at, written := place[directive]; written {
				f(directive, line, at)
				return
			}
		}
	}
	g := cfg.Global
	named("callback", g.Callback, g.At)
	named("fallbackcommand", g.FallbackCommand, g.At)
	named("execute", strings.Join(g.Execute, " "), g.At)
	for _, v := range cfg.Virtuals {
		for _, check := range v.Checks() {
			named("checkcommand", check.CheckCommand, check.At)
		}
		named("fallbackcommand", v.FallbackCommand, v.At)
		named("onchange", v.OnChange, v.At, g.At)
	}
}

// programOf returns the absolute path of the program in a command line. It returns "" if the program is not found or
// its path is relative.
func programOf(line string) string {
	word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
	path, err := exec.LookPath(word)
	if err != nil || !filepath.IsAbs(path) {
		return ""
	}
	return path
}

// changeable returns the reason why users other than root and the daemon's user could change or replace a file, and the
// command that prevents this. It returns "" if they can't.
func changeable(path string) (why, command string) {
	if path == "" {
		return "", ""
	}
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", "" // other findings report that
	}
	for parent := ""; ; path = parent {
		why, command = openTo(path)
		if parent = filepath.Dir(path); why != "" || parent == path {
			return why, command
		}
	}
}

// openTo returns the reason why users other than root and the daemon's user can write to a file or folder, and the
// command that prevents this. It returns "" if they can't.
func openTo(path string) (why, command string) {
	owner, err := runfile.Owner(path)
	if uid := int(owner); err == nil && uid != 0 && uid != os.Geteuid() && !isReadOnly(path) {
		why = fmt.Sprintf("%s belongs to %s", path, instance.UserName(uid))
		return why, "chown root " + printable.ShellWord(path)
	}
	return OpenToOthers(path)
}

// OpenToOthers returns the reason why users other than the owner can write to a file or folder, and the command that
// prevents this. It returns "" if they can't. It ignores sticky folders, the groups of root and of this process, and
// the owner's private group, which has the same number as the owner.
func OpenToOthers(path string) (why, command string) {
	info, err := os.Stat(path)
	if err != nil || isReadOnly(path) {
		return "", ""
	}
	mode, others, owner := info.Mode(), fs.FileMode(0o002), info.Sys().(*syscall.Stat_t)
	if !slices.Contains([]uint32{0, uint32(os.Getegid()), owner.Uid}, owner.Gid) {
		others = 0o022
	}
	sticky := mode.IsDir() && mode&fs.ModeSticky != 0
	if mode&others == 0 || sticky {
		return "", ""
	}
	return fmt.Sprintf("%s has mode %#o", path, mode.Perm()), "chmod go-w " + printable.ShellWord(path)
}

// isReadOnly reports whether a path is on a read-only file system, such as a ConfigMap.
func isReadOnly(path string) bool {
	var system unix.Statfs_t
	return unix.Statfs(path, &system) == nil && system.Flags&unix.ST_RDONLY != 0
}
