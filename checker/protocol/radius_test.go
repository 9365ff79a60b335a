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
	user := Spec{Service: "radius", Protocol: "udp",
		Account: settings.Account{Login: "monitor", Passwd: "password", Secret: "shared"}}
	wrong := user
	wrong.Passwd = "other"
	server := radiusServer{secret: "shared"}
	const silence = "down: no answer in 400ms (a server is also silent when it does not know us or the secret)"
	forged := func(_ int, packet []byte, _ net.Addr) []string {
		return []string{"\x02" + string(packet[1:2]) + "\x00\x14" + strings.Repeat("x", 16)}
	}
	checkDatagrams(t, []datagramCase{
		{"good", user, server.answer, "up: Access-Accept"},
		{"padded", user, func(n int, packet []byte, from net.Addr) []string {
			return []string{server.answer(n, packet, from)[0] + "\x00\x00"}
		}, "up: Access-Accept"},
		{"the first packet is lost", user, afterLoss(server.answer), "up: Access-Accept"},
		{"wrong password", wrong, server.answer, "down: login rejected: Access-Reject"},
		{"rejected with a message", wrong,
			radiusServer{secret: "shared", message: "not\nother, not shared"}.answer,
			`down: login rejected: Access-Reject: not\n…, not …`},
		{"wants more than a password", user,
			radiusServer{secret: "shared", code: radius.CodeAccessChallenge}.answer,
			"down: login rejected: Access-Challenge"},
		{"wrong secret", late(user), radiusServer{secret: "another"}.answer, silence},
		{"answers to others only", late(user), radiusServer{secret: "shared", id: 1}.answer,
			"down: no answer in 400ms, but other datagrams"},
		{"forged", user, forged, "down: the answer is not signed with our secret"},
		{"echo", user, func(_ int, packet []byte, _ net.Addr) []string { return []string{string(packet)} },
			"down: the answer is not signed with our secret"},
		{"another protocol", user, replies("HTTP/1.1 \x1b"), `down: not RADIUS: "HTTP/1.1 \x1b"`},
		{"oversized", user, replies(strings.Repeat("\x7f", 60000)),
			`down: not RADIUS: "` + strings.Repeat(`\x7f`, 60) + `"…`},
		{"no secret", Spec{Service: "radius", Account: settings.Account{Login: "monitor", Passwd: "password"}},
			nil, "down: secret is not set"},
	})
}
