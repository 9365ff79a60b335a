package protocol

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/settings"
	"ldirectord/checker/wire"
)

// server is where a check connects, and how long the check may take.
type server struct {
	target  netip.AddrPort
	timeout time.Duration
}

// serverOf returns the server of a full check.
func serverOf(s Spec) server { return server{s.Target, s.NegotiateTimeout} }

func (s server) dial(ctx context.Context) (*wire.Conn, error) {
	return wire.Connect(ctx, s.target, s.timeout)
}

// question returns a request over UDP to the server, for a protocol in which each answer identifies its question.
func (s server) question(resend time.Duration) wire.Question {
	return wire.Question{To: s.target, Timeout: s.timeout, Resend: resend, Patience: wire.MaxStrays}
}

// opening returns the first step of a check that connects to the server. It returns false if the address has no port.
func (s server) opening(request []byte) (Opening, bool) {
	return Opening{To: s.target, Request: request, Timeout: s.timeout}, s.target.Port() != 0
}

// talk is a check that has a conversation with a server on one connection, in the clear or over TLS.
type talk struct {
	terms
	secured
	sessions *wire.Sessions // nil: each handshake is a full one
	later    bool           // TLS starts after a command of the protocol, not at once
	protocol protocol
}

// terms is the part of a Spec that a protocol needs.
type terms struct {
	server
	settings.Account
	asks, hostName string
	receive        *matcher   // nil: the protocol does not use it
	own            netip.Addr // the server's own address if target is a virtual address; otherwise invalid
}

// protocol runs the conversation of a protocol, from the greeting to the end. It returns the text that shows that the
// server is healthy.
type protocol func(d *dialogue) (seen string, err error)

// speaking returns the constructor of a check that has a conversation.
func speaking(p protocol) service {
	return func(s Spec, e *Env, receive *matcher) (Checker, error) {
		return newTalk(s, e, receive, p)
	}
}

// newTalk returns the check for a conversation with a server. As the Spec requires, the conversation is in the clear,
// over TLS, or changes to TLS after a command of the protocol.
func newTalk(s Spec, e *Env, receive *matcher, p protocol) (*talk, error) {
	c := &talk{protocol: p,
		terms: terms{serverOf(s), s.Account, s.Request, e.HostName, receive, s.Through.Server}}
	service := settings.ServiceOf(s.Service)
	c.later = s.StartTLS && service.Takes("starttls")
	if !c.later && !service.Is(settings.OverTLS) && !(s.UseTLS && service.Takes("tls")) {
		return c, nil
	}
	if s.Service != "tls" {
		c.sessions = wire.NewSessions()
	}
	var err error
	if c.secured, err = e.overTLS(s, c.sessions); err != nil {
		return nil, err
	}
	return c, nil
}

// Check implements Checker.
func (c *talk) Check(ctx context.Context) Result {
	d, err := c.begin(ctx)
	if err != nil {
		c.sessions.Ended(false)
		return failed(err)
	}
	defer d.Conn.End()
	seen, err := c.protocol(d)
	result := concluded(seen, err)
	result.Warning = c.rules.Warning(d.Conn)
	c.sessions.Ended(err == nil && result.Warning == "")
	return result
}

// dialogue is a conversation with a server, with the settings of the protocol.
type dialogue struct {
	wire.Dialogue
	terms
	ctx context.Context // of the check
}

// want compares a text from the server with receive. The argument what names the text in the error.
func (d *dialogue) want(what string, text []byte) error {
	ok, err := d.receive.match(d.ctx, text)
	if err == nil && !ok {
		err = mismatch("%s does not match %s: got %s", what, d.receive, wire.Excerpt(text))
	}
	return err
}

// logIn sends a name. If the code of the reply equals demands, it sends the password.
func (d *dialogue) logIn(name string, demands int) (seen string, err error) {
	r, err := d.Ask("USER " + name)
	if err == nil && r.Code == demands {
		r, err = d.Ask("PASS " + d.Passwd)
	}
	return wire.Show(r.Text), wire.AtLogin.Of(wire.Agreed(err, r.Good(), "login rejected", r.Text))
}

// begin connects to the server, and starts TLS unless that is for later.
func (c *talk) begin(ctx context.Context) (*dialogue, error) {
	tcp, err := c.dial(ctx)
	if err == nil && !c.later {
		err = tcp.OpenTLS(c.tls)
	}
	if err != nil {
		return nil, err
	}
	d := &dialogue{wire.NewDialogue(tcp), c.terms, ctx}
	if c.later {
		d.Offered = c.tls
	}
	return d, nil
}

// mismatch returns the error for an answer that is not what receive or the protocol requires.
func mismatch(format string, args ...any) error { return wire.AtMatch.Of(fmt.Errorf(format, args...)) }

// passed returns the result of a successful check.
func passed(detail string) Result {
	return Result{OK: true, Stage: wire.AtMatch, Detail: detail}
}

// failed returns the result of a check that ended with an error.
func failed(err error) Result { return checker.Failed(err) }

// concluded returns the result of a check: a success if err is nil, otherwise a failure.
func concluded(seen string, err error) Result {
	if err != nil {
		return failed(err)
	}
	return passed(seen)
}

// refused returns the error for a setting that makes a check impossible.
func refused(directive string, err error) error {
	return &checker.SpecError{Directive: directive, Err: err}
}
