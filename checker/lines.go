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
	"strings"
	"syscall"
	"time"
)

// Limits of what is read of a conversation in lines, in bytes.
const (
	maxLine = 4 << 10
	maxTalk = 64 << 10 // all lines of one check
)

// quitTimeout is how long a server may take to end a conversation. The result of the check is known by then.
const quitTimeout = time.Second

// lineCheck asks a server in a protocol of lines: SMTP, POP, IMAP, FTP, NNTP.
type lineCheck struct {
	target   netip.AddrPort
	timeout  time.Duration
	tls      *tls.Config // nil: in the clear
	rules    tlsRules
	later    bool // TLS begins when the talk asks for it, not at once
	protocol protocol
}

// protocol is the conversation of a protocol, from the greeting to the end. It returns what showed
// that the server is healthy.
type protocol interface {
	run(ctx context.Context, d *dialogue) (seen string, err error)
}

// newLineCheck returns the check that has a conversation with a server: over TLS, with TLS from where the protocol asks
// for it, or in the clear, as the Spec says.
func newLineCheck(s Spec, e *Env, p protocol) (Checker, error) {
	c := &lineCheck{target: s.Target, timeout: s.NegotiateTimeout, protocol: p}
	atOnce := s.Service == "tls" || s.Service == "pops" || s.Service == "imaps"
	if !atOnce && !s.StartTLS {
		return c, nil
	}
	var err error
	if c.rules, err = e.tlsRules(s); err != nil {
		return nil, err
	}
	c.later = !atOnce
	c.tls = c.rules.config(tls.NewLRUClientSessionCache(1), s.SNI, s.Host, addressName(s))
	return c, nil
}

// Check implements Checker.
func (c *lineCheck) Check(ctx context.Context) Result {
	d, err := c.dial(ctx)
	if err != nil {
		return failed(ctx, err)
	}
	defer d.close()
	seen, err := c.protocol.run(ctx, d)
	result := passed(seen)
	if err != nil {
		result = failed(ctx, err)
	}
	if d.tls != nil {
		result.Warning = c.rules.warning(d.tls)
	}
	return result
}

// dial connects to the server.
func (c *lineCheck) dial(ctx context.Context) (*dialogue, error) {
	deadline := time.Now().Add(c.timeout)
	tcp, err := connect(ctx, c.target, deadline, c.timeout)
	if err != nil {
		return nil, err
	}
	d := &dialogue{conn: tcp, stream: tcp, deadline: deadline}
	d.limit = &io.LimitedReader{R: tcp, N: maxTalk}
	d.lines = bufio.NewReaderSize(d.limit, maxLine)
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

// dialogue is a conversation in lines with a server being checked. It ends at the check's deadline.
type dialogue struct {
	conn     *conn
	tls      *tls.Conn     // nil: in the clear
	offered  *tls.Config   // for upgrade; nil: the check stays in the clear
	stream   io.ReadWriter // conn or tls
	limit    *io.LimitedReader
	lines    *bufio.Reader
	deadline time.Time
	lost     bool // nothing more can be said or received
}

func (d *dialogue) openTLS(cfg *tls.Config) error {
	t := tls.Client(d.conn, cfg)
	if err := handshake(t); err != nil {
		d.lost = true
		return err
	}
	d.tls, d.stream, d.limit.R = t, t, t
	return nil
}

// errNotOffered is a server that does not offer TLS when the configuration wants it.
var errNotOffered = errors.New("STARTTLS not offered")

// notOffered is errNotOffered with what the server said.
func (d *dialogue) notOffered(said string) error {
	return AtTLS.of(&fault{errNotOffered.Error() + ": " + d.show(said), errNotOffered})
}

// upgrade starts TLS after the server has agreed. Anybody may have added what comes after
// that in the clear, for it to be taken as said under TLS (RFC 3207, 6).
func (d *dialogue) upgrade() error {
	if n := d.lines.Buffered(); n > 0 {
		d.lost = true
		said, _ := d.lines.Peek(n)
		return AtTLS.of(fmt.Errorf("STARTTLS: more said in the clear: %s", excerpt(said)))
	}
	return d.openTLS(d.offered)
}

func (d *dialogue) close() {
	if d.tls != nil {
		d.tls.CloseWrite()
	}
	d.conn.Close()
}

// send sends a command. Messages call it what, as it may contain a password.
func (d *dialogue) send(what, command string) error {
	if _, err := io.WriteString(d.stream, command+"\r\n"); err != nil {
		d.lost = true
		return stageFault("sending "+what, err)
	}
	return nil
}

// line reads a line, without its end. The messages call it what is awaited.
func (d *dialogue) line(awaited string) (string, error) {
	line, err := d.lines.ReadSlice('\n')
	if err != nil {
		d.lost = true
		return "", d.broken(awaited, len(line) > 0, err)
	}
	return strings.TrimRight(string(line), "\r\n"), nil
}

// broken explains an error while reading.
func (d *dialogue) broken(awaited string, begun bool, err error) error {
	where := " waiting for " + awaited
	if begun {
		where = " in " + awaited
	}
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return fmt.Errorf("a line of more than %d bytes in %s", maxLine, awaited)
	case isTimeout(err):
		return &fault{"timeout" + where, err}
	case isClosed(err) && d.limit.N == 0:
		return fmt.Errorf("more than %d bytes said up to %s", maxTalk, awaited)
	case isClosed(err):
		return &fault{"connection closed" + where, err}
	case errors.Is(err, syscall.ECONNRESET):
		return &fault{"connection reset" + where, err}
	}
	return stageFault("reading "+awaited, err)
}

// quit ends a conversation in the protocol's way. The server closes first, as who does so keeps
// the port busy for a minute: here ports would run out.
func (d *dialogue) quit(command string) {
	if d.lost {
		return
	}
	if end := time.Now().Add(quitTimeout); end.Before(d.deadline) {
		d.conn.SetDeadline(end)
	}
	if d.send(command, command) == nil {
		io.Copy(io.Discard, d.lines)
	}
}

// show quotes what the server said for a message.
func (d *dialogue) show(said string) string { return escape(said, maxExcerpt) }

// notProtocol is the error of a server that speaks something else. It would not understand the command to quit.
func (d *dialogue) notProtocol(protocol, said string) error {
	d.lost = true
	return fmt.Errorf("not %s: %s", protocol, excerpt([]byte(said)))
}

// reply is a numbered reply: of SMTP (RFC 5321, 4.2), FTP (RFC 959, 4.2) or NNTP (RFC 3977, 3.1).
type reply struct {
	code int
	text string   // its first line, with the number
	more []string // the lines after it
}

// good reports whether the server agrees.
func (r reply) good() bool { return r.code/100 == 2 }

// reply reads a numbered reply of one line or more. The lines in between may be anything (RFC 959).
func (d *dialogue) reply(protocol, awaited string) (reply, error) {
	first, err := d.line(awaited)
	if err != nil {
		return reply{}, err
	}
	code, more := parseReply(first)
	if code == 0 {
		return reply{}, d.notProtocol(protocol, first)
	}
	r := reply{code: code, text: first}
	for more {
		line, err := d.line(awaited)
		if err != nil {
			return reply{}, err
		}
		r.more = append(r.more, line)
		again, goesOn := parseReply(line)
		more = again != code || goesOn
	}
	return r, nil
}

// has reports whether a line after the first names an extension (RFC 5321, 4.1.1.1).
func (r reply) has(keyword string) bool {
	return slices.ContainsFunc(r.more, func(line string) bool {
		return len(line) > 4 && strings.EqualFold(line[4:], keyword)
	})
}

// parseReply reads the number of a reply's line, and whether more lines follow. 0 is no reply.
func parseReply(line string) (code int, more bool) {
	if len(line) < 3 || line[0] < '1' || line[0] > '5' {
		return 0, false
	}
	for _, c := range []byte(line[:3]) {
		if c < '0' || c > '9' {
			return 0, false
		}
		code = 10*code + int(c-'0')
	}
	switch {
	case len(line) == 3 || line[3] == ' ':
		return code, false
	case line[3] == '-':
		return code, true
	}
	return 0, false
}

// ask sends a command and reads its numbered reply.
func (d *dialogue) ask(protocol, what, command string) (reply, error) {
	if err := d.send(what, command); err != nil {
		return reply{}, err
	}
	return d.reply(protocol, "the answer to "+what)
}
