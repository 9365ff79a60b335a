package checker

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"time"
)

// maxTalk bounds what is read of a server, in bytes, where a protocol has no bound of its own.
const maxTalk = 64 << 10

// quitTimeout is how long a server may take to end a conversation. The result of the check is known by then.
const quitTimeout = time.Second

// Dialogue is a conversation with a server being checked. It ends with the check, and what the server may say
// is bounded.
type Dialogue struct {
	conn    *conn
	offered *tls.Config // for upgrade; nil: the check stays in the clear
	bound   *bounded    // what is read of conn
	in      *bufio.Reader
	lost    bool // nothing more can be said or received
}

func newDialogue(c *conn) Dialogue {
	bound := &bounded{c, maxTalk}
	return Dialogue{conn: c, bound: bound, in: bufio.NewReaderSize(bound, maxLine)}
}

// bounded reads at most left bytes, then ends with errTooMuch.
type bounded struct {
	from io.Reader
	left int
}

// errTooMuch is an answer beyond its limit.
var errTooMuch = errors.New("the answer is too long")

func (b *bounded) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, errTooMuch
	}
	n, err := b.from.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

func (d *Dialogue) openTLS(cfg *tls.Config) error {
	err := d.conn.openTLS(cfg)
	d.lost = err != nil
	return err
}

// errNotOffered is a server that does not offer TLS when the configuration wants it.
var errNotOffered = errors.New("STARTTLS not offered")

// notOffered is errNotOffered with what the server said.
func notOffered(said string) error {
	return AtTLS.of(fmt.Errorf("%w: %s", errNotOffered, show(said)))
}

// startTLS starts TLS if the server agrees to that in its answer.
func (d *Dialogue) startTLS(answer string, agrees bool, err error) error {
	switch {
	case err != nil:
		return err
	case !agrees:
		return notOffered(answer)
	}
	return d.upgrade()
}

// upgrade starts TLS after the server has agreed. Anybody may have added what comes after
// that in the clear, for it to be taken as said under TLS (RFC 3207, 6).
func (d *Dialogue) upgrade() error {
	if n := d.in.Buffered(); n > 0 {
		d.lost = true
		said, _ := d.in.Peek(n)
		return AtTLS.of(fmt.Errorf("STARTTLS: more said in the clear: %s", excerpt(said)))
	}
	return d.openTLS(d.offered)
}

func (d *Dialogue) close() {
	if d.conn.tls != nil {
		d.conn.tls.CloseWrite()
	}
	d.conn.Close()
}

// hurry leaves the server little time for what may come after the result is known.
func (d *Dialogue) hurry() {
	if end := time.Now().Add(quitTimeout); end.Before(d.conn.deadline) {
		d.conn.SetDeadline(end)
	}
}
