package wire

import (
	"errors"
	"net"
)

// Received is a connection from which some data was read earlier. In the loop (see package schedule), a check gets only
// that data, because it must not wait for more.
type Received struct {
	net.Conn        // where more comes from; nil in the loop
	Head     []byte // the data that was read before
	Err      error  // in the loop, the state after Head: io.EOF, or the error; nil if more data may come
	Short    bool   // the check needs more than Head
	Waits    bool   // the check would wait for something else: a slot, or another connection
}

// ErrWaits ends a step that would wait in the loop. It is never reported, because the step is repeated when more data
// has arrived, or by a goroutine.
var ErrWaits = errors.New("not without a goroutine")

// Read implements net.Conn.
func (r *Received) Read(p []byte) (int, error) {
	switch {
	case len(r.Head) > 0:
		n := copy(p, r.Head)
		r.Head = r.Head[n:]
		return n, nil
	case r.Conn != nil:
		return r.Conn.Read(p)
	case r.Err != nil:
		return 0, r.Err
	}
	r.Short = true
	return 0, ErrWaits
}

// Close implements net.Conn.
func (r *Received) Close() error {
	if r.Conn == nil {
		return nil
	}
	return r.Conn.Close()
}

// InLoop returns the received data of a connection if its check runs in the loop; otherwise nil.
func (c *Conn) InLoop() *Received {
	if c == nil {
		return nil
	}
	if r, ok := c.Conn.(*Received); ok && r.Conn == nil {
		return r
	}
	return nil
}
