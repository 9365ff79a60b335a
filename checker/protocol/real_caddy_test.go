package protocol

import (
	"fmt"
	"testing"

	"ldirectord/checker"
)

// Caddy answers by Go's HTTP server, with HTTP/2 over TLS, and passes protocol switches on.
func TestRealCaddy(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir()) // where it keeps what it serves
	path, dir := needProgram(t, "/usr/bin/caddy", "caddy"), serverDir(t)
	port, secure := freePort(t), freePort(t)
	cert, key := writeCertificate(t, dir)
	socket := serve(t, saying("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"\r\n"))
	config := writeFile(t, dir, "Caddyfile", fmt.Sprintf(`{
	admin off
	auto_https off
	storage file_system %[1]s
	servers {
		protocols h1 h2
	}
}
(pages) {
	@ready {
		method POST
		header Content-Type application/json
	}
	header X-Pool blue
	handle /post {
		respond @ready "got {http.request.body}"
		respond 405
	}
	handle /socket {
		reverse_proxy %[2]s
	}
	handle {
		respond "{http.request.proto} for {http.request.host}"
	}
}
http://127.0.0.1:%[3]d {
	bind 127.0.0.1
	import pages
}
https://localhost:%[4]d {
	bind 127.0.0.1
	tls %[5]s %[6]s
	import pages
}
`, dir, socket.addr, port, secure, cert, key))
	pid := realServer{path: path, args: []string{"run", "--adapter", "caddyfile", "--config", config},
		ready: accepts(port, secure)}.start(t)
	good := httpSpec(loopback(port), "^HTTP/1.1 for 127.0.0.1$")
	good.NegotiateTimeout = inTime
	at := func(path, receive string) func(*Spec) {
		return func(s *Spec) { s.URL, s.Receive = fmt.Sprintf("http://%s%s", s.Target, path), receive }
	}
	post := func(kind string) func(*Spec) {
		return func(s *Spec) {
			at("/post", `got \{"a":1\}`)(s)
			s.HTTPMethod, s.HTTPBody, s.HTTPHeaders = "POST", `{"a":1}`,
				checker.ListOf("Content-Type: "+kind)
		}
	}
	header := func(want string) func(*Spec) { return func(s *Spec) { s.ReceiveHeader = want } }
	upgrade := func(path string) func(*Spec) {
		return func(s *Spec) {
			at(path, "")(s)
			s.HTTPStatus, s.HTTPHeaders = "101", checker.ListOf("Connection: Upgrade", "Upgrade: websocket")
		}
	}
	overTLS := func(s *Spec) {
		s.Service, s.Target, s.Host, s.TLSVerify, s.TLSCA = "https", loopback(secure), "localhost", true, cert
		s.URL, s.Receive = fmt.Sprintf("https://%s/", s.Target), "^HTTP/1.1 for localhost$"
	}
	checkCells(t, good, []cell{
		{"good", nil, "up: 200 OK"},
		{"POST", post("application/json"), "up: 200 OK"},
		{"POST of another kind", post("text/plain"), "down: status 405, want 2xx"},
		{"no POST", at("/post", "got"), "down: status 405, want 2xx"},
		{"header", header("X-Pool: ^blue$"), "up: 200 OK"},
		{"another header", header("X-Pool: ^green$"),
			`down: header X-Pool does not match /^green$/: got "blue"`},
		{"upgrade", upgrade("/socket"), "up: 101 Switching Protocols"},
		{"no upgrade", upgrade("/"), "down: status 200, want 101"},
		{"https", overTLS, "up: 200 OK"},
		{"https of an unknown name", func(s *Spec) { overTLS(s); s.Host = "other.example" },
			"down: TLS handshake: remote error: tls: internal error"},
	})
	checkStopped(t, pid, good, "down: no answer in 150ms")
}
