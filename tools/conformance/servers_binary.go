package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
	"layeh.com/radius"
	"layeh.com/radius/rfc2865"
)

// dnsAnswer settings: a=NAME/ADDRESS, ptr=ADDRESS/NAME, rcode, silent. It logs TYPE NAME.
func dnsAnswer(request []byte, s *server) []byte {
	var m dnsmessage.Message
	if m.Unpack(request) != nil || len(m.Questions) != 1 || s.get("silent", "") != "" {
		return nil
	}
	q := m.Questions[0]
	name := strings.TrimSuffix(q.Name.String(), ".")
	s.log("%s %s", strings.TrimPrefix(q.Type.String(), "Type"), name)
	m.Response, m.Additionals = true, nil
	head := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 60}
	host, address, _ := strings.Cut(s.get("a", "-/"), "/")
	if q.Type == dnsmessage.TypeA && strings.EqualFold(name, host) {
		if ip := net.ParseIP(address).To4(); ip != nil {
			m.Answers = append(m.Answers,
				dnsmessage.Resource{Header: head, Body: &dnsmessage.AResource{A: [4]byte(ip)}})
		}
	}
	address, host, _ = strings.Cut(s.get("ptr", "-/"), "/")
	if q.Type == dnsmessage.TypePTR && name == reversed(address) {
		pointer := &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName(host + ".")}
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: pointer})
	}
	switch {
	case s.get("rcode", "") != "":
		fmt.Sscan(s.get("rcode", ""), (*uint16)(&m.RCode))
		m.Answers = nil
	case len(m.Answers) == 0:
		m.RCode = dnsmessage.RCodeNameError
	}
	answer, err := m.Pack()
	if err != nil {
		return nil
	}
	return answer
}

func reversed(address string) string {
	ip := net.ParseIP(address).To4()
	if ip == nil {
		return ""
	}
	return fmt.Sprintf("%d.%d.%d.%d.in-addr.arpa", ip[3], ip[2], ip[1], ip[0])
}

func dnsStream(conn net.Conn, s *server) error {
	var length uint16
	if err := binary.Read(conn, binary.BigEndian, &length); err != nil {
		return err
	}
	request := make([]byte, length)
	if _, err := io.ReadFull(conn, request); err != nil {
		return err
	}
	answer := dnsAnswer(request, s)
	if answer == nil {
		return nil
	}
	_, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
	return err
}

// sipAnswer settings: status. It logs the request line and the To header.
func sipAnswer(request []byte, s *server) []byte {
	to := ""
	lines := strings.Split(string(request), "\r\n")
	for _, line := range lines {
		if to == "" && strings.HasPrefix(strings.ToLower(line), "to:") {
			to = line
		}
	}
	s.log("%s | %s", lines[0], to)
	return fmt.Appendf(nil, "SIP/2.0 %s\r\nCSeq: 63104 OPTIONS\r\nContent-Length: 0\r\n\r\n",
		s.get("status", "200 OK"))
}

func sipStream(conn net.Conn, s *server) error {
	var request []byte
	for part := make([]byte, 4096); !bytes.Contains(request, []byte("\r\n\r\n")); {
		n, err := conn.Read(part)
		if err != nil {
			return err
		}
		request = append(request, part[:n]...)
	}
	_, err := conn.Write(sipAnswer(request, s))
	return err
}

// radiusAnswer checks a password (RFC 2865, 5.2). Settings: secret, user, pass. It logs USER and the verdict.
func radiusAnswer(request []byte, s *server) []byte {
	packet, err := radius.Parse(request, []byte(s.get("secret", "s")))
	if err != nil {
		return nil
	}
	user, verdict, code := rfc2865.UserName_GetString(packet), "reject", radius.CodeAccessReject
	if s.is("user", user) && s.is("pass", rfc2865.UserPassword_GetString(packet)) {
		verdict, code = "accept", radius.CodeAccessAccept
	}
	s.log("%s %s", user, verdict)
	answer, err := packet.Response(code).Encode()
	if err != nil {
		return nil
	}
	return answer
}
