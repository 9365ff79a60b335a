package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// pair is a self-signed certificate and its key.
type pair struct {
	tls.Certificate
	cert, key string // as PEM
}

func newPair(t *testing.T, serial int64) (p pair) {
	t.Helper()
	key := testkit.Must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der := testkit.Must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))(t)
	der8 := testkit.Must(x509.MarshalPKCS8PrivateKey(key))(t)
	p.cert = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	p.key = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der8}))
	p.Certificate = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return p
}

// serveTLS is a server that makes handshakes with its certificate. It records the serial number of the last client
// certificate.
func serveTLS(t *testing.T, own pair) (address string, shown *atomic.Int64) {
	t.Helper()
	shown = new(atomic.Int64)
	l := testkit.Must(tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{own.Certificate}, ClientAuth: tls.RequireAnyClientCert,
		VerifyConnection: func(s tls.ConnectionState) error {
			shown.Store(s.PeerCertificates[0].SerialNumber.Int64())
			return nil
		},
	}))(t)
	testkit.Serve(t, l, func(c net.Conn) { c.(*tls.Conn).Handshake() })
	return l.Addr().String(), shown
}

// checksTLS is a daemon, not started yet, that checks a server over TLS, with its files in a folder.
func checksTLS(t *testing.T, address, more string) *runningDaemon {
	t.Helper()
	d := unstarted(t, "")
	d.write(fmt.Sprintf(`%[3]scheckinterval = 1
virtual = 10.1.0.1:443
	real = %[2]s masq
	service = tls
	tlsverify = yes
	tlsca = %[1]s/ca.pem
	tlscert = %[1]s/cert.pem
	tlskey = %[1]s/key.pem
`, d.dir, address, more))
	t.Cleanup(func() { endDaemons(d.dir) })
	return d
}

// The names of the files are unchanged: a reload must notice that their content has changed.
func TestARenewedCertificateCountsAtTheNextReload(t *testing.T) {
	server, first, second := newPair(t, 1), newPair(t, 2), newPair(t, 3)
	address, shown := serveTLS(t, server)
	d := checksTLS(t, address, "")
	d.put("ca.pem", first.cert) // not the authority of the server's certificate
	d.put("cert.pem", first.cert)
	d.put("key.pem", first.key)
	d.tell("start")
	within(t, "a certificate that is refused", func() bool { return d.holds("log", "signed by unknown authority") })

	d.put("ca.pem", server.cert)
	d.tell("reload")
	within(t, "the server in the table", func() bool { return d.holds("table", "-r "+address) })
	within(t, "the certificate of the director", func() bool { return shown.Load() == 2 })

	d.put("cert.pem", "nothing\n")
	if _, err := d.say("reload"); err == nil {
		t.Error("a file without a certificate was taken")
	}
	d.put("cert.pem", second.cert)
	d.put("key.pem", second.key)
	d.tell("reload")
	within(t, "the renewed certificate of the director", func() bool { return shown.Load() == 3 })
	if !d.holds("table", "-r "+address) || d.holds("log", "Deleted real server") {
		t.Error("the renewal took the server out of the table")
	}
}

// With autoreload a renewed certificate is used without a reload. A file that can't be used is reported once, and
// read again when it changes.
func TestARenewedCertificateCountsAtOnceWithAutoreload(t *testing.T) {
	server, first, second := newPair(t, 1), newPair(t, 2), newPair(t, 3)
	address, shown := serveTLS(t, server)
	d := checksTLS(t, address, "autoreload = yes\n")
	d.put("ca.pem", server.cert)
	d.put("cert.pem", first.cert)
	d.put("key.pem", first.key)
	d.tell("start")
	within(t, "the certificate of the director", func() bool { return shown.Load() == 2 })

	d.put("key.pem", second.key) // the new certificate comes later than the new key
	within(t, "a key that is refused", func() bool {
		return d.holds("log", "private key does not match public key")
	})
	d.put("cert.pem", second.cert)
	within(t, "the renewed certificate of the director", func() bool { return shown.Load() == 3 })
	within(t, "that in the log", func() bool { return d.holds("log", " - reread new configuration") })
	log := testkit.Read(t, d.path("log"))
	changed := fmt.Sprintf("Certificate, key, authority or password has changed on disk: %[1]s/ca.pem or "+
		"%[1]s/cert.pem or %[1]s/key.pem", d.dir)
	for text, want := range map[string]int{changed: 2, "does not match public key": 1,
		" - reread new configuration": 1, "Deleted real server": 0} {
		testkit.Equal(t, strings.Count(log, text), want, "times", text, "in the log:", log)
	}
}
