package checker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	// pipeDelay is how long the output of a program is waited for after its end: a process that it
	// left behind may hold the pipe for ever.
	pipeDelay = 200 * time.Millisecond
	// killDelay is how long the end of a killed program is waited for: one that hangs in the kernel
	// can't be killed.
	killDelay = time.Second
	// maxOutput is how much of a program's output is kept, in bytes; the rest is thrown away.
	maxOutput = 4 << 10
)

// external runs a program, and takes exit status 0 for "up".
type external struct {
	argv     []string
	input    string // for its standard input
	timeout  time.Duration
	children chan struct{}
	running  chan Result // of a program that did not end when it was killed
}

// newExternal takes the command as the name of a program, without arguments and without a shell, as
// the reference does.
func newExternal(s Spec, e *Env) *external {
	command := s.Command
	if command == "" {
		command = "/bin/true"
	}
	return newProgram(s, e, command)
}

func newProgram(s Spec, e *Env, command ...string) *external {
	return &external{argv: append(command, s.Args[:]...), timeout: s.Timeout, children: e.Children}
}

// Check implements Checker. Waiting until one more program may run is no part of its time.
func (c *external) Check(ctx context.Context) Result {
	if c.running != nil {
		select {
		case <-c.running:
			c.running = nil
		default:
			return Result{Cause: Timeout, Detail: "the program of the last check can't be killed"}
		}
	}
	if err := c.acquire(ctx); err != nil {
		return failed(ctx, err)
	}
	ended := make(chan Result, 1)
	go func() {
		r := c.run(ctx)
		c.release()
		ended <- r
	}()
	timer := time.NewTimer(c.timeout + killDelay)
	defer timer.Stop()
	select {
	case r := <-ended:
		return r
	case <-timer.C:
		c.running = ended
		return Result{Cause: Timeout, Detail: fmt.Sprintf("no end in %v, and it can't be killed", c.timeout)}
	}
}

// errCrowded is a shortage of ours.
var errCrowded = &fault{"too many programs are running already", syscall.ENOMEM}

// acquire waits until one more program may run.
func (c *external) acquire(ctx context.Context) error {
	if c.children == nil {
		return nil
	}
	timer := time.NewTimer(c.timeout)
	defer timer.Stop()
	select {
	case c.children <- struct{}{}:
		return nil
	case <-timer.C:
		return errCrowded
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *external) release() {
	if c.children != nil {
		<-c.children
	}
}

// run runs the program to its end, or kills it and what it started at the timeout.
func (c *external) run(ctx context.Context) Result {
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	said := &output{}
	cmd := c.command(limited, said, c.argv...)
	err := cmd.Run()
	if errors.Is(err, syscall.ENOEXEC) { // a script without #!, which execvp(3) gives to the shell
		cmd = c.command(limited, said, append([]string{"/bin/sh", cmd.Path}, c.argv[1:]...)...)
		err = cmd.Run()
	}
	if cmd.ProcessState == nil {
		return c.notStarted(ctx, err)
	}
	return c.judge(ctx, cmd.ProcessState, limited.Err() != nil, said)
}

// command prepares a program in a process group of its own.
func (c *external) command(ctx context.Context, said *output, argv ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = said, said
	if c.input != "" {
		cmd.Stdin = strings.NewReader(c.input)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return killProgram(cmd.Process.Pid) }
	cmd.WaitDelay = pipeDelay
	return cmd
}

func (c *external) notStarted(ctx context.Context, err error) Result {
	why := "not found"
	if !errors.Is(err, exec.ErrNotFound) {
		why = reason(err)
	}
	r := failed(ctx, &fault{fmt.Sprintf("can't run %s: %s", escape(c.argv[0], 2*maxExcerpt), why), err})
	if !r.Local {
		r.Cause = Program
	}
	if errors.Is(err, syscall.EAGAIN) { // no more processes
		r.Cause, r.Local = Shortage, true
	}
	return r
}

// judge tells how a program ended. A death by a signal is a failure; the reference takes it for 0.
func (c *external) judge(ctx context.Context, state *os.ProcessState, expired bool, said *output) Result {
	status, _ := state.Sys().(syscall.WaitStatus)
	cause, how := Program, fmt.Sprintf("exit status %d", status.ExitStatus())
	switch {
	case state.Success():
		return Result{OK: true, Detail: said.after(how)}
	case errors.Is(ctx.Err(), context.Canceled):
		return failed(ctx, errStopped)
	case status.Signaled() && expired:
		cause, how = Timeout, fmt.Sprintf("no end in %v, killed", c.timeout)
	case status.Signaled():
		how = fmt.Sprintf("died of signal %d (%s)", int(status.Signal()), status.Signal())
	}
	return Result{Cause: cause, Detail: said.after(how)}
}

// output keeps the beginning of what a program says.
type output struct{ said []byte }

// Write implements io.Writer; it takes everything.
func (o *output) Write(p []byte) (int, error) {
	o.said = append(o.said, p[:min(len(p), maxOutput-len(o.said))]...)
	return len(p), nil
}

// after is a text with the first line of the output behind it.
func (o *output) after(text string) string {
	for line := range bytes.Lines(o.said) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return text + ": " + escape(string(line), 4*maxExcerpt)
		}
	}
	return text
}
