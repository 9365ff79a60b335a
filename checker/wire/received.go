package checker

import (
	"errors"
	"net"
)

// received is a connection of which a part was read. The loop has no more than that part, and must not wait.
type received struct {
	net.Conn        // where more comes from; nil in the loop
	head     []byte // what was read
	err      error  // after head, in the loop: io.EOF, or why no more comes; nil if more may come
	short    bool   // the check needs more than head
	waits    bool   // the check would wait for something else: a slot, or another connection
}

// errWaits ends what would wait in the loop. Nobody sees it: a goroutine makes the check again from what was received.
var errWaits = errors.New("not without a goroutine")

// Read implements net.Conn.
func (r *received) Read(p []byte) (int, error) {
	switch {
	case len(r.head) > 0:
		n := copy(p, r.head)
		r.head = r.head[n:]
		return n, nil
	case r.Conn != nil:
		return r.Conn.Read(p)
	case r.err != nil:
		return 0, r.err
	}
	r.short = true
	return 0, errWaits
}

// Close implements net.Conn.
func (r *received) Close() error {
	if r.Conn == nil {
		return nil
	}
	return r.Conn.Close()
}

// inLoop is what was received of a connection, if there is no more than that; else nil.
func (c *conn) inLoop() *received {
	if c == nil {
		return nil
	}
	if r, ok := c.Conn.(*received); ok && r.Conn == nil {
		return r
	}
	return nil
}
