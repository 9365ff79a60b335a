package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"syscall"
	"time"
)

const (
	stopTimeout = 10 * time.Second // for the daemon's orderly end, before it is killed
	maxLine     = 16 << 10         // bytes of one log line
)

// startDaemon starts ldirectord in the foreground; the end of ctx tells it to stop. The channel
// brings the way it ended, once: nil for status 0.
func startDaemon(ctx context.Context, s *stage) (<-chan error, error) {
	cmd := s.ldirectord(ctx, "start", "--debug")
	cmd.SysProcAttr = childAttr()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTimeout
	cmd.Stderr = &logLines{show: s.showLog}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the daemon: %w", err)
	}
	ended := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		how := cmd.ProcessState.Sys().(syscall.WaitStatus)
		early := ctx.Err() != nil && how.Signal() == syscall.SIGTERM // before the daemon waits for it
		if cmd.ProcessState.Success() || early {
			err = nil // instead of "context canceled"
		}
		ended <- err
	}()
	return ended, nil
}

// ldirectord is the program with the demo's own file, table and run folder: it needs no rights.
func (s *stage) ldirectord(ctx context.Context, args ...string) *exec.Cmd {
	table := "memory:" + s.tableFile
	if s.inKernel() {
		table = "kernel"
	}
	return exec.CommandContext(ctx, s.daemon,
		append([]string{"--ipvs", table, "--rundir", s.dir, s.conf}, args...)...)
}

// logLines is the writer that splits the daemon's log into lines.
type logLines struct {
	show func(line string)
	rest []byte // the beginning of a line
}

func (l *logLines) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		line, rest, ok := bytes.Cut(l.rest, []byte("\n"))
		if !ok {
			break
		}
		l.show(string(line))
		l.rest = rest
	}
	if len(l.rest) > maxLine {
		l.rest = nil
	}
	return len(p), nil
}
