package checker

import (
	"context"
	"crypto/tls"

	"ldirectord/checker/wire"
	"ldirectord/internal/lvs"
)

// talk is a check that has a conversation with a server on one connection, in the clear or over TLS.
type talk struct {
	told
	tls      *tls.Config // nil: in the clear
	rules    wire.TLSRules
	sessions *wire.Sessions // nil: each handshake is a full one
	later    bool           // TLS starts by a command of the protocol, not at once
	protocol protocol
}

// told is the part of a Spec that a protocol needs.
type told struct {
	server
	lvs.Account
	asks, hostName string
	receive        *matcher // nil: the protocol compares nothing
}

// protocol runs the conversation of a protocol, from the greeting to the end. It returns the text that shows that the
// server is healthy.
type protocol func(d *dialogue) (seen string, err error)

// speaking makes the constructor of a check by a conversation.
func speaking(p protocol) service {
	return func(s Spec, e *Env, receive *matcher) (Checker, error) { return newTalk(s, e, receive, p) }
}

// newTalk returns the check for a conversation with a server: over TLS, with TLS by a command of the protocol, or in
// the clear, as the Spec requires.
func newTalk(s Spec, e *Env, receive *matcher, p protocol) (*talk, error) {
	c := &talk{protocol: p,
		told: told{serverOf(s), s.Account, s.Request, e.HostName, receive}}
	service := lvs.ServiceOf(s.Service)
	c.later = s.StartTLS && service.Takes("starttls")
	if !c.later && !service.Is(lvs.OverTLS) {
		return c, nil
	}
	var err error
	if c.rules, err = e.tlsRules(s); err != nil {
		return nil, err
	}
	if s.Service != "tls" {
		c.sessions = wire.NewSessions()
	}
	c.tls = c.rules.Config(c.sessions, s.SNI, s.Host, addressName(s))
	return c, nil
}

// Check implements Checker.
func (c *talk) Check(ctx context.Context) Result {
	d, err := c.begin(ctx)
	if err != nil {
		c.sessions.Ended(false)
		return Failed(err)
	}
	defer d.Close()
	seen, err := c.protocol(d)
	result := concluded(seen, err)
	if d.Conn.TLS != nil {
		result.Warning = c.rules.Warning(d.Conn.TLS)
	}
	c.sessions.Ended(err == nil && result.Warning == "")
	return result
}

// dialogue is a conversation with a server, with the settings of the protocol.
type dialogue struct {
	wire.Dialogue
	told
	ctx context.Context // of the check
}

// want compares a text from the server. What names the text in the error.
func (d *dialogue) want(what string, text []byte) error {
	ok, err := d.receive.match(d.ctx, text)
	if err == nil && !ok {
		err = mismatch("%s does not match %s: got %s", what, d.receive, wire.Excerpt(text))
	}
	return err
}

// begin connects to the server.
func (c *talk) begin(ctx context.Context) (*dialogue, error) {
	tcp, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	d := &dialogue{wire.NewDialogue(tcp), c.told, ctx}
	switch {
	case c.later:
		d.Offered = c.tls
	case c.tls != nil:
		if err := d.OpenTLS(c.tls); err != nil {
			tcp.Close()
			return nil, err
		}
	}
	return d, nil
}
