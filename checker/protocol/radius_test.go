package protocol

import (
	"crypto/hmac"
	"crypto/md5"
	"net"
	"strings"
	"testing"

	"layeh.com/radius"
	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2869"

	"ldirectord/checker/settings"
)

// radiusServer is a fake server with one user. It answers only clients that know its secret.
type radiusServer struct {
	secret  string
	message string // of an Access-Reject
	code    radius.Code
	id      byte // what is added to the identifier of the answer
}

func (s radiusServer) answer(_ int, packet []byte, _ net.Addr) []string {
	p, err := radius.Parse(packet, []byte(s.secret))
	if err != nil || !s.signed(p) {
		return nil
	}
	answer := p.Response(radius.CodeAccessReject)
	if rfc2865.UserName_GetString(p) == "monitor" && rfc2865.UserPassword_GetString(p) == "password" {
		answer.Code = radius.CodeAccessAccept
	}
	if s.code != 0 {
		answer.Code = s.code
	}
	if s.message != "" {
		rfc2865.ReplyMessage_SetString(answer, s.message)
	}
	answer.Identifier += s.id
	raw, err := answer.Encode()
	if err != nil {
		panic(err)
	}
	return []string{string(raw)}
}

// signed checks the Message-Authenticator of a request.
func (s radiusServer) signed(p *radius.Packet) bool {
	got := rfc2869.MessageAuthenticator_Get(p)
	rfc2869.MessageAuthenticator_Set(p, make([]byte, md5.Size))
	raw, err := p.Encode()
	if err != nil {
		return false
	}
	mac := hmac.New(md5.New, []byte(s.secret))
	mac.Write(raw)
	return hmac.Equal(got, mac.Sum(nil))
}

func TestRADIUS(t *testing.T) {
	user := Spec{Service: "radius", Protocol: "udp", Account: settings.Account{Login: "monitor", Passwd: "password", Secret: "shared"}}
	wrong := user
	wrong.Passwd = "other"
	server := radiusServer{secret: "shared"}
	const silence = "no answer in 400ms (a server is also silent when it does not know us or the secret)"
	fixed := func(text ...string) datagrams {
		return func(int, []byte, net.Addr) []string { return text }
	}
	forged := func(_ int, packet []byte, _ net.Addr) []string {
		return []string{"\x02" + string(packet[1:2]) + "\x00\x14" + strings.Repeat("x", 16)}
	}
	checkDatagrams(t, []datagramCase{
		{name: "good", spec: user, server: server.answer, up: true, detail: "Access-Accept"},
		{name: "good over IPv6", spec: user, ipv6: true, server: server.answer, up: true, detail: "Access-Accept"},
		{name: "padded", spec: user, server: func(n int, packet []byte, from net.Addr) []string {
			return []string{server.answer(n, packet, from)[0] + "\x00\x00"}
		}, up: true, detail: "Access-Accept"},
		{name: "the first packet is lost", spec: user, server: func(n int, packet []byte, from net.Addr) []string {
			if n == 0 {
				return nil
			}
			return server.answer(n, packet, from)
		}, up: true, detail: "Access-Accept"},
		{name: "wrong password", spec: wrong, server: server.answer, detail: "login rejected: Access-Reject"},
		{name: "rejected with a message", spec: wrong, server: radiusServer{secret: "shared", message: "not\nother, not shared"}.answer, detail: `login rejected: Access-Reject: not\n…, not …`},
		{name: "wants more than a password", spec: user, server: radiusServer{secret: "shared", code: radius.CodeAccessChallenge}.answer, detail: "login rejected: Access-Challenge"},
		{name: "wrong secret", spec: user, server: radiusServer{secret: "another"}.answer, late: true, detail: silence},
		{name: "answers to others only", spec: user, server: radiusServer{secret: "shared", id: 1}.answer, late: true, detail: "no answer in 400ms, but other datagrams"},
		{name: "forged", spec: user, server: forged, detail: "the answer is not signed with our secret"},
		{name: "echo", spec: user, server: func(_ int, packet []byte, _ net.Addr) []string { return []string{string(packet)} }, detail: "the answer is not signed with our secret"},
		{name: "another protocol", spec: user, server: fixed("HTTP/1.1 \x1b"), detail: `not RADIUS: "HTTP/1.1 \x1b"`},
		{name: "oversized", spec: user, server: fixed(strings.Repeat("\x7f", 60000)), detail: `not RADIUS: "` + strings.Repeat(`\x7f`, 60) + `"…`},
		{name: "silent", spec: user, server: fixed(), late: true, detail: silence},
		{name: "refused", spec: user, detail: "udp: refused"},
		{name: "refused over IPv6", spec: user, ipv6: true, detail: "udp: refused"},
		{name: "no secret", spec: Spec{Service: "radius", Account: settings.Account{Login: "monitor", Passwd: "password"}}, detail: "secret is not set"},
	})
}
