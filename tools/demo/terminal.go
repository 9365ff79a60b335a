package main

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// ownTerminal takes the terminal from make, which Ctrl-C would end with an error of its own. It returns
// what gives the terminal back. Ctrl-Z is ignored then: nobody could continue the demo.
func ownTerminal() (giveBack func()) {
	in := int(os.Stdin.Fd())
	former, err := unix.IoctlGetInt(in, unix.TIOCGPGRP)
	if err != nil || former != unix.Getpgrp() || former == unix.Getpid() {
		return func() {} // no terminal, not in front of it, or started by the shell itself
	}
	signal.Ignore(unix.SIGTTOU, unix.SIGTTIN, unix.SIGTSTP)
	if unix.Setpgid(0, 0) != nil {
		return func() {}
	}
	_ = unix.IoctlSetPointerInt(in, unix.TIOCSPGRP, unix.Getpid())
	return func() { _ = unix.IoctlSetPointerInt(in, unix.TIOCSPGRP, former) }
}
