//go:build !linux

package checker

import "syscall"

// killProgram kills a program that leads a process group, with that.
func killProgram(pid int) error { return syscall.Kill(-pid, syscall.SIGKILL) }
