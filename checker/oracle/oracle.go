// Package oracle defines what ldirectord and ldirectord-oracle exchange for one check of a database. The program reads
// a Question in JSON from its standard input, and writes an Answer on one line to its standard output. It opens no
// connections, but inherits sockets that lead to ldirectord. To use a socket, it writes a port number (two bytes) to
// it. ldirectord then opens a connection to that port of the server, and relays data between the socket and the
// connection.
package oracle

import "net/netip"

// Program is the name of the program.
const Program = "ldirectord-oracle"

const (
	// Sockets is how many sockets the program inherits. It limits how often a listener can redirect the program.
	Sockets = 3
	// FirstSocket is the descriptor of the first socket.
	FirstSocket = 3
	// Unit is the maximum packet size to negotiate, in bytes. It is Oracle's default.
	Unit = 8192
	// MaxText limits the text of an Answer, in bytes.
	MaxText = 1 << 10
)

// Question is the check to make. Its []byte fields need not be valid UTF-8.
type Question struct {
	Server   netip.AddrPort // the address as sent to the listener
	Login    []byte
	Password []byte
	Database []byte // a SID or, after a slash, the name of a service
	Query    []byte
	HostName string // of this machine
}

// Answer is the result of the check. Without an Outcome it is invalid.
type Answer struct {
	Outcome Outcome `json:"Verdict"`
	Rows    int     // rows that the query changed; 1 if it returned some
	InQuery bool    // the log-in succeeded: Outcome is that of the query
	Lost    bool    // failed after the connection was lost
	Text    []byte
}

// Outcome is how a check ended.
type Outcome string

// The outcomes.
const (
	Done    Outcome = "done"
	Refused Outcome = "refused" // refused by the server; Text has its reason
	Failed  Outcome = "failed"  // Text has the reason
)

// IsKnown reports whether v is one of these outcomes.
func (v Outcome) IsKnown() bool { return v == Done || v == Refused || v == Failed }
