package protocol

import (
	"context"
	"crypto/hmac"
	"crypto/md5"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"layeh.com/radius"
	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2869"

	"ldirectord/checker/wire"
)

// radiusResend is the wait before a request is sent again. RFC 5080, 2.2.1, recommends two seconds.
const radiusResend = time.Second

// radiusCheck tests whether a server accepts a log-in with a password (PAP).
type radiusCheck struct {
	server
	login, passwd string
	secret        []byte
}

func newRADIUS(s Spec, _ *Env, _ *matcher) (Checker, error) {
	if s.Secret == "" {
		return always{Detail: "secret is not set"}, nil
	}
	return &radiusCheck{serverOf(s), s.Login, s.Passwd, []byte(s.Secret)}, nil
}

// Check implements Checker.
func (c *radiusCheck) Check(ctx context.Context) Result {
	request, err := c.request()
	if err != nil {
		return Result{Detail: "request: " + err.Error()}
	}
	var answer *radius.Packet
	q := c.question(radiusResend)
	q.Accept = func(datagram []byte) (err error) {
		answer, err = c.parse(datagram, request)
		return err
	}
	err = q.Ask(ctx, func(*wire.Conn) []byte { return request })
	switch {
	case wire.IsTimeout(err) && q.Strays == 0: // RFC 2865, 3: a server ignores unknown clients
		err = wire.NewFault(err, "%v (the server also ignores an unknown client or a wrong secret)", err)
	case err == nil && answer.Code != radius.CodeAccessAccept:
		err = c.rejected(answer)
	}
	return concluded(radius.CodeAccessAccept.String(), err)
}

// Conceals reports whether a packet is a request, in which only the secret protects the password (RFC 2865, 5.2).
func (c *radiusCheck) Conceals(sent bool, _ string) bool { return sent }

// request returns an Access-Request. It contains a Message-Authenticator, which the library does not add. Some servers
// require one, as a protection against forged packets (RFC 3579, 3.2).
func (c *radiusCheck) request() ([]byte, error) {
	p := radius.New(radius.CodeAccessRequest, c.secret)
	empty := make([]byte, md5.Size)
	err := errors.Join(
		rfc2869.MessageAuthenticator_Set(p, empty),
		rfc2865.UserName_SetString(p, c.login),
		rfc2865.UserPassword_SetString(p, c.passwd),
		rfc2865.NASIdentifier_SetString(p, "ldirectord"),
	)
	if err != nil {
		return nil, err
	}
	unsigned, err := p.Encode()
	if err != nil {
		return nil, err
	}
	mac := hmac.New(md5.New, c.secret)
	mac.Write(unsigned)
	if err := rfc2869.MessageAuthenticator_Set(p, mac.Sum(nil)); err != nil {
		return nil, err
	}
	return p.Encode()
}

// parse reads the answer to a request. Only a server that knows the secret can sign the answer.
func (c *radiusCheck) parse(datagram, request []byte) (*radius.Packet, error) {
	answer, err := radius.Parse(datagram, c.secret)
	if err != nil {
		return nil, fmt.Errorf("not RADIUS: %s", wire.Excerpt(datagram))
	}
	datagram = datagram[:binary.BigEndian.Uint16(datagram[2:4])] // the remainder is padding (RFC 2865, 3)
	switch {
	case answer.Identifier != request[1]:
		return nil, wire.ErrNotYet
	case !radius.IsAuthenticResponse(datagram, request, c.secret):
		return nil, errors.New("the answer is not signed with our secret")
	}
	return answer, nil
}

// rejected describes a server's refusal, with its message if there is one.
func (c *radiusCheck) rejected(answer *radius.Packet) error {
	text := answer.Code.String()
	if message := rfc2865.ReplyMessage_GetString(answer); message != "" {
		text += ": " + wire.Show(message)
	}
	return wire.AtLogin.Of(fmt.Errorf("login rejected: %s", text))
}
