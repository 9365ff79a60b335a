package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"time"
)

// Tags of LDAP (RFC 4511) and BER.
const (
	berInteger, berOctets, berEnumerated, berSequence = 0x02, 0x04, 0x0a, 0x30

	bindRequest, bindResponse, unbindRequest = 0x60, 0x61, 0x42
	searchRequest, searchEntry, searchDone   = 0x63, 0x64, 0x65

	ldapSuccess, ldapInvalidCredentials = 0, 49
)

// serveLDAP answers binds and base searches. Settings: user and pass (else anybody may bind), dn (of the entry
// found; empty: none). It logs binds and searches.
func serveLDAP(conn net.Conn, s *server) error {
	conn.SetDeadline(time.Now().Add(clientTime))
	for in := bufio.NewReader(conn); ; {
		_, message, err := readBER(in)
		if err != nil {
			return err
		}
		fields := berFields(message)
		if len(fields) < 2 {
			return fmt.Errorf("not an LDAP message")
		}
		id, operation := ber(berInteger, fields[0].body), fields[1]
		body := berFields(operation.body)
		answer := func(tag byte, code byte) []byte {
			result := append(ber(berEnumerated, []byte{code}),
				append(ber(berOctets, nil), ber(berOctets, nil)...)...)
			return ber(berSequence, append(id, ber(tag, result)...))
		}
		switch operation.tag {
		case bindRequest:
			dn, pass := string(body[1].body), string(body[2].body)
			s.log("bind %s %s", dn, pass)
			code := byte(ldapSuccess)
			if !s.is("user", dn) || !s.is("pass", pass) {
				code = ldapInvalidCredentials
			}
			conn.Write(answer(bindResponse, code))
		case searchRequest:
			base := string(body[0].body)
			s.log("search %s", base)
			if dn := s.get("dn", base); dn != "" {
				entry := append(ber(berOctets, []byte(dn)), ber(berSequence, nil)...)
				conn.Write(ber(berSequence, append(id, ber(searchEntry, entry)...)))
			}
			conn.Write(answer(searchDone, ldapSuccess))
		case unbindRequest:
			return nil
		}
	}
}

type berField struct {
	tag  byte
	body []byte
}

func ber(tag byte, body []byte) []byte {
	length := []byte{byte(len(body))}
	if len(body) > 127 {
		length = []byte{0x82, byte(len(body) >> 8), byte(len(body))}
	}
	return append(append([]byte{tag}, length...), body...)
}

func readBER(in io.ByteReader) (tag byte, body []byte, err error) {
	next := func() byte {
		var b byte
		if err == nil {
			b, err = in.ReadByte()
		}
		return b
	}
	tag = next()
	length := int(next())
	if length > 127 {
		size := length & 127
		length = 0
		for range min(size, 3) {
			length = length<<8 | int(next())
		}
	}
	for i := 0; i < length && err == nil; i++ {
		body = append(body, next())
	}
	return tag, body, err
}

func berFields(body []byte) (fields []berField) {
	in := byteReader{body}
	for len(in.rest) > 0 {
		tag, inner, err := readBER(&in)
		if err != nil {
			return fields
		}
		fields = append(fields, berField{tag, inner})
	}
	return fields
}

type byteReader struct{ rest []byte }

func (r *byteReader) ReadByte() (byte, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b, nil
}
