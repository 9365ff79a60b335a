package subprocess

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// maxDescendants limits the number of processes that Kill looks for.
const maxDescendants = 10000

// Kill kills a program and its process group, which the program must lead. It also kills descendants that left the
// group by setsid, but not one whose parent has exited, because such a process is a child of init.
// PR_SET_CHILD_SUBREAPER would make it our child, but also every other orphan among our descendants, and we would have
// to reap them all.
func Kill(pid int) {
	all := []int{pid}
	for i := 0; i < len(all) && len(all) < maxDescendants; i++ {
		syscall.Kill(all[i], syscall.SIGSTOP) // a stopped process starts no more children
		all = append(all, children(all[i])...)
	}
	syscall.Kill(-pid, syscall.SIGKILL)
	for _, descendant := range all[1:] {
		syscall.Kill(descendant, syscall.SIGKILL)
	}
}

// children returns the children of all threads of a process, including orphans that the kernel has given to it. On a
// kernel without CONFIG_PROC_CHILDREN it returns none.
func children(pid int) (list []int) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range files {
		text, _ := os.ReadFile(file)
		for _, word := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(word); err == nil && child > 1 {
				list = append(list, child)
			}
		}
	}
	return list
}
