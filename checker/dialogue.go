package checker

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"
)

// maxTalk bounds what is read of a server, in bytes, where a protocol has no bound of its own.
const maxTalk = 64 << 10

// quitTimeout is how long a server may take to end a conversation. The result of the check is known by then.
const quitTimeout = time.Second

// talk is a check that has a conversation with a server on one connection, in the clear or over TLS.
type talk struct {
	told
	tls      *tls.Config // nil: in the clear
	rules    tlsRules
	sessions *sessions // nil: each handshake is a full one
	later    bool      // TLS begins when the protocol asks for it, not at once
	protocol protocol
}

// told is what a protocol is told of a Spec.
type told struct {
	target                        netip.AddrPort
	timeout                       time.Duration
	login, passwd, asks, hostName string
	receive                       *matcher // nil: the protocol compares nothing
}

// protocol has the conversation of a protocol, from the greeting to the end. It returns what showed that the server is
// healthy.
type protocol func(ctx context.Context, d *dialogue) (seen string, err error)

// speaking makes the constructor of a check that compares nothing.
func speaking(p protocol) constructor {
	return func(s Spec, e *Env) (Checker, error) { return newTalk(s, e, nil, p) }
}

// listening makes the constructor of a check that compares an answer with receive.
func listening(p protocol) constructor {
	return comparing(func(s Spec, e *Env, receive *matcher) (Checker, error) { return newTalk(s, e, receive, p) })
}

// newTalk returns the check that has a conversation with a server: over TLS, with TLS from where the protocol asks
// for it, or in the clear, as the Spec says.
func newTalk(s Spec, e *Env, receive *matcher, p protocol) (*talk, error) {
	c := &talk{protocol: p,
		told: told{s.Target, s.NegotiateTimeout, s.Login, s.Passwd, s.Request, e.HostName, receive}}
	c.later = s.StartTLS && slices.Contains([]string{"ftp", "imap", "ldap", "pop", "smtp", "submission"}, s.Service)
	if !c.later && !slices.Contains([]string{"tls", "pops", "imaps", "ldaps"}, s.Service) {
		return c, nil
	}
	var err error
	if c.rules, err = e.tlsRules(s); err != nil {
		return nil, err
	}
	if s.Service != "tls" {
		c.sessions = newSessions()
	}
	c.tls = c.rules.config(c.sessions, s.SNI, s.Host, addressName(s))
	return c, nil
}

// Check implements Checker.
func (c *talk) Check(ctx context.Context) Result {
	d, err := c.dial(ctx, time.Now().Add(c.timeout))
	if err != nil {
		c.sessions.ended(false)
		return failed(ctx, err)
	}
	defer d.close()
	seen, err := c.protocol(ctx, d)
	result := concluded(ctx, seen, err)
	if d.conn.tls != nil {
		result.Warning = c.rules.warning(d.conn.tls)
	}
	c.sessions.ended(err == nil && result.Warning == "")
	return result
}

// dial connects to the server.
func (c *talk) dial(ctx context.Context, deadline time.Time) (*dialogue, error) {
	tcp, err := connect(ctx, c.target, deadline, c.timeout)
	if err != nil {
		return nil, err
	}
	d := newDialogue(tcp)
	d.told = c.told
	switch {
	case c.later:
		d.offered = c.tls
	case c.tls != nil:
		if err := d.openTLS(c.tls); err != nil {
			tcp.Close()
			return nil, err
		}
	}
	return d, nil
}

// dialogue is a conversation with a server being checked. It ends with the check, and what the server may say
// is bounded.
type dialogue struct {
	conn    *conn
	offered *tls.Config // for upgrade; nil: the check stays in the clear
	bound   *bounded    // what is read of conn
	in      *bufio.Reader
	lost    bool // nothing more can be said or received
	told
}

func newDialogue(c *conn) *dialogue {
	bound := &bounded{c, maxTalk}
	return &dialogue{conn: c, bound: bound, in: bufio.NewReaderSize(bound, maxLine)}
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

func (d *dialogue) openTLS(cfg *tls.Config) error {
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
func (d *dialogue) startTLS(answer string, agrees bool, err error) error {
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
func (d *dialogue) upgrade() error {
	if n := d.in.Buffered(); n > 0 {
		d.lost = true
		said, _ := d.in.Peek(n)
		return AtTLS.of(fmt.Errorf("STARTTLS: more said in the clear: %s", excerpt(said)))
	}
	return d.openTLS(d.offered)
}

func (d *dialogue) close() {
	if d.conn.tls != nil {
		d.conn.tls.CloseWrite()
	}
	d.conn.Close()
}

// hurry leaves the server little time for what may come after the result is known.
func (d *dialogue) hurry() {
	if end := time.Now().Add(quitTimeout); end.Before(d.conn.deadline) {
		d.conn.SetDeadline(end)
	}
}
