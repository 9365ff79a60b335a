package protocol

import (
	"fmt"
	"testing"
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
	checkReal(t, "caddy", good, "{secure}", fmt.Sprint(secure), "{ca}", cert)
	checkStopped(t, pid, good, "down: no answer in 150ms")
}
