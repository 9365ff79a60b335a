package protocol

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"syscall"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/settings"
	"ldirectord/checker/wire"
)

const maxSimpleAnswer = 256 << 10 // in bytes; only the first bytes of a longer answer are searched

// simpleTCP sends a request, closes its side of the connection and searches each line of the answer.
// With protocol=udp it sends one datagram, and searches the answer in the same way.
type simpleTCP struct {
	server
	secured
	udp     bool
	request []byte
	receive *matcher
}

func newSimpleTCP(s Spec, e *Env, receive *matcher) (Checker, error) {
	if s.PingsTheSilent {
		return e.orPing(s, receive)
	}
	if s.Steps != (checker.List[settings.Step]{}) {
		return newSimpleSteps(s, e)
	}
	// The parser has added the leading slash; \n is the only escape.
	request := strings.ReplaceAll(strings.TrimPrefix(s.Request, "/"), `\n`, "\n")
	secured, err := e.secured(s)
	return &simpleTCP{serverOf(s), secured, s.Protocol == "udp", []byte(request), receive}, err
}

// Check implements Checker.
func (c *simpleTCP) Check(ctx context.Context) Result {
	ask := c.overTCP
	if c.udp {
		ask = c.overUDP
	}
	a := simpleAnswer{search: search{ctx: ctx, matcher: c.receive}}
	err := ask(ctx, &a)
	result := concluded("got "+wire.Excerpt(a.found), err)
	result.Warning = a.warning
	return result
}

func (c *simpleTCP) overTCP(ctx context.Context, a *simpleAnswer) error {
	tcp, err := c.dial(ctx)
	if err != nil {
		return err
	}
	defer tcp.Close()
	if err := tcp.OpenTLS(c.tls); err != nil {
		return err
	}
	a.warning = c.rules.Warning(tcp)
	if err := tcp.Send("the request", c.request); err != nil {
		return err
	}
	a.search.on = tcp
	lines := bufio.NewReader(io.LimitReader(tcp, maxSimpleAnswer))
	if tcp.TLS != nil {
		if err := awaitAnswer(tcp, lines); err != nil {
			return err
		}
	}
	closeWrite(tcp) // an error is ignored: a server may answer and close first
	for {
		line, err := lines.ReadBytes('\n')
		begun := a.received > 0 || len(line) > 0
		reset := begun && errors.Is(err, syscall.ECONNRESET) // the server left our request unread
		ended := reset || errors.Is(err, io.EOF)
		if err != nil && !ended {
			return wire.ReadFault("the answer", begun, c.timeout, err)
		}
		found, err := a.look(line)
		switch {
		case err != nil || found:
			return err
		case ended:
			return a.mismatch()
		}
	}
}

// answersSoon is how long our side of TLS stays open for the beginning of an answer.
const answersSoon = time.Second

// awaitAnswer waits a while for an answer to begin. If our side of TLS ends earlier, the answer can be lost: a server
// may drop it (RFC 5246, 7.2.1), or close the connection without reading our alert, so that its kernel resets the
// connection. An error other than ErrStopped is ignored, because the next read returns it again.
func awaitAnswer(c *wire.Conn, answer *bufio.Reader) error {
	wait := min(answersSoon, time.Until(c.Deadline)/2)
	if err := c.Until(time.Now().Add(wait)); err != nil {
		return err
	}
	answer.Peek(1)
	return c.Until(c.Deadline)
}

// closeWrite closes our side of a connection, because some servers answer only after that.
func closeWrite(c *wire.Conn) {
	if c.TLS != nil {
		c.TLS.CloseWrite()
		return
	}
	if raw, err := c.Conn.(syscall.Conn).SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { syscall.Shutdown(int(fd), syscall.SHUT_WR) })
	}
}

func (c *simpleTCP) overUDP(ctx context.Context, a *simpleAnswer) error {
	q := wire.Question{To: c.target, Timeout: c.timeout, Accept: a.datagram}
	err := q.Ask(ctx, func(from *wire.Conn) []byte {
		a.search.on = from
		return c.request
	})
	if wire.IsTimeout(err) && a.received > 0 {
		return a.mismatch()
	}
	return err
}

// simpleAnswer searches an answer line by line.
type simpleAnswer struct {
	search   search
	received int    // how many bytes
	first    []byte // the first line, for the message
	found    []byte // the line that matches
	warning  string // about the certificate
}

// look searches a line, including its line break. An empty text is not a line.
func (a *simpleAnswer) look(line []byte) (found bool, err error) {
	if len(line) == 0 {
		return false, nil
	}
	shown := line[:min(len(line), 2*wire.MaxExcerpt)]
	if a.received == 0 {
		a.first = bytes.Clone(shown)
	}
	a.received += len(line)
	found, err = a.search.match(line)
	if found {
		a.found = bytes.Clone(shown)
	}
	return found, err
}

// datagram searches the lines of one datagram. Without a match the check waits for further datagrams, until it has
// received maxSimpleAnswer bytes.
func (a *simpleAnswer) datagram(datagram []byte) error {
	for line := range bytes.Lines(datagram) {
		if found, err := a.look(line); err != nil || found {
			return err
		}
	}
	if a.received >= maxSimpleAnswer {
		return a.mismatch()
	}
	return wire.ErrNotYet
}

// mismatch returns the error for an answer that has been searched without a match.
func (a *simpleAnswer) mismatch() error {
	switch {
	case a.received == 0:
		return errors.New("connection closed without an answer")
	case a.received >= maxSimpleAnswer:
		return mismatch("no line matches %s in the first %d bytes: got %s", a.search, maxSimpleAnswer,
			wire.Excerpt(a.first))
	}
	return mismatch("no line matches %s: got %s", a.search, wire.Excerpt(a.first))
}
