package doctor

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"ldirectord/parser"
	"ldirectord/printable"
)

// trust warns of files that somebody else may change although the daemon runs what they say: the configuration
// and the programs that it names.
func (f *findings) trust(cfg *parser.Config) {
	told := map[string]bool{}
	judge := func(at parser.Position, path, what string) {
		if why := changeable(path); why != "" && !told[why] {
			told[why] = true
			f.warn(at, "writable-file", "%s: %s", what, why)
		}
	}
	judge(parser.Position{}, cfg.Name, "others may change this file, which names the programs that the daemon runs")
	program := func(directive, line string, at map[string]parser.Position) {
		if pos, written := at[directive]; written {
			judge(pos, programOf(line), "others may change the "+directive)
		}
	}
	program("callback", cfg.Global.Callback, cfg.Global.At)
	program("fallbackcommand", cfg.Global.FallbackCommand, cfg.Global.At)
	for i := range cfg.Virtuals {
		v := &cfg.Virtuals[i]
		program("checkcommand", v.CheckCommand, v.At)
		program("fallbackcommand", v.FallbackCommand, v.At)
		program("onchange", v.OnChange, v.At)
		program("onchange", v.OnChange, cfg.Global.At)
	}
}

// programOf is the path of the program that a command line begins with, "" where it can't be told.
func programOf(line string) string {
	word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
	path, err := exec.LookPath(word)
	if err != nil || !filepath.IsAbs(path) {
		return ""
	}
	return path
}

// changeable says how others than root and the daemon's user may change a file, or put another one in its place, and
// what mends it; "" when they can't.
func changeable(path string) string {
	if path == "" {
		return ""
	}
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "" // which others tell
	}
	for {
		if why := openTo(path); why != "" {
			return why
		}
		parent := filepath.Dir(path)
		if parent == path {
			return ""
		}
		path = parent
	}
}

// openTo says who may write to a file, or make files of a folder others; "" for nobody.
func openTo(path string) string {
	info, err := os.Lstat(path)
	if err != nil || readOnly(path) {
		return ""
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	mode := info.Mode()
	writable := mode.Perm() & 0o002
	if owner.Gid != 0 {
		writable |= mode.Perm() & 0o020
	}
	sticky := mode.IsDir() && mode&fs.ModeSticky != 0
	switch {
	case owner.Uid != 0 && int(owner.Uid) != os.Geteuid():
		return fmt.Sprintf("%s belongs to %s; chown root %s", path, userName(owner.Uid), printable.ShellWord(path))
	case writable != 0 && !sticky:
		return fmt.Sprintf("%s has mode %#o; chmod go-w %s", path, mode.Perm(), printable.ShellWord(path))
	}
	return ""
}

// readOnly tells of a file system that nobody can write to, as that of a ConfigMap.
func readOnly(path string) bool {
	var s unix.Statfs_t
	return unix.Statfs(path, &s) == nil && s.Flags&unix.ST_RDONLY != 0
}

func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return "user " + id
}
