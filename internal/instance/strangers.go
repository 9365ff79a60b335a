package instance

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"ldirectord/internal/runfile"
)

// Stranger is another director that uses the kernel's table but has no record in our run folders. It is the Perl
// ldirectord, or a daemon of this program with its own run folder.
type Stranger struct {
	Process
	Config string // the configuration on a Perl ldirectord's command line; "" for none
	Proved bool   // it is certainly a Perl ldirectord in this network namespace
	RunDir string // of a daemon of this program; "" for a Perl ldirectord
	forked []Process
}

// Lives reports whether the director or a process that it forked is still running.
func (s *Stranger) Lives() bool {
	for _, pid := range s.Forked() {
		if p, err := processOf(pid); err == nil && !slices.Contains(s.forked, p) {
			s.forked = append(s.forked, p)
		}
	}
	return s.Process.Lives() || slices.ContainsFunc(s.forked, Process.Lives)
}

// Strangers finds the Perl ldirectords that have a pid file in one of the run folders. If everybody is true, it reads
// the command lines of all processes, and so also finds other Perl ldirectords, and daemons of this program that have
// no record here. It leaves out known processes.
func (i Instance) Strangers(known map[int]bool, everybody bool) (found []Stranger) {
	if i.Table != Kernel {
		return nil
	}
	pids := i.pids()
	if everybody {
		pids = allPids()
	}
	for _, pid := range pids {
		line := argv(pid)
		config, perl := isPerl(line)
		dir := ""
		if isOurs(line) && onKernel(line) {
			dir = i.unexamined(pid, optionOf(line, "--rundir", ""))
		}
		if known[pid] || !perl && dir == "" || !i.sharesNetNS(pid) || !isTrusted(pid) {
			continue
		}
		if p, err := processOf(pid); err == nil {
			found = append(found, Stranger{Process: p, Config: config, RunDir: dir,
				Proved: perl && netNSOf(strconv.Itoa(pid)) != 0})
		}
	}
	return found
}

// unexamined returns the run folder of a daemon with this --rundir, or "" if i.folders contains it. A daemon in a
// container may have a /run of its own. If this process has no right to trace the daemon, the daemon's /run counts as
// examined.
func (i Instance) unexamined(pid int, dir string) string {
	if dir != "" {
		if runfile.Exists(dir) && slices.Contains(i.folders(), folder(filepath.Clean(dir))) {
			return ""
		}
		return dir
	}
	dir = fmt.Sprintf("/proc/%d/root%s", pid, Folder)
	isHere := func(f folder) bool { return runfile.SameFile(dir, string(f)) }
	if !runfile.Exists(dir) || slices.ContainsFunc(i.folders(), isHere) {
		return ""
	}
	return dir
}

// isTrusted reports whether a process runs as root or as our user. A process of any other user is ignored, because that
// user can give it any command line.
func isTrusted(pid int) bool {
	ids := statusOf(pid, "Uid")
	return len(ids) > 1 && (ids[1] == "0" || ids[1] == strconv.Itoa(os.Geteuid()))
}

// pids returns the numbers in the pid files of the run folders.
func (i Instance) pids() (list []int) {
	for _, dir := range i.folders() {
		files, _ := filepath.Glob(filepath.Join(string(dir), prefix+"*.pid")) // the pattern is good
		for _, path := range files {
			pid, _ := readPid(path)
			list = append(list, pid)
		}
	}
	return list
}
