package checker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// maxLDAP bounds what a directory may say, in bytes: of an entry only its name is asked for, and in
// memory a packet of two bytes becomes some hundred.
const maxLDAP = 64 << 10

// ldapCheck logs in to a directory (RFC 4511) and asks for one entry by its name, which must match.
type ldapCheck struct {
	target  netip.AddrPort
	timeout time.Duration
	tls     *tls.Config // nil: in the clear
	later   bool        // TLS begins by STARTTLS, not at once
	rules   tlsRules
	login   string // "" is anonymous
	passwd  string
	base    string
	receive *matcher
}

func newLDAP(s Spec, e *Env) (Checker, error) {
	receive, err := e.matcher(s.Receive)
	if err != nil {
		return nil, &SpecError{"receive", err}
	}
	c := &ldapCheck{
		target:  s.Target,
		timeout: s.NegotiateTimeout,
		base:    strings.TrimPrefix(s.Request, "/"),
		receive: receive,
	}
	if s.Login != "" && s.Passwd != "" { // with one of them alone the Perl ldirectord is anonymous
		c.login, c.passwd = s.Login, s.Passwd
	}
	c.later = s.Service == "ldap" && s.StartTLS
	if s.Service != "ldaps" && !c.later {
		return c, nil
	}
	if c.rules, err = e.tlsRules(s); err != nil {
		return nil, err
	}
	c.tls = c.rules.config(tls.NewLRUClientSessionCache(tlsSessions), s.SNI, s.Host, addressName(s))
	return c, nil
}

// Check implements Checker.
func (c *ldapCheck) Check(ctx context.Context) Result {
	deadline := time.Now().Add(c.timeout)
	tcp, err := connect(ctx, c.target, deadline, c.timeout)
	if err != nil {
		return failed(ctx, err)
	}
	defer tcp.Close()
	var stream net.Conn = tcp
	warning := ""
	if c.tls != nil {
		t, err := c.secure(tcp)
		if err != nil {
			return failed(ctx, err)
		}
		stream, warning = t, c.rules.warning(t)
	}
	name, err := c.ask(newLibConn(stream, maxLDAP).inPackets(ldapHeader, ldapLength))
	if err == nil {
		err = c.judge(ctx, name)
	}
	result := passed("entry " + excerpt([]byte(name)))
	if err != nil {
		result = failed(ctx, err)
	}
	result.Warning = warning
	return result
}

// judge compares an entry's name.
func (c *ldapCheck) judge(ctx context.Context, name string) error {
	ok, err := c.receive.match(ctx, []byte(name))
	switch {
	case err != nil:
		return err
	case !ok:
		return mismatch("the entry's name does not match %s: got %s", c.receive, excerpt([]byte(name)))
	}
	return nil
}

// ask logs in, looks for the entry and logs out. It returns the entry's name as the server
// writes it.
func (c *ldapCheck) ask(stream *libConn) (name string, err error) {
	l := ldap.NewConn(stream, c.tls != nil)
	l.Start()
	defer l.Close()
	defer l.Unbind()
	if err := c.bind(l); err != nil {
		return "", stream.fault(loginStep, err, ldapRefusal(err))
	}
	name, err = c.search(l)
	if err != nil {
		return "", stream.fault(libStep{AtAnswer, "search", "search of " + excerpt([]byte(c.base))}, err, ldapRefusal(err))
	}
	return name, nil
}

func (c *ldapCheck) bind(l *ldap.Conn) error {
	if c.login == "" {
		return l.UnauthenticatedBind("")
	}
	return l.Bind(c.login, c.passwd)
}

func (c *ldapCheck) search(l *ldap.Conn) (name string, err error) {
	found, err := l.Search(&ldap.SearchRequest{
		BaseDN:     c.base,
		Scope:      ldap.ScopeBaseObject,
		Filter:     "(objectClass=*)",
		Attributes: []string{"1.1"}, // none (RFC 4511, 4.5.1.8)
	})
	if err != nil {
		return "", err
	}
	if n := len(found.Entries); n != 1 {
		return "", errEntries(n)
	}
	return found.Entries[0].DN, nil
}

// ldapHeader is how many bytes tell the length of a message; no answer is shorter.
const ldapHeader = 6

// ldapLength is how many bytes of a message follow its header: a sequence in the definite form
// (RFC 4511, 5.1; X.690, 8.1.3).
func ldapLength(header []byte) (int, error) {
	if header[0] != 0x30 {
		return 0, errNotLDAP
	}
	first := int(header[1])
	if first < 0x80 {
		return wholeLDAP(2 + first)
	}
	size := first - 0x80
	if size == 0 || size > ldapHeader-2 {
		return 0, errNotLDAP
	}
	length := 0
	for _, b := range header[2 : 2+size] {
		length = length<<8 | int(b)
	}
	return wholeLDAP(2 + size + length)
}

func wholeLDAP(message int) (left int, err error) {
	if message < ldapHeader {
		return 0, errNotLDAP
	}
	return message - ldapHeader, nil
}

var errNotLDAP = errors.New("this is not LDAP")

// errEntries is a search that found another number of entries than one.
type errEntries int

func (e errEntries) Error() string {
	if e == 0 {
		return "no entry"
	}
	return fmt.Sprintf("%d entries", int(e))
}

// ldapRefusal is an error in the directory's own words (RFC 4511, appendix A), or "" when it is of another kind.
func ldapRefusal(err error) string {
	var count errEntries
	var said *ldap.Error
	switch {
	case errors.As(err, &count):
		return count.Error()
	case errors.As(err, &said) && said.ResultCode < ldap.ErrorNetwork && said.ResultCode != 0:
		return ldapReason(said)
	}
	return ""
}

// ldapReason is a result code in words, with what the server adds to it.
func ldapReason(said *ldap.Error) string {
	text := strings.ToLower(ldap.LDAPResultCodeMap[said.ResultCode])
	if text == "" {
		text = fmt.Sprintf("result %d", said.ResultCode)
	}
	if said.Err != nil && said.Err.Error() != "" {
		text += ": " + escape(said.Err.Error(), 4*maxExcerpt)
	}
	return text
}

// secure opens TLS, at once or by STARTTLS.
func (c *ldapCheck) secure(tcp net.Conn) (*tls.Conn, error) {
	if c.later {
		if err := askLDAPForTLS(tcp); err != nil {
			return nil, AtTLS.of(err)
		}
	}
	t := tls.Client(tcp, c.tls)
	return t, handshake(t)
}

// startTLSRequest is the extended request 1.3.6.1.4.1.1466.20037 with the message number 1 (RFC 4511,
// 4.14.1).
const startTLSRequest = "\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037"

// maxStartTLS bounds the answer, in bytes.
const maxStartTLS = 4 << 10

// askLDAPForTLS asks for TLS and reads no byte after the answer: those are for the handshake, which
// does not take what is said in the clear. (The library's own StartTLS reads in a goroutine.)
func askLDAPForTLS(tcp net.Conn) error {
	if _, err := io.WriteString(tcp, startTLSRequest); err != nil {
		return stageFault("STARTTLS", err)
	}
	answer := make([]byte, ldapHeader)
	if _, err := io.ReadFull(tcp, answer); err != nil {
		return stageFault("STARTTLS", err)
	}
	left, err := ldapLength(answer)
	switch {
	case err != nil:
		return fmt.Errorf("STARTTLS: %w: got %s", err, excerpt(answer))
	case left > maxStartTLS:
		return &fault{"STARTTLS: " + errTooMuch.Error(), errTooMuch}
	}
	answer = append(answer, make([]byte, left)...)
	if _, err := io.ReadFull(tcp, answer[ldapHeader:]); err != nil {
		return stageFault("STARTTLS", err)
	}
	return judgeStartTLS(answer)
}

// judgeStartTLS reads an answer: success, or the directory's word for why not.
func judgeStartTLS(answer []byte) error {
	packet, err := ber.DecodePacketErr(answer)
	if err != nil || len(packet.Children) < 2 || packet.Children[1].Tag != ldap.ApplicationExtendedResponse {
		return fmt.Errorf("STARTTLS: %w: got %s", errNotLDAP, excerpt(answer))
	}
	err = ldap.GetLDAPError(packet)
	var said *ldap.Error
	if errors.As(err, &said) {
		return &fault{errNotOffered.Error() + ": " + ldapReason(said), errNotOffered}
	}
	return err
}
