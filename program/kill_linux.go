package program

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// maxDescendants bounds how many processes of one program are looked for.
const maxDescendants = 10000

// kill kills a program that leads a process group, with that and with what left the group: a child that called
// setsid, whatever it started. Whose parent has ended is init's and not found; making all such ours instead
// (PR_SET_CHILD_SUBREAPER) would be for the whole process, and take the waiting for children out of os/exec's hands.
func kill(pid int) error {
	all := []int{pid}
	for i := 0; i < len(all) && len(all) < maxDescendants; i++ {
		syscall.Kill(all[i], syscall.SIGSTOP) // it starts no more of them
		all = append(all, children(all[i])...)
	}
	err := syscall.Kill(-pid, syscall.SIGKILL)
	for _, descendant := range all[1:] {
		syscall.Kill(descendant, syscall.SIGKILL)
	}
	return err
}

// children are the processes that those threads of a process started which live. There are none where the kernel does
// not tell them (CONFIG_PROC_CHILDREN).
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
