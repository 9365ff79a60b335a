package checker

import (
	"crypto/tls"
	"errors"
	"hash/crc32"
	"net"
	"strings"
	"syscall"
	"time"

	"ldirectord/checker/icmp"
	"ldirectord/checker/wire"
	"ldirectord/internal/health"
)

// MaxBody limits Result.Body, in bytes.
const MaxBody = 1000

// Result is the result of one check.
type Result struct {
	OK    bool
	Cause Cause // of a failure
	// for a failure, its stage; for a success, AtConnect if the check only connected, otherwise AtMatch or AtStart
	Stage wire.Stage
	Way   Way // the path of the answer
	// OwnAnswers means that the check failed through the virtual address, but the server answers at its own
	// address.
	OwnAnswers bool
	Report     health.Report // what the server reports about itself; the text of the report is in Detail
	// one line: the reason for a failure, or what the check saw; control characters are escaped, secrets removed
	Detail string
	// what Spec.Same found in the answer, up to 64 bytes; cleaned like Detail
	Shows   string
	Warning string // reported once, such as a redirect that leaves the server
	// Body is set if an HTTP server's status or page was not accepted. It is the beginning of the page as received,
	// or the status if the page is empty, was not read, or is another server's. Secrets of the configuration are
	// removed from it.
	Body string
	Took time.Duration
	// Stages holds the time at which each stage was completed.
	Stages wire.Stages
	// CertEnd is the time at which the server's certificate expires, in seconds since the epoch; 0 without a
	// certificate.
	CertEnd int64
	Cert    uint32 // a checksum of that certificate; 0 without one
}

// Way is the path of a check.
type Way uint8

// The paths of a check.
const (
	WayOwn     Way = iota // at the server's own address
	WayThrough            // through the virtual address, by Spec.Through
	// at the server's own address, because the path through the virtual address can't be judged now; the reason is
	// in Warning, or in Detail if Cause is Unjudged
	WayVoid
)

// Conclusive reports whether the result proves something about the server.
func (r Result) Conclusive() bool {
	return r.Cause != Shortage && r.Cause != Unjudged && r.Cause != Silent
}

// Cause is the class of a failure. The names of the causes are stable.
type Cause uint8

// The causes of failures.
const (
	Other       Cause = iota // none of the others
	Answer                   // the server answers, but not as configured
	Timeout                  // no answer in time, or not all of it
	Refused                  // no program listens on the port, or a firewall rejects the connection
	Closed                   // the server closed or reset the connection
	Unreachable              // this machine or a router reports that it can't reach the server
	Lookup                   // a name was not found
	TLS                      // the handshake failed, or the certificate is not trusted
	Program                  // the checkcommand could not be run, or its exit status or a signal means failure
	// Shortage is a fault on this machine, such as a lack of descriptors, memory, ports or permissions, or a name
	// server that does not answer. It proves nothing about the server.
	Shortage
	// Unjudged means that the check can't decide, for example because comparing the answer with receive takes too
	// long. It proves nothing about the server either, and does not bring the next check forward.
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
		errno  syscall.Errno
	)
	switch {
	case wire.IsOneOf(err, wire.ErrStopped, icmp.ErrDenied), wire.IsShortage(err):
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
	case errors.As(err, &record), errors.Is(err, wire.ErrHandshake):
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

// Conclude notes when the answer was complete, and when it had been compared, if the check got that far.
func (r *Result) Conclude(took time.Duration) {
	if r.Stage != wire.AtMatch {
		return
	}
	if r.Stages[wire.MarkAnswer] == 0 {
		r.Stages.Set(wire.MarkAnswer, took)
	}
	r.Stages.Set(wire.MarkMatch, took)
}

// Failed returns the result of a check that ended with an error, from which it derives the cause and the stage.
func Failed(err error) Result {
	return Result{Detail: err.Error(), Cause: causeOf(err), Stage: wire.StageOf(err)}
}

// Panicked returns the result of a check in which a program panicked while processing an answer. The warning names the
// place of the panic, and is reported once.
func Panicked(program, what, place string) Result {
	what = strings.TrimPrefix(what, "runtime error: ")
	return Result{
		Detail:  "panic while handling the answer: " + wire.Escape(what, 2*wire.MaxExcerpt),
		Warning: "a fault in " + program + ": panic at " + place,
	}
}

// Silence turns a failed check of an agent into a result that proves nothing about the server, unless the agent itself
// reported the failure.
func (r *Result) Silence() {
	if !r.OK && r.Report.State != health.Down && r.Cause != Shortage {
		r.Cause, r.Report.Silent = Silent, true
	}
}
