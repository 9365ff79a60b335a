package checker

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

	"ldirectord/printable"
)

// fault is why a check failed, in words for the operator, and the error that it came from.
type fault struct {
	text string
	err  error
}

func (f *fault) Error() string { return f.text }
func (f *fault) Unwrap() error { return f.err }

// newFault puts an error into words.
func newFault(text string, err error) error { return &fault{text, err} }

// stageFault says in which stage of a check an error came.
func stageFault(stage string, err error) error {
	return &fault{stage + ": " + reason(err), err}
}

// errStopped marks a check that was cancelled, not answered.
var errStopped = errors.New("stopped")

// isOneOf is errors.Is for several errors.
func isOneOf(err error, of ...error) bool {
	return slices.ContainsFunc(of, func(e error) bool { return errors.Is(err, e) })
}

func isTimeout(err error) bool {
	return isOneOf(err, os.ErrDeadlineExceeded, context.DeadlineExceeded)
}

// isClosed reports whether the server has ended the connection in order.
func isClosed(err error) bool {
	return isOneOf(err, io.EOF, io.ErrUnexpectedEOF)
}

// reason is an error in short words.
func reason(err error) string {
	var errno syscall.Errno
	var path *fs.PathError
	switch {
	case isTimeout(err):
		return "timeout"
	case isClosed(err), errors.Is(err, syscall.EPIPE):
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
	return escape(err.Error(), 4*maxExcerpt)
}

// readFault explains an error while reading one part of an answer. begun says that the answer has begun.
func readFault(part string, begun bool, timeout time.Duration, err error) error {
	switch {
	case isTimeout(err) && !begun:
		return &fault{fmt.Sprintf("no answer in %v", timeout), err}
	case isClosed(err) && !begun:
		return &fault{"connection closed without an answer", err}
	}
	return awaitFault(part, true, err)
}

// awaitFault explains an error while waiting for something, or, when that has begun, in it.
func awaitFault(what string, begun bool, err error) error {
	doing, where := "waiting for ", " waiting for "+what
	if begun {
		doing, where = "reading ", " in "+what
	}
	switch {
	case isTimeout(err):
		return &fault{"timeout" + where, err}
	case isClosed(err):
		return &fault{"connection closed" + where, err}
	case errors.Is(err, syscall.ECONNRESET):
		return &fault{"connection reset" + where, err}
	}
	return stageFault(doing+what, err)
}

// lookupReason is why a name was not found.
func lookupReason(err error) string {
	var dns *net.DNSError
	switch {
	case isTimeout(err), errors.As(err, &dns) && dns.IsTimeout:
		return "timeout"
	case errors.As(err, &dns):
		return show(strings.TrimSpace(dns.Err))
	}
	return reason(err)
}

// maxExcerpt bounds what is shown of a server's words, in bytes.
const maxExcerpt = 60

// excerpt quotes the beginning of what a server sent, with everything escaped that is not printable.
func excerpt[T string | []byte](said T) string {
	start, more := printable.Cut(string(said[:min(len(said), maxExcerpt+1)]), maxExcerpt)
	return strconv.Quote(start) + more
}

// escape makes text safe for a log line, and cuts it to limit bytes before that.
func escape(text string, limit int) string {
	start, more := printable.Cut(text, limit)
	return printable.Text(start) + more
}

// show makes what a server said, or a name, safe for a message.
func show(said string) string { return escape(said, maxExcerpt) }
