package wire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// LibConn is the connection that a protocol library uses. The library only reads and writes bytes, so the check's
// deadline and limits stay in force. LibConn keeps the first network error, because libraries wrap, replace or log it.
// It validates each packet's header before the library gets it, because libraries allocate or await what a header
// announces.
type LibConn struct {
	net.Conn
	In     *bufio.Reader // data from the server
	bound  *Bounded
	Length func(header []byte) (int, error) // the length of the packet after the header
	Header []byte                           // the header of the current packet
	ready  []byte                           // what the library gets before the rest of the packet
	Left   int                              // bytes of the packet that are still to come after the header
	Append []byte                           // what the library gets after the packet

	mu  sync.Mutex // guards err: some libraries read in a goroutine of their own
	err error
}

// NewLibConn returns a connection for a library. The server may send at most limit more bytes, in packets whose headers
// have the given size. length validates a header, and returns how many bytes of the packet follow it.
func NewLibConn(d *Dialogue, limit, header int, length func(header []byte) (int, error)) *LibConn {
	d.bound.Left = limit
	return &LibConn{Conn: d.Conn, In: d.In, bound: d.bound, Length: length, Header: make([]byte, header)}
}

func (c *LibConn) Read(b []byte) (int, error) {
	if len(c.ready) == 0 && c.Left == 0 {
		if len(c.Append) > 0 {
			c.ready, c.Append = c.Append, nil
		} else if err := c.Next(); err != nil {
			return 0, c.note(err)
		}
	}
	if len(c.ready) > 0 {
		n := copy(b, c.ready)
		c.ready = c.ready[n:]
		return n, nil
	}
	n, err := c.In.Read(b[:min(len(b), c.Left)])
	c.Left -= n
	return n, c.note(err)
}

// Next reads the header of the next packet.
func (c *LibConn) Next() error {
	if _, err := io.ReadFull(c.In, c.Header); err != nil {
		return err
	}
	left, err := c.Length(c.Header)
	switch {
	case IsOneOf(err, ErrClearText, ErrTooMuch):
		return err
	case err != nil:
		return fmt.Errorf("%w: got %s", err, Excerpt(c.Header))
	case left > c.In.Buffered()+c.bound.Left:
		return ErrTooMuch
	}
	c.ready, c.Left = c.Header, left
	return nil
}

func (c *LibConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	return n, c.note(err)
}

// SetDeadline, SetReadDeadline and SetWriteDeadline have no effect.
func (c *LibConn) SetDeadline(time.Time) error      { return nil }
func (c *LibConn) SetReadDeadline(time.Time) error  { return nil }
func (c *LibConn) SetWriteDeadline(time.Time) error { return nil }

// note keeps the first error.
func (c *LibConn) note(err error) error {
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

// LibStep is one step of a check that uses a library.
type LibStep struct {
	Stage   Stage
	Name    string // for messages
	Refused string // how the message begins if the server refuses
}

var (
	LoginStep = LibStep{AtLogin, "login", "login rejected"}
	QueryStep = LibStep{AtAnswer, "query", "query failed"}
)

// Refusal is an error that a server reports.
type Refusal struct{ Text, Code string }

func (r *Refusal) Error() string {
	text := Escape(r.Text, 4*MaxExcerpt)
	if r.Code != "" {
		text += " (" + Escape(r.Code, 5) + ")"
	}
	return text
}

// Fault explains an error of a library: with the server's text if it is a refusal, otherwise with the first network
// error if there was one.
func (c *LibConn) Fault(s LibStep, err error) error {
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return s.Stage.Of(&Fault{s.Refused + ": " + refusal.Error(), err})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		err = c.err
	}
	return s.Stage.Of(StageFault(s.Name, err))
}

var ErrClearText = errors.New("the server asks for the password in clear text, which cleartext=no refuses")
