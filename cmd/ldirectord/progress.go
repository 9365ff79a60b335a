package main

import (
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"ldirectord/internal/printable"
)

// waitingLine is how often a waiting command that can't redraw a line prints one.
const waitingLine = 10 * time.Second

// waiting shows what a command is waiting for, and how long it has waited. On a terminal it redraws a single line.
// Elsewhere, or if TERM is dumb, it prints a line every waitingLine.
type waiting struct {
	*output
	began, shown time.Time
	redraws      bool
}

func (o *output) newWaiting() *waiting {
	return &waiting{o, time.Now(), time.Now(), o.onTerminal() && os.Getenv("TERM") != "dumb"}
}

// clearLine clears the current line. cut makes the terminal cut off long lines instead of wrapping them, and wrap
// undoes this.
const clearLine, cut, wrap = "\r\x1b[K", "\x1b[?7l", "\x1b[?7h"

func (w *waiting) show(text string) {
	text += ", " + time.Since(w.began).Round(time.Second).String()
	switch {
	case w.redraws:
		io.WriteString(w.stdout, clearLine+cut+printable.Text(text)+wrap)
	case time.Since(w.shown) >= waitingLine:
		w.tell("%s", text)
		w.flush()
		w.shown = time.Now()
	}
}

// end removes the line that was drawn.
func (w *waiting) end() {
	if w.redraws {
		io.WriteString(w.stdout, clearLine)
	}
}

// onTerminal reports whether standard output is a terminal.
func (o *output) onTerminal() bool {
	f, ok := o.stdout.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
