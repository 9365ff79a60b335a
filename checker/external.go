package checker

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"ldirectord/checker/transcript"
	"ldirectord/program"
)

const (
	// killDelay is how long the end of a killed program is waited for: one that hangs in the kernel
	// can't be killed.
	killDelay = time.Second
	// maxOutput bounds what is kept of a program's output, in bytes.
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
// the Perl ldirectord does.
func newExternal(s Spec, e *Env) (Checker, error) {
	return newProgram(s, e, cmp.Or(s.Command, "/bin/true")), nil
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
			return Result{Cause: Timeout, Stage: AtAnswer, Detail: "the program of the last check can't be killed"}
		}
	}
	if _, err := acquire(ctx, c.children, c.timeout, errCrowded); err != nil {
		return failed(ctx, err)
	}
	ended := make(chan Result, 1)
	go func() {
		r := c.run(ctx)
		releaseSlot(c.children)
		ended <- r
	}()
	timer := time.NewTimer(c.timeout + killDelay)
	defer timer.Stop()
	select {
	case r := <-ended:
		return r
	case <-timer.C:
		c.running = ended
		return Result{Cause: Timeout, Stage: AtAnswer, Detail: fmt.Sprintf("no end in %v, and it can't be killed", c.timeout)}
	}
}

// errCrowded is a shortage of this machine.
var errCrowded = &fault{"too many programs are running already", syscall.ENOMEM}

// run runs the program to its end, or kills it and what it started at the timeout.
func (c *external) run(ctx context.Context) Result {
	said := &program.Output{Max: maxOutput}
	err := program.Run(ctx, program.Command{Argv: c.argv, Stdin: c.input, Limit: c.timeout, Stdout: said, Stderr: said})
	if w := watchOf(ctx); w.isTaped() {
		w.remark("ran %q", c.argv)
		w.tape.Say(transcript.Received, c, said.Text)
	}
	var exit *exec.ExitError
	switch {
	case err == nil:
		return passed(withOutput("exit status 0", said.Text))
	case errors.Is(ctx.Err(), context.Canceled):
		return failed(ctx, errStopped)
	case errors.Is(err, context.DeadlineExceeded):
		return Result{Cause: Timeout, Stage: AtAnswer, Detail: withOutput(fmt.Sprintf("no end in %v, killed", c.timeout), said.Text)}
	case errors.As(err, &exit):
		return Result{Cause: Program, Stage: AtAnswer, Detail: withOutput(ending(exit.ProcessState), said.Text)}
	}
	return c.notStarted(ctx, err)
}

func (c *external) notStarted(ctx context.Context, err error) Result {
	why := "not found"
	if !errors.Is(err, exec.ErrNotFound) {
		why = reason(err)
	}
	r := failed(ctx, &fault{fmt.Sprintf("can't run %s: %s", escape(c.argv[0], 2*maxExcerpt), why), err})
	switch {
	case errors.Is(err, syscall.EAGAIN): // no more processes
		r.Cause = Shortage
	case r.Cause != Shortage || errors.Is(err, syscall.EPERM): // that is said of the program
		r.Cause = Program
	}
	return r
}

// ending says how a program failed. A death by a signal is a failure; the Perl takes it for status 0.
func ending(state *os.ProcessState) string {
	status, _ := state.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return fmt.Sprintf("died of signal %d (%s)", int(status.Signal()), status.Signal())
	}
	return fmt.Sprintf("exit status %d", status.ExitStatus())
}

// withOutput is a text, followed by the first line of a program's output.
func withOutput(text string, output []byte) string {
	for line := range bytes.Lines(output) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return text + ": " + escape(string(line), 4*maxExcerpt)
		}
	}
	return text
}

//go:embed externalperl.pl
var perlRunner string

// newExternalPerl runs a Perl file in a Perl of its own for each check. The Perl ldirectord
// reads it once into itself; here a file that hangs or crashes harms only its own check.
func newExternalPerl(s Spec, e *Env) (Checker, error) {
	c := newProgram(s, e, "perl", "-", s.Command)
	c.input = perlRunner
	return c, nil
}
