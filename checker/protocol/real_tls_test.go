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
		testkit.Run(t, exec.CommandContext(t.Context(), openssl, append(request, args...)...))
		return []string{"-cert", cert, "-key", key}
	}
	pairs := map[string][]string{
		"usual":    pair("usual", "-newkey", "rsa:2048"),
		"negative": pair("negative", "-newkey", "rsa:2048", "-set_serial", "-5"),
		"small":    pair("small", "-newkey", "rsa:768", "-sha256", "-addext", "subjectAltName=DNS:small"),
		// made sooner than of two primes
		"large": pair("large", "-newkey", "rsa:8200", "-pkeyopt", "rsa_keygen_primes:5"),
		"sha1":  pair("sha1", "-newkey", "rsa:1024", "-sha1"),
	}
	testkit.Rows(t, "../../testdata/checker/openssl.txt", 5, func(t *testing.T, row []string) {
		testkit.Leaks(t)
		port := freePort(t)
		args := append([]string{"s_server", "-quiet", "-naccept", "1000", "-accept", fmt.Sprint(port)},
			pairs[row[1]]...)
		args = append(args, strings.Fields(row[2])...)
		realServer{path: openssl, args: args, ready: accepts(port)}.start(t)
		good := asking(t, "tls", loopback(port), "")
		if row[4] != "" { // before the other check: a certificate that was read is cached
			expect(t, checked(t, good), "down: TLS handshake: "+row[4])
		}
		t.Setenv("GODEBUG", oldServers)
		expect(t, checked(t, good), "up: "+row[3]+", certificate of *")
		if row[1] == "small" {
			good.TLSVerify, good.TLSCA, good.Host = true, pairs["small"][1], "small"
			expect(t, checked(t, good),
				"down: certificate refused: an RSA key has fewer than 1024 bits")
		}
	})
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
	good := asking(t, "https", loopback(port), "url=https://{target}/; receive=ok")
	good.TLSCert, good.TLSKey = cert, key
	expect(t, checked(t, good), "up: 200 OK")
}
