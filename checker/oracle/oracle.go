// Package oracle is what ldirectord and the program ldirectord-oracle tell each other. The program makes one check of a
// database: it reads a Question, in JSON, from standard input, and writes an Answer, on one line, to standard output.
// It opens no connections itself: it has sockets, each of which ldirectord connects to the server when it has read from
// it, in two bytes, the port.
package oracle

import "net/netip"

// Program is the name of the program.
const Program = "ldirectord-oracle"

const (
	// Sockets is how many sockets the program has, so it bounds how often a listener may redirect.
	Sockets = 3
	// FirstSocket is the descriptor of the first one.
	FirstSocket = 3
	// Unit is the largest packet that is asked for, in bytes, and Oracle's default.
	Unit = 8192
	// MaxText bounds the text of an Answer, in bytes.
	MaxText = 1 << 10
)

// Question is what to check. A text need not be UTF-8.
type Question struct {
	Server   netip.AddrPort // as the listener is told it
	Login    []byte
	Password []byte
	Database []byte // a SID or, after a slash, the name of a service
	Query    []byte
	HostName string // of this machine
}

// Answer is what came of it. Without a Verdict it is none.
type Answer struct {
	Verdict Verdict
	Rows    int  // that the query changed; 1 where it returned some
	InQuery bool // refused or failed after the log-in
	Lost    bool // failed when the connection had ended
	Text    []byte
}

// Verdict is how a check ended.
type Verdict string

// The verdicts.
const (
	Done    Verdict = "done"
	Refused Verdict = "refused" // by the server, with the Text
	Failed  Verdict = "failed"  // the Text says why
)

// IsKnown reports whether it is one of these.
func (v Verdict) IsKnown() bool { return v == Done || v == Refused || v == Failed }
