package checker

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxPEM bounds a file of certificates, in bytes. All authorities of a system have 220 kB.
const maxPEM = 4 << 20

// TLSSum tells one content of the files that a check reads from another, so that a certificate that was renewed
// under its old name makes another check. It is "" without such files. What can't be read is New's to refuse.
func (s Spec) TLSSum() string {
	files := []string{s.TLSCert, s.TLSKey}
	if s.TLSVerify {
		files = append(files, s.TLSCA)
	}
	if strings.Join(files, "") == "" {
		return ""
	}
	sum := sha256.New()
	for _, path := range files {
		text, err := []byte(nil), error(nil)
		if path != "" {
			text, err = readPEM(path)
		}
		fmt.Fprintf(sum, "%d %s %v\n", len(text), text, err)
	}
	return string(sum.Sum(nil))
}

// authorities returns the certificates of a file, or those of the system when there is none. Many
// servers share one pool.
func (e *Env) authorities(path string) (*x509.CertPool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if pool := e.trusted[path]; pool != nil {
		return pool, nil
	}
	read := readAuthorities
	if path == "" {
		read = func(string) (*x509.CertPool, error) { return x509.SystemCertPool() }
	}
	pool, err := read(path)
	if err != nil {
		return nil, &SpecError{"tlsca", err}
	}
	if e.trusted == nil {
		e.trusted = map[string]*x509.CertPool{}
	}
	e.trusted[path] = pool
	return pool, nil
}

func readAuthorities(path string) (*x509.CertPool, error) {
	text, err := readPEM(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errNoCertificate(path)
	}
	return pool, nil
}

// clientCertificate reads a certificate with its chain, and its key.
func clientCertificate(certPath, keyPath string) (*tls.Certificate, error) {
	cert, err := readPEM(certPath)
	if err == nil && !x509.NewCertPool().AppendCertsFromPEM(cert) {
		err = errNoCertificate(certPath)
	}
	if err != nil {
		return nil, &SpecError{"tlscert", err}
	}
	key, err := readPEM(keyPath)
	if err != nil {
		return nil, &SpecError{"tlskey", err}
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, &SpecError{"tlskey", fmt.Errorf("%s: %w", keyPath, err)}
	}
	return &pair, nil
}

type errNoCertificate string

func (e errNoCertificate) Error() string { return string(e) + ": no certificate in it" }

// readPEM reads a file whole. What is no file, as a pipe, could keep us waiting.
func readPEM(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New(path + ": not a file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxPEM+1))
	if err == nil && len(text) > maxPEM {
		err = fmt.Errorf("%s: more than %d bytes", path, maxPEM)
	}
	return text, err
}
