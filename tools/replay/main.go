// Command replay runs tests for CI. A test that fails is played once more, alone. If it then passes, it is flaky: it is
// written down, to be fixed. Some failures never count as flaky, see grave.go.
//
//	replay FILE.json COMMAND... -- ARG...    COMMAND runs `go test ARG...` and writes its events to FILE.json
//	replay -script FILE.log COMMAND...       any other test; its output is kept in FILE.log
//
// In the environment, REPLAY is the file to which flaky tests are added, and REPLAY_UNTIL the time after which nothing
// is played again, in seconds since 1970.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// maxFlaky is how many tests may fail in one run and be played again: more are not an accident.
const maxFlaky = 3

func main() {
	seconds, err := strconv.ParseInt(os.Getenv("REPLAY_UNTIL"), 10, 64)
	if err != nil || os.Getenv("REPLAY") == "" || len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "replay: REPLAY, REPLAY_UNTIL and a command are needed")
		os.Exit(2)
	}
	p := player{flaky: os.Getenv("REPLAY"), until: time.Unix(seconds, 0), out: os.Stdout}
	file, command, play := os.Args[1], os.Args[2:], p.tests
	if file == "-script" {
		file, command, play = command[0], command[1:], p.script
	}
	if err = os.MkdirAll(filepath.Dir(file), 0o755); err == nil {
		err = play(file, command)
	}
	if err != nil {
		fmt.Println("replay:", err)
		os.Exit(1)
	}
}

type player struct {
	flaky string // the file of flaky tests
	until time.Time
	out   io.Writer
	dir   string // of the commands; "": ours
}

// tests runs go test, and plays each test that failed again. It returns an error unless all of them pass then.
func (p player) tests(file string, command []string) error {
	end := slices.Index(command, "--")
	if end < 1 {
		return errors.New("the command has no --")
	}
	os.Remove(file)
	failed := p.run(context.Background(), p.out, command)
	if failed == nil {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("%w, and it left no events: %w", failed, err)
	}
	again, grave := judge(text)
	if grave != "" {
		return fmt.Errorf("%w; not played again: %s", failed, grave)
	}
	for n, test := range again {
		kept := fmt.Sprintf("%s.again-%d.json", strings.TrimSuffix(file, ".json"), n+1)
		fmt.Fprintf(p.out, "replay: %s failed, which %s has; it is played once more\n", test, file)
		if err := p.again(test, kept, command[end+1:]); err != nil {
			return fmt.Errorf("%s failed again, which %s has: %w", test, kept, err)
		}
		if err := p.note(test.String()); err != nil {
			return err
		}
	}
	return nil
}

// again plays one test. It has passed only if its events say so: a test that was skipped or not found has not.
func (p player) again(t test, kept string, args []string) error {
	ctx, cancel := context.WithDeadline(context.Background(), p.until)
	defer cancel()
	f, err := os.Create(kept)
	if err != nil {
		return err
	}
	defer f.Close()
	packages := func(arg string) bool { return strings.HasPrefix(arg, "./") }
	args = slices.DeleteFunc(slices.Clone(args), packages)
	command := append([]string{goCommand(), "test", "-json"}, args...)
	command = append(command, "-count=1", "-run", "^"+regexp.QuoteMeta(t.name)+"$", t.pkg) // the last -run counts
	if err := p.run(ctx, f, command); err != nil {
		return err
	}
	text, err := os.ReadFile(kept)
	if err == nil && !passed(text, t) {
		err = errors.New("it did not pass")
	}
	return err
}

func goCommand() string {
	if name := os.Getenv("GO"); name != "" {
		return name
	}
	return "go"
}

// script runs a test that is not of go test, and plays it again if it fails.
func (p player) script(file string, command []string) error {
	var first error
	for n, kept := range []string{file, strings.TrimSuffix(file, ".log") + ".again.log"} {
		ctx, cancel := context.WithCancel(context.Background())
		if n > 0 {
			ctx, cancel = context.WithDeadline(ctx, p.until)
		}
		err := p.keep(ctx, kept, command)
		cancel()
		switch {
		case err == nil && n == 0:
			return nil
		case err == nil:
			return p.note(strings.Join(command, " "))
		case n > 0:
			return fmt.Errorf("%w, and again: %w", first, err)
		}
		text, _ := os.ReadFile(kept)
		if grave := isGrave(string(text)); grave != "" {
			return fmt.Errorf("%w; not played again: %s", err, grave)
		}
		first = err
		fmt.Fprintf(p.out, "replay: %s failed, which %s has; it is played once more\n", command[0], kept)
	}
	return first
}

func (p player) keep(ctx context.Context, file string, command []string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	return p.run(ctx, io.MultiWriter(p.out, f), command)
}

func (p player) run(ctx context.Context, out io.Writer, command []string) error {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.dir, out, out
	if _, limited := ctx.Deadline(); limited { // whatever it started ends with it
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
		cmd.WaitDelay = 20 * time.Second
	}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", command[0], err)
	}
	return nil
}

// note adds a test to those that are flaky.
func (p player) note(name string) error {
	f, err := os.OpenFile(p.flaky, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.out, "replay: flaky: %s\n", name)
	_, err = fmt.Fprintln(f, name)
	return errors.Join(err, f.Close())
}
