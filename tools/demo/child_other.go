//go:build !linux

package main

import "syscall"

// childAttr keeps Ctrl-C from the daemon, which the demo ends itself.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
