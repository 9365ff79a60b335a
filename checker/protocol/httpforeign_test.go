package protocol

import (
	"fmt"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// A real server may redirect the director to a server that only the director reaches, such as the metadata service of
// its cloud.
func TestAForeignServerIsNotQuoted(t *testing.T) {
	const token = "SECRET-TOKEN"
	a := newAuthority(t)
	secure := serveTLS(t, "127.0.0.2", a.serves(t, token+".example.org")).Target
	for name, c := range map[string]struct {
		answer string
		detail string // what the detail has after the redirect; none: up
		said   string
	}{
		"good": {"HTTP/1.1 200 " + token + "\r\nContent-Length: 8\r\n\r\nAll good", "", ""},
		"another page": {okHead + "Content-Length: 12\r\n\r\n" + token,
			": body does not match /All good/", "200 OK"},
		"another status": {"HTTP/1.1 404 " + token + "\r\n\r\n", ": status 404, want 2xx",
			"404 Not Found"},
		"no HTTP": {token + "\r\n", ": the answer there can't be used", ""},
		"a bad status line": {"HTTP/1.1 abc " + token + "\r\n\r\n", ": the answer there can't be used",
			""},
		"a bad length": {okHead + "Content-Length: " + token + "\r\n\r\n",
			": the answer there can't be used", ""},
		"a bad chunk": {okHead + "Transfer-Encoding: chunked\r\n\r\n" + token + "\r\n",
			": the answer there can't be used", ""},
		"on to a bad URL": {"HTTP/1.1 302 Found\r\nLocation: ftp://" + token + "/\r\n\r\n",
			" and on: the answer there can't be used", ""},
		"on to no name": {"HTTP/1.1 302 Found\r\nLocation: http://" + token + ".invalid/\r\n\r\n",
			" and on: the answer there can't be used", ""},
		"on to nobody": {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.3:1/" + token + "\r\n\r\n",
			" and on: connect: refused", ""},
		"on to TLS": {"HTTP/1.1 302 Found\r\nLocation: https://" + secure.String() + "/" + token +
			"\r\n\r\n", " and on: no TLS there, or a certificate that is not trusted", ""},
		"nothing": {"", ": connection closed without an answer", ""},
	} {
		t.Run(name, func(t *testing.T) {
			there := "http://" + serveOn(t, "127.0.0.2:0", saying(c.answer)).addr.String() + "/latest"
			s := httpSpec(serve(t, saying("HTTP/1.1 302 Found\r\nLocation: "+there+"\r\n\r\n")).addr,
				"All good")
			s.TLSVerify, s.TLSCA = true, a.file
			r := checked(t, s)
			want := "up: 200 OK"
			if c.detail != "" {
				want = "down: redirected to " + there + c.detail
			}
			expect(t, r, want+"; warning: redirect to "+there+" leaves the server being checked")
			testkit.Equal(t, r.Body, c.said)
			if strings.Contains(fmt.Sprintf("%+v", r), token) {
				t.Errorf("the foreign server is quoted: %+v", r)
			}
		})
	}
}
