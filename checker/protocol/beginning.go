package protocol

import (
	"context"
	"io"
	"sync"
	"time"

	"ldirectord/checker/wire"
)

const (
	maxText   = 1 << 20 // bytes; of a longer body or file, only the beginning is compared
	smallBody = 4 << 10
)

// Bodies and files are read into pooled buffers. A small buffer grows up to largeBody. Longer texts move to a large
// buffer, which has the maximum size.
var (
	smallPool = sync.Pool{New: func() any { return new(make([]byte, 0, smallBody)) }}
	largePool = sync.Pool{New: func() any { return new(make([]byte, 0, maxText+1)) }}
)

// beginning holds the beginning of a body or file, which may be long. It must be closed. Its text is valid until then.
type beginning struct {
	ctx    context.Context // the context of the check
	limits *Matching
	text   []byte
	small  *[]byte       // the small buffer from its pool, in which text began
	large  *[]byte       // the large buffer from its pool, if text is in one
	waited time.Duration // how long it waited for a large buffer
}

// read reads n more bytes, or fewer and an error such as io.EOF. The wait for a large buffer does not count against the
// deadlines of conns.
func (b *beginning) read(from io.Reader, n int, conns ...*wire.Conn) error {
	for n > 0 {
		if len(b.text) == cap(b.text) {
			if err := b.grow(conns); err != nil {
				return err
			}
		}
		got, err := from.Read(b.text[len(b.text):min(len(b.text)+n, cap(b.text))])
		b.text = b.text[:len(b.text)+got]
		n -= got
		if err != nil && n > 0 { // TLS may report the end with the last bytes
			return err
		}
	}
	return nil
}

// grow enlarges the buffer. It waits for a slot before it takes a large buffer, because the number of large buffers is
// limited.
func (b *beginning) grow(conns []*wire.Conn) error {
	switch {
	case b.small == nil:
		b.small = smallPool.Get().(*[]byte)
	case cap(b.text) < largeBody:
		*b.small = append(make([]byte, 0, 2*cap(b.text)), b.text...)
	default:
		waited, err := acquireSlot(b.ctx, b.limits.bodies)
		b.waited += waited
		if err != nil {
			return err
		}
		b.large = largePool.Get().(*[]byte) // close releases the slot
		for _, c := range conns {
			if err := c.Prolong(waited); err != nil {
				return err
			}
		}
		b.text = append((*b.large)[:0], b.text...)
		return nil
	}
	b.text = (*b.small)[:len(b.text)]
	return nil
}

// close returns the buffers to their pools, and frees the slot of a large one.
func (b *beginning) close() {
	if b.small != nil {
		smallPool.Put(b.small)
	}
	if b.large != nil {
		largePool.Put(b.large)
		<-b.limits.bodies
	}
}
