package peers

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// target is the server that is checked, and counts the checks. For pings that is the kernel.
type target struct {
	cmd *exec.Cmd // nil for pings
	ask io.WriteCloser
	say *bufio.Reader
	was int // echo requests before
}

func startTarget(t *testing.T, kind string) *target {
	t.Helper()
	if kind == "ping" {
		return &target{was: echoes(t)}
	}
	cmd := exec.Command(tool("target"), fmt.Sprint(port))
	if kind == "https" || kind == "resumed" {
		cmd = exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "PEERS_TARGET="+kind, "GOMAXPROCS=1")
	}
	ask := testkit.Must(cmd.StdinPipe())(t)
	say := testkit.Must(cmd.StdoutPipe())(t)
	cmd.Stderr = os.Stderr
	testkit.OK(t, cmd.Start())
	g := &target{cmd: cmd, ask: ask, say: bufio.NewReader(say)}
	g.count(t) // it listens now
	return g
}

// count is how many checks there were, and of how many servers. The kernel does not tell pings apart: each server is
// asked once an interval.
func (g *target) count(t *testing.T) (checks, servers int) {
	t.Helper()
	if g.cmd == nil {
		n := echoes(t) - g.was
		return n, n
	}
	io.WriteString(g.ask, "\n")
	if _, err := fmt.Fscanln(g.say, &checks, &servers); err != nil {
		t.Fatalf("the target: %v", err)
	}
	return checks, servers
}

func (g *target) stop() {
	if g.cmd != nil {
		g.ask.Close()
		g.cmd.Wait()
	}
}

// serveTLS is target.c with TLS.
func serveTLS(kind string) error {
	certificate, err := selfSigned()
	if err != nil {
		return err
	}
	l, err := tls.Listen("tcp4", fmt.Sprintf("0.0.0.0:%d", port), &tls.Config{
		Certificates: []tls.Certificate{certificate}, SessionTicketsDisabled: kind == "https",
	})
	if err != nil {
		return err
	}
	var mu sync.Mutex
	requests, known := 0, map[string]bool{}
	answer := func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		requests++
		known[r.Context().Value(http.LocalAddrContextKey).(net.Addr).String()] = true
		mu.Unlock()
		w.Header().Set("Connection", "close")
		io.WriteString(w, "<html><body>this server is OK</body></html>")
	}
	quiet := log.New(io.Discard, "", 0) // a program that ends cuts its connections
	go (&http.Server{Handler: http.HandlerFunc(answer), ErrorLog: quiet}).Serve(l)
	for in := bufio.NewReader(os.Stdin); ; {
		if _, err := in.ReadByte(); err != nil {
			return nil
		}
		mu.Lock()
		fmt.Println(requests, len(known))
		mu.Unlock()
	}
}

// selfSigned is a certificate of a kind that is cheap for a server.
func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "www.example.com"},
		DNSNames:  []string{"www.example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
