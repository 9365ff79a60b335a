package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"ldirectord/internal/printable"
	"ldirectord/internal/raw"
)

// Fault is the reason for a failed check, with a text for operators and the original error.
type Fault struct {
	text string
	err  error
}

func (f *Fault) Error() string { return f.text }
func (f *Fault) Unwrap() error { return f.err }

// NewFault puts an error into words.
func NewFault(err error, format string, args ...any) error {
	return &Fault{fmt.Sprintf(format, args...), err}
}

// StageFault puts an error into words, after the name of the stage in which it occurred.
func StageFault(stage string, err error) error {
	return &Fault{stage + ": " + Reason(err), err}
}

// ErrStopped means that a check was cancelled before it had a result.
var ErrStopped = errors.New("stopped")

// ErrUnjudged means that an answer could not be compared with a pattern, such as receive. The server's state does not
// change.
var ErrUnjudged = errors.New("cannot be judged")

// IsOneOf is errors.Is for several errors.
func IsOneOf(err error, of ...error) bool {
	return slices.ContainsFunc(of, func(e error) bool { return errors.Is(err, e) })
}

// IsShortage reports whether an error means a shortage on this machine. An OriginError means that an address, a device
// or a permission is missing. EADDRNOTAVAIL means that no local port is left; for UDP, EAGAIN and EADDRINUSE mean the
// same. ENOSPC means that epoll may watch no more sockets. Go's runtime does not watch such a socket, which causes
// [os.ErrNoDeadline]. A missing route to the server is not a shortage, but means that the server can't be reached.
//
// It is also a shortage if the name servers fail, or if our own certificate has expired and the server refuses it. A
// name that does not exist is not a shortage.
//
// EPERM is a shortage, because it always comes from this machine: a firewall rule dropped the packet, or the table for
// connection tracking is full. EACCES is not a shortage, because with IPv6 it may also come from a router or the
// server. A ping that is not permitted to open an unprivileged socket has the error icmp.ErrDenied instead.
func IsShortage(err error) bool {
	var origin *raw.OriginError
	var dns *net.DNSError
	return errors.As(err, &origin) || errors.As(err, &dns) && !dns.IsNotFound ||
		IsOneOf(err, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS, syscall.ENOSPC,
			syscall.EADDRNOTAVAIL, syscall.EADDRINUSE, syscall.EAGAIN, syscall.EPERM, os.ErrNoDeadline,
			errOwnExpired)
}

// IsTimeout reports whether an error means that a deadline has passed.
func IsTimeout(err error) bool {
	return IsOneOf(err, os.ErrDeadlineExceeded, context.DeadlineExceeded)
}

// IsClosed reports whether the server has closed the connection in an orderly way.
func IsClosed(err error) bool {
	return IsOneOf(err, io.EOF, io.ErrUnexpectedEOF)
}

// Reason returns a short text for an error.
func Reason(err error) string {
	var errno syscall.Errno
	var path *fs.PathError
	var origin *raw.OriginError
	switch {
	case errors.As(err, &origin):
		return origin.Error()
	case IsTimeout(err):
		return "timeout"
	case IsClosed(err), errors.Is(err, syscall.EPIPE):
		return "closed by the server"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ECONNRESET):
		return "reset by the server"
	case errors.As(err, &errno):
		return errno.Error()
	case errors.As(err, &path):
		err = path.Err
	}
	return Escape(err.Error(), 4*MaxExcerpt)
}

// ReadFault explains an error that occurred while the given part of an answer was read. The argument begun means that
// some of the answer had arrived.
func ReadFault(part string, begun bool, timeout time.Duration, err error) error {
	switch {
	case IsTimeout(err) && !begun:
		return NewFault(err, "no answer in %v", timeout)
	case IsClosed(err) && !begun:
		return &Fault{"connection closed without an answer", err}
	}
	return AwaitFault(part, true, err)
}

// AwaitFault explains an error that occurred while we waited for data or, if begun, while we read it.
func AwaitFault(what string, begun bool, err error) error {
	doing, where := "waiting for ", " waiting for "+what
	if begun {
		doing, where = "reading ", " in "+what
	}
	switch {
	case IsTimeout(err):
		return &Fault{"timeout" + where, err}
	case IsClosed(err):
		return &Fault{"connection closed" + where, err}
	case errors.Is(err, syscall.ECONNRESET):
		return &Fault{"connection reset" + where, err}
	}
	return StageFault(doing+what, err)
}

// lookupReason returns the reason why a look-up failed, without our own port, which differs each time.
func lookupReason(err error) string {
	var dns *net.DNSError
	switch {
	case IsTimeout(err), errors.As(err, &dns) && dns.IsTimeout:
		return "timeout"
	case errors.As(err, &dns):
		return Show(strings.TrimSpace(dns.Err[strings.LastIndex(dns.Err, ": ")+1:]))
	}
	return Reason(err)
}

// MaxExcerpt is the usual limit of a quotation from a server, in bytes.
const MaxExcerpt = 60

// Excerpt quotes the beginning of a server's data, with unprintable bytes escaped.
func Excerpt[T string | []byte](text T) string {
	start, more := printable.Cut(string(text[:min(len(text), MaxExcerpt+1)]), MaxExcerpt)
	return strconv.Quote(start) + more
}

// Escape cuts text to limit bytes and makes it safe for a log line.
func Escape(text string, limit int) string {
	start, more := printable.Cut(text, limit)
	return printable.Text(start) + more
}

// Show makes a server's text, or a name, safe for a message.
func Show(text string) string { return Escape(text, MaxExcerpt) }
