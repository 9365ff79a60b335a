package maintenance

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"ldirectord/internal/printable"
	"ldirectord/internal/runfile"
)

const (
	maxFile = 64 << 10 // bytes read of a file
	maxNote = 200      // bytes of its reason that are kept
)

// note is the content of a file in the folder.
type note struct {
	text  string    // the reason and the end; "" if the file is empty
	until time.Time // zero: until the file is removed
}

// readNote reads a file. The reason is in the line why=, or otherwise in the first line other than until=. The line
// until= has the end of the maintenance. If its time is invalid, there is no end, and the text says so. readNote does
// not follow a link: otherwise, a user who may write to the folder could see files that only the daemon may read.
func readNote(path string) (n note, err error) {
	f, err := runfile.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, syscall.ELOOP) {
		return note{text: "; no end: a link is not read"}, nil
	}
	if err != nil {
		return n, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return n, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return note{text: ": " + err.Error()}, err
	}
	why, end := whyAndUntil(string(text))
	if why != "" {
		start, _ := printable.Cut(why, maxNote)
		n.text = ": " + printable.Line(start)
	}
	if end == "" {
		return n, nil
	}
	if n.until, err = ParseUntil(end, info.ModTime()); err != nil {
		n.text += "; no end: " + err.Error()
	} else {
		n.text += "; until " + n.until.Local().Format(time.DateTime)
	}
	return n, nil
}

// whyAndUntil returns the reason and the end that a file gives.
func whyAndUntil(text string) (why, end string) {
	for line := range strings.Lines(strings.TrimSpace(text)) {
		line = strings.TrimSpace(line)
		switch word, rest, is := strings.Cut(line, "="); {
		case is && word == "until":
			end = strings.TrimSpace(rest)
		case is && word == "why":
			why = strings.TrimSpace(rest)
		case why == "":
			why = line
		}
	}
	return why, end
}

// ParseUntil reads a time: a date with a time of day, or a time of day alone, which means its first occurrence later
// than the given time. The default time zone is the local one.
func ParseUntil(text string, after time.Time) (time.Time, error) {
	for _, form := range []string{time.RFC3339, time.DateTime, "2006-01-02 15:04", "2006-01-02T15:04"} {
		if t, err := time.ParseInLocation(form, text, time.Local); err == nil {
			return t, nil
		}
	}
	clock, err := time.Parse("15:04", text)
	if err != nil {
		return time.Time{},
			fmt.Errorf("%q is not a time; write 18:00, 2026-11-21 18:00 or 2026-11-21T18:00:00Z", text)
	}
	after = after.Local()
	for day := range 3 {
		t := time.Date(after.Year(), after.Month(), after.Day()+day, clock.Hour(), clock.Minute(), 0, 0,
			time.Local)
		if t.After(after) {
			return t, nil
		}
	}
	// anybody may set a file's time to the last one that a clock can have
	return time.Time{}, fmt.Errorf("there is no %s after the file's time, %d", text, after.Unix())
}
