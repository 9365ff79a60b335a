package instance

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"ldirectord/internal/runfile"
)

// pollInterval is the time between two looks at another process.
const pollInterval = 20 * time.Millisecond

// Process identifies a process. The number may be used again after the process has exited, but not with the same start
// time.
type Process struct {
	Pid   int
	Start uint64 // in ticks since boot; field 22 of proc_pid_stat(5)
}

// processOf returns the process that has this number now. It returns an error if there is none, or if it is a zombie.
func processOf(pid int) (Process, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Process{}, err
	}
	// a program's name may contain any character
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return Process{}, fmt.Errorf("process %d has ended", pid)
	}
	start, err := strconv.ParseUint(fields[19], 10, 64)
	return Process{Pid: pid, Start: start}, err
}

// Lives reports whether the process is still running. If it can't look because of a shortage, such as too few file
// descriptors, it returns true.
func (p Process) Lives() bool {
	now, err := processOf(p.Pid)
	return runfile.IsShort(err) || err == nil && now == p
}

// Await waits until the process has exited. It returns an error if ctx is done first.
func (p Process) Await(ctx context.Context) error {
	for p.Lives() {
		if !runfile.Pause(ctx, pollInterval) {
			const remedy = "to end it and leave the table as it is, use \"kill -9 %[1]d\""
			return fmt.Errorf("the daemon with pid %[1]d does not exit; "+remedy, p.Pid)
		}
	}
	return nil
}

// isKilled reports whether a process got SIGKILL. Such a process is no longer running, even if the kernel has not
// removed it yet.
func isKilled(pid int) bool {
	const bit = 1 << (syscall.SIGKILL - 1)
	pending, _ := strconv.ParseUint(strings.Join(statusOf(pid, "ShdPnd"), ""), 16, 64) // 0 if it can't be read
	return pending&bit != 0
}

// statusOf returns the words of a field in /proc/PID/status, or none if the file can't be read.
func statusOf(pid int, field string) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(text)) {
		if words, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.Fields(words)
		}
	}
	return nil
}

// UserName returns the name of a user of this machine, or "user N" if it has none.
func UserName(uid int) string {
	if who, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return who.Username
	}
	return "user " + strconv.Itoa(uid)
}

// argv returns the words of a process's command line. For a zombie, or a process that no longer exists, it returns one
// empty word.
func argv(pid int) []string {
	line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
}

// starting lists the commands that can turn a process into the daemon.
var starting = []string{"start", "standby", "restart", "try-restart"}

func starts(word string) bool { return slices.Contains(starting, word) }

// isOurs reports whether a command line belongs to a daemon of this program. The program may be called ldirectord, or
// have the name that it has in this process.
func isOurs(argv []string) bool {
	program := filepath.Base(argv[0])
	return (program == "ldirectord" || program == filepath.Base(os.Args[0])) &&
		slices.ContainsFunc(argv[1:], starts)
}

// onKernel reports whether a daemon of this program with this command line uses the kernel's table.
func onKernel(argv []string) bool { return optionOf(argv, "--ipvs", Kernel) == Kernel }

// isFolderOf reports whether this is the run folder of a daemon with this command line. If it is not, and a pid file in
// this folder has the daemon's number, that file is stale.
func (f folder) isFolderOf(argv []string) bool {
	switch dir := optionOf(argv, "--rundir", ""); {
	case dir == "":
		return f == Folder || f == UnitFolder
	case !filepath.IsAbs(dir): // relative to an unknown folder
		return true
	default:
		return runfile.SameFile(dir, string(f))
	}
}

// optionOf returns the value of an option in a command line, or without if the option is missing.
func optionOf(argv []string, name, without string) string {
	for i, word := range argv {
		if value, ok := strings.CutPrefix(word, name+"="); ok {
			return value
		}
		if word == name && i+1 < len(argv) {
			return argv[i+1]
		}
	}
	return without
}

// isPerl reports whether a command line is that of the Perl ldirectord. It also returns the configuration in it, or ""
// if there is none.
func isPerl(argv []string) (config string, is bool) {
	if !strings.HasPrefix(filepath.Base(argv[0]), "perl") {
		return "", false
	}
	words := withoutOptions(argv[1:])
	if len(words) == 0 || filepath.Base(words[0]) != "ldirectord" {
		return "", false
	}
	if words = withoutOptions(words[1:]); len(words) > 1 {
		config, words = words[0], words[1:]
	}
	return config, len(words) > 0 && starts(words[0])
}

// IsPerl reports whether the process is the Perl ldirectord, whatever its configuration.
func (p Process) IsPerl() bool {
	_, is := isPerl(argv(p.Pid))
	return is
}

func withoutOptions(words []string) []string {
	for len(words) > 0 && strings.HasPrefix(words[0], "-") {
		words = words[1:]
	}
	return words
}

// Forked lists the processes that the Perl ldirectord forked with fork=yes, one for each virtual service. These
// processes may continue to change the table after their parent has exited.
func (p Process) Forked() (children []int) {
	for _, child := range allPids() {
		if !slices.Equal(statusOf(child, "PPid"), []string{strconv.Itoa(p.Pid)}) {
			continue
		}
		if strings.HasPrefix(argv(child)[0], "ldirectord ") {
			children = append(children, child)
		}
	}
	return children
}

// allPids returns the numbers of all processes.
func allPids() (pids []int) {
	folders, _ := filepath.Glob("/proc/[0-9]*") // the pattern is good
	for _, dir := range folders {
		pid, _ := strconv.Atoi(filepath.Base(dir))
		pids = append(pids, pid)
	}
	return pids
}
