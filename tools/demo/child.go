package main

import "syscall"

// childAttr keeps Ctrl-C from the daemon, which the demo ends itself, and ends the daemon with the demo.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
