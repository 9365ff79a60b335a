package protocol

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// oldServers are the settings in the program's main.go with which old servers can be checked.
const oldServers = "tlssha1=1,x509negativeserial=1,rsa1024min=0,tlsmaxrsasize=16384"

func TestRealOpenSSL(t *testing.T) {
	openssl := needProgram(t, "openssl", "openssl")
	dir := serverDir(t)
	pair := func(name string, args ...string) []string {
		t.Helper()
		key, cert := dir+"/"+name+".key", dir+"/"+name+".pem"
		request := []string{"req", "-x509", "-nodes", "-days", "3", "-subj", "/CN=" + name, "-keyout", key,
			"-out", cert}
		if said, err := exec.CommandContext(t.Context(), openssl,
			append(request, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("openssl req: %v: %s", err, said)
		}
		return []string{"-cert", cert, "-key", key}
	}
	usual := pair("usual", "-newkey", "rsa:2048")
	negative := pair("negative", "-newkey", "rsa:2048", "-set_serial", "-5")
	small := pair("small", "-newkey", "rsa:768", "-sha256", "-addext", "subjectAltName=DNS:small")
	large := pair("large", "-newkey", "rsa:8200", "-pkeyopt", "rsa_keygen_primes:5") // made sooner than of two
	signed := pair("sha1", "-newkey", "rsa:1024", "-sha1")
	for name, c := range map[string]struct {
		pair    []string
		args    []string
		version string
		without string // the message without oldServers
	}{
		"usual": {pair: usual, version: "TLS 1.3"},
		"TLS 1.0": {pair: usual, args: []string{"-tls1", "-cipher", "ALL:@SECLEVEL=0"},
			version: "TLS 1.0"},
		"TLS 1.1": {pair: usual, args: []string{"-tls1_1", "-cipher", "ALL:@SECLEVEL=0"},
			version: "TLS 1.1"},
		"RSA key exchange": {pair: usual,
			args: []string{"-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0"}, version: "TLS 1.2"},
		"TLS 1.0 and RSA key exchange": {pair: usual,
			args: []string{"-tls1", "-cipher", "AES128-SHA:@SECLEVEL=0"}, version: "TLS 1.0"},
		"SHA-1 in the certificate": {pair: signed, args: []string{"-tls1_2", "-cipher", "ALL:@SECLEVEL=0"},
			version: "TLS 1.2"},
		"SHA-1 in the handshake": {pair: usual,
			args:    []string{"-tls1_2", "-cipher", "ALL:@SECLEVEL=0", "-sigalgs", "RSA+SHA1"},
			version: "TLS 1.2",
			without: "TLS handshake: remote error: tls: handshake failure"},
		"negative serial number": {pair: negative, args: []string{"-tls1_2"}, version: "TLS 1.2",
			without: "TLS handshake: tls: failed to parse certificate from server: x509: negative serial " +
				"number"},
		"RSA key of 768 bits": {pair: small, args: []string{"-tls1", "-cipher", "ALL:@SECLEVEL=0"},
			version: "TLS 1.0",
			without: "TLS handshake: tls: invalid signature by the server certificate: crypto/rsa: " +
				"768-bit keys are insecure*"},
		"RSA key of 8200 bits": {pair: large, version: "TLS 1.3",
			without: "TLS handshake: tls: server sent certificate containing RSA key larger than *"},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Leaks(t)
			port := freePort(t)
			args := append([]string{"s_server", "-quiet", "-naccept", "1000", "-accept", fmt.Sprint(port)},
				c.pair...)
			realServer{path: openssl, args: append(args, c.args...), ready: accepts(port)}.start(t)
			good := Spec{Type: "negotiate", Service: "tls", Target: loopback(port),
				NegotiateTimeout: inTime}
			if c.without != "" { // before the other check: a certificate that was read is cached
				expect(t, checked(t, good), "down: "+c.without)
			}
			t.Setenv("GODEBUG", oldServers)
			expect(t, checked(t, good), "up: "+c.version+", certificate of *")
			if name == "RSA key of 768 bits" {
				good.TLSVerify, good.TLSCA, good.Host = true, c.pair[1], "small"
				expect(t, checked(t, good),
					"down: certificate refused: an RSA key has less than 1024 bits")
			}
		})
	}
}

// A web server with a client's certificate for one path asks for it after the request, by another handshake.
func TestRealOpenSSLAsksForACertificateAfterTheRequest(t *testing.T) {
	openssl := needProgram(t, "openssl", "openssl")
	port := freePort(t)
	cert, key := writeCertificate(t, serverDir(t))
	server := exec.CommandContext(t.Context(), openssl, "s_server", "-accept", fmt.Sprint(port), "-tls1_2", "-crlf",
		"-Verify", "1", "-naccept", "1", "-cert", cert, "-key", key)
	commands := testkit.Must(server.StdinPipe())(t)
	said := bufio.NewScanner(testkit.Must(server.StdoutPipe())(t))
	testkit.OK(t, server.Start())
	defer func() { server.Process.Kill(); server.Wait() }()
	waitFor := func(begin string) {
		for said.Scan() && !strings.HasPrefix(said.Text(), begin) {
		}
	}
	waitFor("ACCEPT")
	go func() {
		waitFor("GET /")
		io.WriteString(commands, "R\n")
		waitFor("SSL_do_handshake")
		io.WriteString(commands, "HTTP/1.0 200 OK\nContent-Length: 2\n\nok")
		waitFor("the end of the server")
	}()
	good := Spec{Type: "negotiate", Service: "https", Target: loopback(port), NegotiateTimeout: inTime,
		URL: fmt.Sprintf("https://127.0.0.1:%d/", port), Receive: "ok"}
	good.TLSCert, good.TLSKey = cert, key
	expect(t, checked(t, good), "up: 200 OK")
}
