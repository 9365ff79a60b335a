package checker

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

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

// askLDAPForTLS asks for TLS and reads no byte behind the answer: those are for the handshake, which
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
