package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"

	"ldirectord/internal/status"
)

const (
	minWatch     = time.Second
	maxWatch     = time.Hour
	defaultWatch = "2s"

	// These switch to the terminal's alternate screen, with the cursor and line wrapping turned off, and back to
	// the unchanged normal screen.
	enterScreen = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"
	leaveScreen = "\x1b[?7h\x1b[?25h\x1b[?1049l"
)

// watch shows the daemon's report and refreshes it at each interval, until q is typed or a signal ends the command.
func watch(c *call) error {
	terminal, ok := c.stdout.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return errNotRedrawn
	}
	giveBack, err := takeTerminal(terminal)
	if err != nil {
		return errNotRedrawn
	}
	defer giveBack()
	var end context.CancelFunc
	c.ctx, end = signal.NotifyContext(c.ctx, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGPIPE)
	defer end()
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, unix.SIGWINCH)
	defer signal.Stop(resized)
	go func() {
		if quits(os.Stdin) {
			end()
		}
	}()
	next := time.NewTicker(c.Watch)
	defer next.Stop()
	screen := &status.Screen{Title: c.instanceName(), Plain: os.Getenv("NO_COLOR") != ""}
	for due := true; ; {
		if due {
			screen.Take(c.report())
		}
		size, err := unix.IoctlGetWinsize(int(terminal.Fd()), unix.TIOCGWINSZ)
		if err != nil {
			return fmt.Errorf("asking the terminal for its size: %w", err)
		}
		if _, err := io.WriteString(terminal,
			screen.Draw(time.Now(), int(cmp.Or(size.Col, 80)), int(cmp.Or(size.Row, 24)))); err != nil {
			return fmt.Errorf("writing to the terminal: %w", err)
		}
		select {
		case <-c.ctx.Done():
			return nil
		case <-next.C:
			due = true
		case <-resized:
			due = false
		}
	}
}

var errNotRedrawn = misused(
	"--watch needs a terminal as standard output; status -v shows the table once")

// takeTerminal prepares the terminal for drawing and single keys, and returns the function that restores it.
func takeTerminal(terminal *os.File) (giveBack func(), err error) {
	fd := int(terminal.Fd())
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, err
	}
	during := *before
	during.Lflag &^= unix.ICANON | unix.ECHO
	during.Cc[unix.VMIN], during.Cc[unix.VTIME] = 1, 0
	during.Cc[unix.VSUSP] = 0 // Ctrl-Z would bring the shell back on the alternate screen
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &during); err != nil {
		return nil, err
	}
	io.WriteString(terminal, enterScreen)
	return func() {
		io.WriteString(terminal, leaveScreen)
		_ = unix.IoctlSetTermios(fd, unix.TCSETSF, before) // the terminal may be gone
	}, nil
}

// quits reads the keyboard, and reports whether q was typed before the end of input.
func quits(keys io.Reader) bool {
	for typed := bufio.NewReader(keys); ; {
		key, err := typed.ReadByte()
		if err != nil || key == 'q' || key == 'Q' {
			return err == nil
		}
	}
}
