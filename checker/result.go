package checker

import (
	"crypto/tls"
	"errors"
	"hash/crc32"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"ldirectord/checker/icmp"
	"ldirectord/checker/wire"
	"ldirectord/internal/health"
	"ldirectord/internal/raw"
)

// MaxBody limits the kept part of a server's answer, in bytes.
const MaxBody = 1000

// Result is the result of one check.
type Result struct {
	OK    bool
	Cause Cause // of a failure
	// the stage of a failure; of a success AtConnect if the check only connected, else AtMatch or AtStart
	Stage wire.Stage
	Way   Way // the path of the answer
	// OwnAnswers: the check failed through the virtual address, but the server answers at its own address.
	OwnAnswers bool
	Report     health.Report // what the server reports about itself; its text is in Detail
	// one line: the reason for a failure, or what the check saw; control characters are escaped, secrets removed
	Detail string
	// what Spec.Same found in the answer, up to 64 bytes; cleaned like Detail
	Shows   string
	Warning string // reported once, such as a redirect that leaves the server
	// Body is the beginning of a failing HTTP server's page as received, or the status if there is no page; ""
	// without an answer. It has no secrets of the configuration.
	Body string
	Took time.Duration
	// Stages are the times when each stage was done.
	Stages wire.Stages
	// CertEnd is when the server's certificate expires, in seconds since the epoch; 0 without a certificate.
	CertEnd int64
	Cert    uint32 // a checksum of that certificate; 0 without one
}

// Way is the path of a check.
type Way uint8

// The paths of a check.
const (
	WayOwn     Way = iota // at its own address
	WayThrough            // through the virtual address, by Spec.Through
	// at its own address, because the path through the virtual one can't be judged now; Warning has the reason
	WayVoid
)

// Conclusive reports whether the result proves something about the server.
func (r Result) Conclusive() bool {
	return r.Cause != Shortage && r.Cause != Unjudged && r.Cause != Silent
}

// Cause is the class of a failure, for counting. Its names are stable.
type Cause uint8

// The causes of failures.
const (
	Other       Cause = iota // none of the others
	Answer                   // the server answers, but not as configured
	Timeout                  // no answer in time, or not all of it
	Refused                  // no program listens there
	Closed                   // the server closed or reset the connection
	Unreachable              // the network reports no route
	Lookup                   // a name was not found
	TLS                      // no handshake, or a certificate that is not trusted
	Program                  // the checkcommand exited with a status other than 0, or died by a signal
	// Shortage is a lack of descriptors, memory, ports or permissions on this machine: it proves nothing about the
	// server.
	Shortage
	// Unjudged is an answer that can't be compared with receive within the time limit. It proves nothing about the
	// server either, and does not make the next check earlier.
	Unjudged
	Silent // an agent sends nothing, or nothing usable: that proves nothing about the server
	Causes // the number of causes
)

func (c Cause) String() string {
	return [Causes]string{"other", "answer", "timeout", "refused", "closed", "unreachable", "lookup", "tls",
		"program", "shortage", "unjudged", "silent"}[c]
}

// causeOf returns the class of an error that ended a check.
func causeOf(err error) Cause {
	var (
		lookup *net.DNSError
		record tls.RecordHeaderError
		failed *wire.HandshakeError
		errno  syscall.Errno
	)
	switch {
	case errors.Is(err, wire.ErrStopped), isShortage(err):
		return Shortage
	case errors.Is(err, wire.ErrUnjudged):
		return Unjudged
	case errors.As(err, &lookup):
		return Lookup
	case wire.IsTimeout(err), errors.Is(err, syscall.ETIMEDOUT):
		return Timeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	case wire.IsClosed(err), wire.IsOneOf(err, syscall.EPIPE, syscall.ECONNRESET):
		return Closed
	case wire.IsOneOf(err, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.ENETDOWN, syscall.EHOSTDOWN):
		return Unreachable
	case errors.As(err, &record), errors.As(err, &failed):
		return TLS
	case errors.As(err, &errno):
		return Other
	default:
		return Answer
	}
}

// Watched adds the times and the certificate to the result of a check.
func (r *Result) Watched(w *wire.Watch) {
	done, shown, took := w.Seen()
	if r.Stages = done; shown != nil {
		r.CertEnd, r.Cert = shown.NotAfter.Unix(), crc32.ChecksumIEEE(shown.Raw)
	}
	r.Conclude(took)
}

// Conclude notes the end and the duration of a check. An answer that was judged is complete.
func (r *Result) Conclude(took time.Duration) {
	if r.Stage != wire.AtMatch {
		return
	}
	if r.Stages[wire.MarkAnswer] == 0 {
		r.Stages.Set(wire.MarkAnswer, took)
	}
	r.Stages.Set(wire.MarkMatch, took)
}

// Failed returns the result of a check that ended with an error. That is a failure of the server, unless our own
// machine was short of something.
func Failed(err error) Result {
	return Result{Detail: err.Error(), Cause: causeOf(err), Stage: wire.StageOf(err)}
}

// Panicked returns the result of a check in which a program panicked over an answer. The warning has the place, and is
// reported once.
func Panicked(program, what, place string) Result {
	what = strings.TrimPrefix(what, "runtime error: ")
	return Result{
		Detail:  "panic over the answer: " + wire.Escape(what, 2*wire.MaxExcerpt),
		Warning: "a fault in " + program + ": panic at " + place,
	}
}

// isShortage reports whether an error is a shortage of this machine. (EADDRNOTAVAIL, of UDP EAGAIN or EADDRINUSE: no
// local port is left. ENOSPC: epoll may watch no more sockets; [os.ErrNoDeadline]: so Go's runtime does not watch this
// one.) No route to the server is not a shortage: the server can't be reached.
//
// EPERM is a shortage: a firewall rule of this machine, or its full connection table, dropped the packet. No network
// reports EPERM. EACCES is a shortage only for a ping socket: with IPv6 a router or the server reports it too.
func isShortage(err error) bool {
	var origin *raw.OriginError
	return errors.As(err, &origin) || wire.IsOneOf(err, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM,
		syscall.ENOBUFS, syscall.ENOSPC, syscall.EADDRNOTAVAIL, syscall.EADDRINUSE, syscall.EAGAIN,
		syscall.EPERM, os.ErrNoDeadline, icmp.ErrDenied)
}

// Silence turns a failed check of an agent into a result that proves nothing about the server, unless the agent itself
// reported the failure.
func (r *Result) Silence() {
	if !r.OK && r.Report.State != health.Down && r.Cause != Shortage {
		r.Cause, r.Report.Silent = Silent, true
	}
}
