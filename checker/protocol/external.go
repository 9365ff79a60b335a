package protocol

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/transcript"
	"ldirectord/checker/wire"
	"ldirectord/internal/health"
	"ldirectord/internal/subprocess"
)

const (
	// killDelay is how long to wait for a killed program to exit. A program that hangs in the kernel can't be
	// killed.
	killDelay = time.Second
	// maxOutput is how much of a program's output is kept, in bytes.
	maxOutput = 4 << 10
)

// external runs a program. Exit status 0 means that the server is up.
type external struct {
	argv     []string
	weighs   bool // exit status 2 to 102 also means up, with 0 to 100 percent of the weight
	run      func(context.Context) (output []byte, err error)
	timeout  time.Duration
	latest   time.Duration // how long run may take, unless it hangs
	children *Children
	running  chan Result // delivers the late result of a check that was given up
	counter  oomCounter
	oomKills int64 // the value of counter before the program started
}

// newExternal returns a check that takes the whole command as the name of a program and runs it without a shell, as in
// the Perl ldirectord.
func newExternal(s Spec, e *Env) (Checker, error) {
	c := newProgram(s, e, cmp.Or(s.Command, "/bin/true"))
	c.run = c.runProgram
	return c, nil
}

func newProgram(s Spec, e *Env, command ...string) *external {
	latest := s.Timeout + subprocess.Patience + killDelay
	return &external{argv: append(command, strings.Split(s.Args, "\x00")...), weighs: s.Weighs,
		timeout: s.Timeout, latest: latest, children: e.Children, counter: ownCounter()}
}

// Check implements Checker.
func (c *external) Check(ctx context.Context) Result {
	return c.bounded(ctx, func() Result {
		c.oomKills = c.counter.kills()
		output, err := c.run(ctx)
		return c.judge(ctx, output, err)
	})
}

// Programs returns how many programs of checks may run at once.
func (c *external) Programs() int { return c.children.Limit() }

// bounded makes a check that runs a program. It gives up if the program does not start and end in time. The wait for a
// free slot is not part of that time.
func (c *external) bounded(ctx context.Context, check func() Result) Result {
	if c.running != nil {
		select {
		case <-c.running:
			c.running = nil
		default:
			return c.stuck()
		}
	}
	if err := c.children.acquire(ctx, c.latest); err != nil {
		return failed(err)
	}
	ended := make(chan Result, 1)
	go func() {
		r := check()
		c.children.release()
		ended <- r
	}()
	select {
	case r := <-ended:
		return r
	case <-time.After(c.latest):
		c.running = ended
		return c.stuck()
	}
}

// stuck returns the result for a program that the kernel does not start, or that does not exit after it was killed.
func (c *external) stuck() Result {
	return unable(fmt.Sprintf("the program did not start, or did not end after it was killed, within %v", c.latest))
}

// errCrowded is the error if too many programs are running already. It counts as a shortage on this machine.
var errCrowded = wire.NewFault(syscall.ENOMEM, "too many programs are running already")

// runProgram runs the program to its end. At the timeout it kills the program and its descendants (subprocess.Kill).
func (c *external) runProgram(ctx context.Context) ([]byte, error) {
	output := &subprocess.Output{Max: maxOutput}
	err := subprocess.Run(ctx, subprocess.Command{Argv: c.argv, Limit: c.timeout, Stdout: output, Stderr: output})
	return output.Text, err
}

// judge returns the result of a check from the program's output and error.
func (c *external) judge(ctx context.Context, output []byte, err error) Result {
	if w := wire.WatchOf(ctx); w.IsTaped() {
		w.Remark("ran %q", c.argv)
		w.Tape.Say(transcript.Received, c, output)
	}
	if exit, is := errors.AsType[*exec.ExitError](err); is {
		err = ending(exit.Sys().(syscall.WaitStatus))
	}
	failure := Result{Cause: checker.Program, Stage: wire.AtAnswer}
	switch err := err.(type) {
	case nil:
		return c.passed("exit status 0", output, 100)
	case ending:
		if err.isKilled() && c.oomKills >= 0 && c.counter.kills() > c.oomKills {
			return unable("killed by the kernel, which is short of memory")
		}
		percent := syscall.WaitStatus(err).ExitStatus() - firstWeight // negative without a status
		if c.weighs && percent >= 0 && percent <= 100 {
			return c.passed(fmt.Sprintf("%v, reports %d%%", err, percent), output, percent)
		}
		failure.Detail = withOutput(err.Error(), output)
	case *subprocess.TimeoutError:
		failure.Cause, failure.Detail = checker.Timeout, withOutput(err.Error()+", killed", output)
		if err.Starved {
			failure.Cause = checker.Shortage
		}
	case *wire.Fault:
		return failed(err)
	default:
		return c.notStarted(err)
	}
	return failure
}

// passed returns the result for a program that succeeded. If weighs is set, the result reports the percentage of the
// server's weight.
func (c *external) passed(end string, output []byte, percent int) Result {
	r := passed(withOutput(end, output))
	if c.weighs {
		r.Report = health.Report{Weighs: true, Percent: uint8(percent)}
	}
	return r
}

func (c *external) notStarted(err error) Result {
	why := wire.Reason(err)
	if errors.Is(err, exec.ErrNotFound) {
		why = "not found"
	} else if _, is := os.Stat(c.argv[0]); is == nil && errors.Is(err, os.ErrNotExist) {
		why = "its interpreter or loader was not found"
	}
	r := failed(wire.NewFault(err, "can't run %s: %s", wire.Escape(c.argv[0], 2*wire.MaxExcerpt), why))
	switch {
	case errors.Is(err, syscall.EAGAIN): // no more processes
		r.Cause = checker.Shortage
	case r.Cause != checker.Shortage || errors.Is(err, syscall.EPERM): // EPERM is about the program, not a shortage
		r.Cause = checker.Program
	}
	return r
}

// ending is how a program ended if not with exit status 0. Death by a signal is a failure here, although the Perl
// ldirectord reads it as status 0.
type ending syscall.WaitStatus

func (e ending) Error() string {
	status := syscall.WaitStatus(e)
	if status.Signaled() {
		return fmt.Sprintf("died of signal %d (%s)", int(status.Signal()), status.Signal())
	}
	return fmt.Sprintf("exit status %d", status.ExitStatus())
}

// isKilled reports whether SIGKILL ended the program, or the command whose status a shell passes on.
func (e ending) isKilled() bool {
	status := syscall.WaitStatus(e)
	return status.Signal() == syscall.SIGKILL || status.ExitStatus() == 128+int(syscall.SIGKILL)
}

// firstWeight is the exit status that means 0 percent of the weight. firstWeight+100 means 100 percent. All other
// statuses except 0 are failures: programs commonly fail with 1, and shells use 126 and 127.
const firstWeight = 2

// withOutput returns a text, followed by the first non-blank line of a program's output.
func withOutput(text string, output []byte) string {
	for line := range bytes.Lines(output) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return text + ": " + wire.Escape(string(line), 4*wire.MaxExcerpt)
		}
	}
	return text
}
