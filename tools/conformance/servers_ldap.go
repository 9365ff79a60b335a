package main

import (
	"fmt"
	"net"

	ber "github.com/go-asn1-ber/asn1-ber"
)

// Operations and results of LDAP (RFC 4511).
const (
	bindRequest, bindResponse, unbindRequest = 0, 1, 2
	searchRequest, searchEntry, searchDone   = 3, 4, 5

	ldapSuccess, ldapInvalidCredentials = 0, 49
)

// serveLDAP answers binds and base searches. Settings: user and pass (else anybody may bind), dn (of the entry
// found; empty: none). It logs binds and searches.
func serveLDAP(conn net.Conn, s *server) error {
	for {
		message, err := ber.ReadPacket(conn)
		if err != nil {
			return err
		}
		if len(message.Children) < 2 {
			return fmt.Errorf("not an LDAP message")
		}
		id, operation := message.Children[0], message.Children[1]
		field := func(i int) string { return operation.Children[i].Data.String() }
		switch operation.Tag {
		case bindRequest:
			dn, pass := field(1), field(2)
			s.log("bind %s %s", dn, pass)
			code := ldapSuccess
			if !s.is("user", dn) || !s.is("pass", pass) {
				code = ldapInvalidCredentials
			}
			conn.Write(ldapMessage(id, bindResponse, ldapResult(code)...))
		case searchRequest:
			base := field(0)
			s.log("search %s", base)
			if dn := s.get("dn", base); dn != "" {
				conn.Write(ldapMessage(id, searchEntry, ldapText(dn), ber.NewSequence("attributes")))
			}
			conn.Write(ldapMessage(id, searchDone, ldapResult(ldapSuccess)...))
		case unbindRequest:
			return nil
		}
	}
}

func ldapMessage(id *ber.Packet, operation ber.Tag, fields ...*ber.Packet) []byte {
	body := ber.Encode(ber.ClassApplication, ber.TypeConstructed, operation, nil, "operation")
	for _, f := range fields {
		body.AppendChild(f)
	}
	message := ber.NewSequence("message")
	message.AppendChild(id)
	message.AppendChild(body)
	return message.Bytes()
}

func ldapText(text string) *ber.Packet {
	return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, text, "text")
}

// ldapResult is a result without a name and a message.
func ldapResult(code int) []*ber.Packet {
	return []*ber.Packet{ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, code, "code"),
		ldapText(""), ldapText("")}
}
