package checker

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// libConn is the connection that a protocol library works on. The library decides about bytes only:
// the deadline stays that of the check, what the server may say is bounded, and the first error of
// the network is kept, as libraries wrap, replace or log it. Each packet's header is looked at before the library has
// it, as libraries allocate what a header promises, or wait for it.
type libConn struct {
	net.Conn
	in     *bufio.Reader // what the server sends
	bound  *bounded
	length func(header []byte) (int, error) // of what follows the header
	header []byte                           // of the current packet
	unread int                              // bytes of header not handed out yet
	left   int                              // bytes to come after it

	mu  sync.Mutex // guards what follows: some libraries read in a goroutine of their own
	err error
}

// newLibConn lets a library have a connection, and at most limit bytes more from its server, in packets with a header
// of that size that satisfies length.
func newLibConn(d *Dialogue, limit, header int, length func(header []byte) (int, error)) *libConn {
	d.bound.left = limit
	return &libConn{Conn: d.conn, in: d.in, bound: d.bound, length: length, header: make([]byte, header)}
}

func (c *libConn) Read(b []byte) (int, error) {
	if c.unread == 0 && c.left == 0 {
		if err := c.next(); err != nil {
			return 0, c.note(err)
		}
	}
	if c.unread > 0 {
		n := copy(b, c.header[len(c.header)-c.unread:])
		c.unread -= n
		return n, nil
	}
	n, err := c.in.Read(b[:min(len(b), c.left)])
	c.left -= n
	return n, c.note(err)
}

// next reads the header of a packet.
func (c *libConn) next() error {
	if _, err := io.ReadFull(c.in, c.header); err != nil {
		return err
	}
	left, err := c.length(c.header)
	switch {
	case errors.Is(err, errClearText), errors.Is(err, errTooMuch):
		return err
	case err != nil:
		return fmt.Errorf("%w: got %s", err, excerpt(c.header))
	case left > c.in.Buffered()+c.bound.left:
		return errTooMuch
	}
	c.unread, c.left = len(c.header), left
	return nil
}

func (c *libConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	return n, c.note(err)
}

// SetDeadline, SetReadDeadline and SetWriteDeadline change nothing.
func (c *libConn) SetDeadline(time.Time) error      { return nil }
func (c *libConn) SetReadDeadline(time.Time) error  { return nil }
func (c *libConn) SetWriteDeadline(time.Time) error { return nil }

// note keeps the first error.
func (c *libConn) note(err error) error {
	if err == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
	return err
}

// libStep is one thing that a check does by a library.
type libStep struct {
	stage   Stage
	name    string // for messages
	refused string // what a message says when the server refuses
}

var (
	loginStep = libStep{AtLogin, "login", "login rejected"}
	queryStep = libStep{AtAnswer, "query", "query failed"}
)

// refusal is an error that a server reports.
type refusal struct{ text, code string }

func (r *refusal) Error() string {
	text := escape(r.text, 4*maxExcerpt)
	if r.code != "" {
		text += " (" + escape(r.code, 5) + ")"
	}
	return text
}

// fault explains an error of a library: by the server's refusal if it is one, else by the error of the network if
// there was one.
func (c *libConn) fault(s libStep, err error) error {
	var said *refusal
	if errors.As(err, &said) {
		return s.stage.of(&fault{s.refused + ": " + said.Error(), err})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		err = c.err
	}
	return s.stage.of(stageFault(s.name, err))
}

var errClearText = errors.New("the server asks for the password in clear, which cleartext=no refuses")
