package protocol

import (
	"crypto/hmac"
	"crypto/md5"
	"net"
	"strconv"
	"strings"
	"testing"

	"layeh.com/radius"
	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2869"
)

// radiusServer is a fake server with one user. It answers only clients that know its secret.
type radiusServer struct {
	secret  string
	message string // of an Access-Reject
	code    radius.Code
	id      byte   // what is added to the identifier of the answer
	pad     string // what follows the answer
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
	return []string{string(raw) + s.pad}
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

// radiusAnswer answers as a server that differs from a good one in a word, as "id=1".
func radiusAnswer(t *testing.T, text string) datagrams {
	s := radiusServer{secret: "shared"}
	name, value, _ := strings.Cut(text, "=")
	value = bare(t, value)
	number, _ := strconv.Atoi(value)
	switch name {
	case "secret":
		s.secret = value
	case "message":
		s.message = value
	case "code":
		s.code = radius.Code(number)
	case "id":
		s.id = byte(number)
	case "pad":
		s.pad = value
	}
	return s.answer
}
