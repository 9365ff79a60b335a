package protocol

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"path/filepath"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// testAuthority signs certificates. Its own certificate is in a file.
type testAuthority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
	dir  string
}

func newAuthority(t *testing.T) *testAuthority {
	t.Helper()
	a := &testAuthority{key: newKey(t), dir: t.TempDir()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test Authority"},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(1000 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der := testkit.Must(x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key))(t)
	a.cert = testkit.Must(x509.ParseCertificate(der))(t)
	a.file = writeFile(t, a.dir, "ca.pem", toPEM("CERTIFICATE", der))
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	return testkit.Must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
}

func toPEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// issue signs a certificate for a name or an address. It expires after the given time.
func (a *testAuthority) issue(t *testing.T, name string, left time.Duration) tls.Certificate {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(left),
	}
	if left < 0 {
		template.NotBefore = time.Now().Add(2 * left)
	}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	der := testkit.Must(x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key))(t)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// serves is the TLS configuration of a server with a certificate for a name.
func (a *testAuthority) serves(t *testing.T, name string) *tls.Config {
	t.Helper()
	return &tls.Config{Certificates: []tls.Certificate{a.issue(t, name, time.Hour)}}
}

// demands is the TLS configuration of a server that demands a client certificate of the authority.
func (a *testAuthority) demands(t *testing.T, version uint16) *tls.Config {
	t.Helper()
	cfg := a.serves(t, "127.0.0.1")
	cfg.MinVersion, cfg.MaxVersion = version, version
	cfg.ClientAuth, cfg.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	cfg.ClientCAs.AddCert(a.cert)
	return cfg
}

// write puts a certificate and its key into files.
func (a *testAuthority) write(t *testing.T, name string, pair tls.Certificate) (cert, key string) {
	t.Helper()
	der := testkit.Must(x509.MarshalPKCS8PrivateKey(pair.PrivateKey))(t)
	dir := filepath.Join(a.dir, name)
	return writeFile(t, dir, "cert.pem", toPEM("CERTIFICATE", pair.Certificate[0])),
		writeFile(t, dir, "key.pem", toPEM("PRIVATE KEY", der))
}
