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
// the network is kept, as libraries wrap, replace or log it.
type libConn struct {
	net.Conn
	in    *bufio.Reader // what the server sends
	from  io.Reader     // in, or what makes packets of it
	bound *bounded

	mu  sync.Mutex // guards what follows: some libraries read in a goroutine of their own
	err error
}

// newLibConn lets a library have a connection, and at most limit bytes more from its server.
func newLibConn(d *dialogue, limit int) *libConn {
	d.bound.left = limit
	return &libConn{Conn: d.stream, in: d.in, from: d.in, bound: d.bound}
}

func (c *libConn) Read(b []byte) (int, error) {
	n, err := c.from.Read(b)
	return n, c.note(err)
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

// packets looks at each packet's header before the library does, as libraries allocate what a header
// promises, or wait for it.
type packets struct {
	*libConn
	length func(header []byte) (int, error) // of what follows the header
	header []byte                           // of the current packet
	unread int                              // bytes of header not handed out yet
	left   int                              // bytes to come after it
}

// inPackets makes a libConn pass only packets with a header of that size that satisfies length.
func (c *libConn) inPackets(header int, length func(header []byte) (int, error)) *libConn {
	c.from = &packets{libConn: c, length: length, header: make([]byte, header)}
	return c
}

func (p *packets) Read(b []byte) (int, error) {
	if p.unread == 0 && p.left == 0 {
		if err := p.next(); err != nil {
			return 0, err
		}
	}
	if p.unread > 0 {
		n := copy(b, p.header[len(p.header)-p.unread:])
		p.unread -= n
		return n, nil
	}
	n, err := p.in.Read(b[:min(len(b), p.left)])
	p.left -= n
	return n, err
}

func (p *packets) next() error {
	if _, err := io.ReadFull(p.in, p.header); err != nil {
		return err
	}
	left, err := p.length(p.header)
	switch {
	case errors.Is(err, errClearText), errors.Is(err, errTooMuch):
		return err
	case err != nil:
		return fmt.Errorf("%w: got %s", err, excerpt(p.header))
	case left > p.in.Buffered()+p.bound.left:
		return errTooMuch
	}
	p.unread, p.left = len(p.header), left
	return nil
}
