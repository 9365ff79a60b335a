// Package transcript records the conversation of a check with its server, for a person to read. It knows neither
// protocols nor secrets. The caller of Close passes a function that hides the secrets. Package core keeps transcripts.
package transcript

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"time"

	"ldirectord/internal/printable"
)

// Limits on the record of one check. A turn longer than maxTurn is cut, but its full size is kept. After maxTurns
// turns, further pieces of data are only counted. The number of remarks is not limited.
const (
	maxTurn  = 2 << 10 // bytes
	maxTurns = 100
)

// Kind distinguishes what was sent, what was received, and remarks by the check.
type Kind byte

// The kinds of turn.
const (
	Note     Kind = ' ' // a remark by the check itself
	Sent     Kind = '>'
	Received Kind = '<'
)

// Tape records one check. Several goroutines may use it at once. A nil Tape records nothing.
type Tape struct {
	began time.Time

	mu     sync.Mutex // guards the fields below
	turns  []turn
	left   int // pieces of data that were not kept
	closed bool
}

// turn is a remark by the check, or consecutive data from one side of a connection.
type turn struct {
	after time.Duration // since the check began
	kind  Kind
	on    any // the connection
	text  []byte
	size  int  // the size of the whole turn
	cut   bool // text is only its beginning
}

// New returns a tape for a new check.
func New() *Tape { return &Tape{began: time.Now()} }

// Say records data of a connection, or a remark.
func (t *Tape) Say(kind Kind, on any, data []byte) {
	if t == nil || len(data) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	last := len(t.turns) - 1
	if last < 0 || t.left > 0 || kind == Note || t.turns[last].kind != kind || t.turns[last].on != on {
		if last++; last >= maxTurns && kind != Note {
			t.left++
			return
		}
		t.turns = append(t.turns, turn{after: time.Since(t.began), kind: kind, on: on})
	}
	at := &t.turns[last]
	keep := data[:min(len(data), maxTurn-len(at.text))]
	at.text, at.size = append(at.text, keep...), at.size+len(data)
}

// Close ends the tape. hide returns each turn without secrets, or "" if only its size may be shown; cut means that the
// end of the turn is missing.
func (t *Tape) Close(hide func(kind Kind, text string, cut bool) string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for i := range t.turns {
		at := &t.turns[i]
		at.cut = len(at.text) < at.size
		at.text = []byte(hide(at.kind, string(at.text), at.cut))
	}
}

// String returns a closed tape as text, or "" for an open tape. The first line of a turn begins with the time since the
// check began. Each line is marked with > if it was sent, < if it was received, or a blank if it is a remark of the
// check. Unprintable bytes are escaped.
func (t *Tape) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		return ""
	}
	var b strings.Builder
	for _, at := range t.turns {
		shown := fmt.Sprintf("%9.1f ms", float64(at.after)/float64(time.Millisecond))
		if len(at.text) == 0 {
			fmt.Fprintf(&b, "%s  %c (%d bytes)\n", shown, at.kind, at.size)
			continue
		}
		for line := range bytes.Lines(at.text) {
			row := fmt.Sprintf("%12s  %c %s", shown, at.kind,
				printable.Text(string(bytes.TrimRight(line, "\r\n"))))
			b.WriteString(strings.TrimRight(row, " ") + "\n")
			shown = ""
		}
		if at.cut {
			fmt.Fprintf(&b, "%12s  %c … %d bytes in all\n", "", at.kind, at.size)
		}
	}
	if t.left > 0 {
		fmt.Fprintf(&b, "%12s    … and %d further pieces\n", "", t.left)
	}
	return b.String()
}
