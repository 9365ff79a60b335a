//go:build !linux

package program

import "syscall"

// kill kills a program that leads a process group, with that.
func kill(pid int) error { return syscall.Kill(-pid, syscall.SIGKILL) }
