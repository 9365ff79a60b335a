// Package subprocess runs other programs, each in its own process group, and limits their time and output.
package subprocess

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pipeDelay limits the wait for remaining output after a program has exited. A process that it left running may hold
// the pipe forever.
const pipeDelay = 200 * time.Millisecond

// Command is a program to run.
type Command struct {
	Argv   []string      // its name or path, and its arguments; no shell reads them
	Env    []string      // KEY=VALUE, in addition to the environment of this process
	Stdin  string        // its standard input
	Files  []*os.File    // its descriptors from 3 on; Run closes our copies after trying to start the program
	Limit  time.Duration // how long it may run
	Stdout *Output       // nil: discarded
	Stderr *Output       // may be the same as Stdout
}

// TimeoutError means that a program was killed at its time limit. It matches context.DeadlineExceeded.
type TimeoutError struct {
	Limit   time.Duration
	Starved bool // the program waited too long for a processor
}

func (e *TimeoutError) Error() string {
	if e.Starved {
		return fmt.Sprintf("did not end in %v, more than %v of it without a processor",
			e.Limit+Patience, Patience)
	}
	return fmt.Sprintf("did not end in %v", e.Limit)
}

// Unwrap makes the error match context.DeadlineExceeded.
func (e *TimeoutError) Unwrap() error { return context.DeadlineExceeded }

// FindOwn returns the path of a program that is installed with this one. It looks in this program's folder first, and
// then where Find looks.
func FindOwn(name string) (string, error) {
	self, _ := os.Executable() // after an error, Find looks in the search path twice, which does no harm
	return Find(name, filepath.Dir(self))
}

// Find returns the path of a program. It looks in the given folders first, then in the search path, and finally in the
// administrator's folders, which the search path of a daemon often lacks.
func Find(name string, first ...string) (string, error) {
	for _, dir := range append(first, "", "/usr/sbin", "/sbin", "/usr/local/sbin") { // "" is the search path
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s: not installed", name)
}

// Run runs a program until it exits. When its time limit expires, or ctx is done, Run kills the program and the
// processes that it started. The error is an *exec.ExitError if the program exited with a status other than 0 or was
// killed by a signal. If the limit expired, it is a *TimeoutError; if ctx is done, it is the cause of ctx. It may also
// be the reason why the program could not be started. Run gives a script without #! to the shell, as execvp(3) does. It
// does not return while reading the program's file hangs, or while the program can't be killed.
func Run(ctx context.Context, c Command) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	cmd := c.prepare(c.Argv...)
	touch(cmd.Path)
	err := start(cmd)
	if errors.Is(err, syscall.ENOEXEC) {
		cmd = c.prepare(append([]string{"/bin/sh", cmd.Path}, c.Argv[1:]...)...)
		err = start(cmd)
	}
	for _, file := range c.Files {
		file.Close()
	}
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- wait(cmd) }()
	err, killed := Await(ctx, ended, cmd.Process.Pid, c.Limit)
	if killed != nil {
		Kill(cmd.Process.Pid)
		err = <-ended
	}
	status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case cmd.ProcessState.Success(): // err may say that another process holds the output open
		return nil
	case killed != nil && status.Signaled():
		return killed
	}
	return err
}

// wait waits for the end of a program in Go's poller. Wait alone blocks a thread for each program: when the limit of
// processes, which counts threads too, is reached, Go's runtime ends the whole process.
func wait(cmd *exec.Cmd) error {
	fd, err := unix.PidfdOpen(cmd.Process.Pid, 0)
	if err != nil { // before Linux 5.3, or no descriptor is left
		return finish(cmd)
	}
	_ = unix.SetNonblock(fd, true) // so that NewFile puts it into the poller
	f := os.NewFile(uintptr(fd), "program")
	defer f.Close()
	if end, err := f.SyscallConn(); err == nil {
		_ = end.Read(func(uintptr) bool {
			n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
			return n != 0
		})
	}
	return finish(cmd)
}

// touch reads the beginning of a program's file, and the beginning of its interpreter's file. A folder or a disk that
// hangs then blocks only this call. In Start it would block the whole process, because Go can't stop a thread in
// vfork(2) for a garbage collection.
func touch(path string) {
	for range 2 {
		f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			return
		}
		text := make([]byte, 4096)
		n, _ := f.Read(text)
		f.Close()
		line, _, _ := strings.Cut(string(text[:n]), "\n")
		words := strings.Fields(strings.TrimPrefix(line, "#!"))
		if !strings.HasPrefix(line, "#!") || len(words) == 0 {
			return
		}
		path = words[0]
	}
}

func (c *Command) prepare(argv ...string) *exec.Cmd {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env, cmd.ExtraFiles = append(os.Environ(), c.Env...), c.Files
	if c.Stdin != "" {
		cmd.Stdin = strings.NewReader(c.Stdin)
	}
	if c.Stdout != nil {
		cmd.Stdout = c.Stdout
	}
	if c.Stderr != nil {
		cmd.Stderr = c.Stderr
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = pipeDelay
	return cmd
}
