package checker

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Result is the answer of one check.
type Result struct {
	OK    bool
	Cause Cause // of a failure
	Stage Stage // where a failure came; of a success AtConnect when it connected only, else AtMatch or AtStart
	Way   Way   // by which the answer came
	// OwnAnswers is of a failure through the virtual address: the server answers at its own.
	OwnAnswers bool
	Detail     string // one line: why it failed, or what was seen; control characters escaped, no secrets
	Warning    string // to report once, such as a redirect that leaves the server
	// Body is what an HTTP server that is down answered, as it came: the beginning of a page that does not
	// match, or the status where there is no page. The secrets of the configuration are taken out. It is ""
	// when no answer came.
	Body string
	Took time.Duration
	// Stages are when each stage was done.
	Stages Stages
	// CertEnd is when the certificate ends that the server showed, in seconds since the epoch; 0 where it showed
	// none.
	CertEnd int64
}

// Way is how a server was asked.
type Way uint8

// The ways of a check.
const (
	WayOwn     Way = iota // at its own address
	WayThrough            // through the virtual address, as Spec.Through says
	// at its own address, because the way through the virtual one can't be judged now; Warning says why
	WayVoid
)

// Conclusive reports whether the result says something about the server.
func (r Result) Conclusive() bool { return r.Cause != Shortage && r.Cause != Unjudged }

// Cause is the class of a failure, for those who count failures. Its names are stable.
type Cause uint8

// Why a check fails.
const (
	Other       Cause = iota // none of those below
	Answer                   // the server answers, but not as wanted
	Timeout                  // no answer in time, or not all of it
	Refused                  // no program listens there
	Closed                   // the server closed or reset the connection
	Unreachable              // no way there, as the network says
	Lookup                   // a name was not found
	TLS                      // no handshake, or a certificate that is not trusted
	Program                  // the checkcommand ended with a status other than 0, or by a signal
	// Shortage is our own, of descriptors, memory, ports or permissions: it says nothing about the server.
	Shortage
	// Unjudged is an answer that came and can't be compared with receive in the time that there is for that: it
	// says nothing about the server either, and the next check is not earlier for it.
	Unjudged
	Causes // how many there are
)

func (c Cause) String() string {
	return [Causes]string{"other", "answer", "timeout", "refused", "closed", "unreachable", "lookup", "tls",
		"program", "shortage", "unjudged"}[c]
}

// causeOf is the class of an error that ended a check.
func causeOf(err error) Cause {
	var (
		lookup  *net.DNSError
		record  tls.RecordHeaderError
		failed  *handshakeError
		refusal *tls.CertificateVerificationError
		errno   syscall.Errno
	)
	switch {
	case errors.Is(err, errStopped), isShortage(err):
		return Shortage
	case errors.Is(err, errUnjudged):
		return Unjudged
	case errors.As(err, &lookup):
		return Lookup
	case isTimeout(err), errors.Is(err, syscall.ETIMEDOUT):
		return Timeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	case isClosed(err), isOneOf(err, syscall.EPIPE, syscall.ECONNRESET):
		return Closed
	case isOneOf(err, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.ENETDOWN, syscall.EHOSTDOWN):
		return Unreachable
	case errors.As(err, &record), errors.As(err, &failed), errors.As(err, &refusal):
		return TLS
	case errors.As(err, &errno):
		return Other
	default:
		return Answer
	}
}

// Stage is how far a check got.
type Stage uint8

// The stages of a check, in their order. A check of a protocol without one of them skips it.
const (
	AtStart   Stage = iota // no server was asked
	AtConnect              // to open a connection
	AtTLS                  // the handshake, and the server's certificate
	AtLogin                // to log in
	AtAnswer               // to read the answer
	AtMatch                // to compare the answer with receive
)

// Stages are when each stage of a check was done for the first time, in µs since its start; 0: it was not, or a check
// of that protocol has none. They need not come in this order: a server that greets says something before anything is
// sent to it.
type Stages [Marks]uint32

// Mark is the end of a stage of a check, for those who measure. Its names are stable.
type Mark uint8

// The marks of a check.
const (
	MarkLookup    Mark = iota // a name was looked up
	MarkConnect               // there is a connection
	MarkTLS                   // the handshake is over
	MarkSent                  // the first request was sent
	MarkFirstByte             // the first of what the server says came
	MarkAnswer                // the whole answer came, or as much as decides
	MarkMatch                 // it was compared
	Marks                     // how many there are
)

func (m Mark) String() string {
	return [Marks]string{"lookup", "connect", "TLS", "sent", "first byte", "whole answer", "match"}[m]
}

// micros is a duration as in Stages.
func micros(d time.Duration) uint32 { return uint32(min(max(d.Microseconds(), 1), math.MaxUint32)) }

// conclude marks the end of a check that took so long. An answer that was judged is whole.
func (r *Result) conclude(took time.Duration) {
	if r.Stage != AtMatch {
		return
	}
	if r.Stages[MarkAnswer] == 0 {
		r.Stages[MarkAnswer] = micros(took)
	}
	r.Stages[MarkMatch] = micros(took)
}

// verdict is the result in words.
func (r *Result) verdict() string {
	text := "down: "
	if r.OK {
		text = "up: "
	}
	text += r.Detail
	if r.Warning != "" {
		text += "; " + r.Warning
	}
	return text
}

// String is the stages that were done, in the order of their ends: connect 0.3 ms, sent 0.4 ms.
func (s Stages) String() string {
	var done []Mark
	for m := range Marks {
		if s[m] > 0 {
			done = append(done, m)
		}
	}
	slices.SortStableFunc(done, func(a, b Mark) int { return cmp.Compare(s[a], s[b]) })
	texts := make([]string, len(done))
	for i, m := range done {
		texts[i] = fmt.Sprintf("%v %.1f ms", m, float64(s[m])/1000)
	}
	return strings.Join(texts, ", ")
}

// staged is an error with the stage in which it came.
type staged struct {
	error
	stage Stage
}

func (s *staged) Unwrap() error { return s.error }

// of marks an error as one of a stage.
func (s Stage) of(err error) error {
	if err == nil {
		return nil
	}
	return &staged{err, s}
}

// mismatch is an answer that receive does not match.
func mismatch(format string, args ...any) error { return AtMatch.of(fmt.Errorf(format, args...)) }

// stageOf is the stage of an error: the first one that it was marked with, from outside.
func stageOf(err error) Stage {
	var at *staged
	if errors.As(err, &at) {
		return at.stage
	}
	return AtAnswer
}
