package checker

import (
	"crypto/tls"
	"errors"
	"net"
	"syscall"
)

// Cause is the class of a failure, for those who count failures. Its names are stable.
type Cause uint8

// Why a check fails.
const (
	Other       Cause = iota // none of those below
	Answer                   // the server answers, but not as wanted
	Timeout                  // no answer in time, or not all of it
	Refused                  // nobody listens
	Closed                   // the server closed or reset the connection
	Unreachable              // no way there, as the network says
	Lookup                   // a name was not found
	TLS                      // no handshake, or a certificate that is not trusted
	Program                  // the checkcommand ended with a status other than 0, or by a signal
	Shortage                 // our own: Result.Local
	Unjudged                 // nobody can tell: Result.Unjudged
	Causes                   // how many there are
)

func (c Cause) String() string {
	return [Causes]string{"other", "answer", "timeout", "refused", "closed", "unreachable", "lookup", "tls", "program", "shortage", "unjudged"}[c]
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
	case isClosed(err), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET):
		return Closed
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.ENETDOWN), errors.Is(err, syscall.EHOSTDOWN):
		return Unreachable
	case errors.As(err, &record), errors.As(err, &failed), errors.As(err, &refusal):
		return TLS
	case errors.As(err, &errno):
		return Other
	default:
		return Answer
	}
}
