package wire

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"time"
)

// MaxTalk limits how much is read from a server, in bytes, if a protocol has no limit of its own.
const MaxTalk = 64 << 10

// quitTimeout is how long a server may take to end a conversation.
const quitTimeout = time.Second

// Dialogue is a conversation with a server being checked. It ends with the check, and limits how much the server may
// send.
type Dialogue struct {
	Conn    *Conn
	Offered *tls.Config // for Upgrade; nil: TLS does not start during the conversation
	bound   *Bounded    // the data read from Conn
	In      *bufio.Reader
	lost    bool // the conversation can't continue, not even with a quit command

	protocol string // of its numbered replies, see Greeting
}

func NewDialogue(c *Conn) Dialogue {
	bound := &Bounded{c, MaxTalk}
	return Dialogue{Conn: c, bound: bound, In: bufio.NewReaderSize(bound, maxLine)}
}

// Bounded reads at most Left bytes, then ends with ErrTooMuch.
type Bounded struct {
	From io.Reader
	Left int
}

// ErrTooMuch means that an answer exceeds its limit.
var ErrTooMuch = errors.New("the answer is too long")

func (b *Bounded) Read(p []byte) (int, error) {
	if b.Left == 0 {
		return 0, ErrTooMuch
	}
	n, err := b.From.Read(p[:min(len(p), b.Left)])
	b.Left -= n
	return n, err
}

// ErrNotOffered means that a server does not offer TLS although the configuration requires it.
var ErrNotOffered = errors.New("STARTTLS not offered")

// NotOffered returns ErrNotOffered with the server's answer.
func NotOffered(reply string) error {
	return AtTLS.Of(fmt.Errorf("%w: %s", ErrNotOffered, Show(reply)))
}

// StartTLS returns err if it is not nil. If the server does not agree, it returns an error with the server's answer.
// Otherwise it starts TLS.
func (d *Dialogue) StartTLS(answer string, agrees bool, err error) error {
	switch {
	case err != nil:
		return err
	case !agrees:
		return NotOffered(answer)
	}
	return d.Upgrade()
}

// Upgrade starts TLS after the server has agreed. It refuses clear text that follows the agreement, because an attacker
// may have sent it for us to read as part of TLS (RFC 3207, 6).
func (d *Dialogue) Upgrade() error {
	if n := d.In.Buffered(); n > 0 {
		d.lost = true
		reply, _ := d.In.Peek(n)
		return AtTLS.Of(fmt.Errorf("the server sent more in clear text before TLS: %s", Excerpt(reply)))
	}
	err := d.Conn.OpenTLS(d.Offered)
	d.lost = err != nil
	return err
}

// hurry shortens the deadline once the check waits only for the end of the conversation.
func (d *Dialogue) hurry() {
	if end := time.Now().Add(quitTimeout); end.Before(d.Conn.Deadline) {
		d.Conn.SetDeadline(end)
	}
}
