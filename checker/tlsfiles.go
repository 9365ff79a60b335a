package checker

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// maxPEM bounds a file of certificates, in bytes. All authorities of a system have 220 kB.
const maxPEM = 4 << 20

// authority is a file of authorities as it was when it was read.
type authority struct {
	pool    *x509.CertPool
	changed time.Time
	size    int64
}

// authorities returns the certificates of a file, or those of the system when there is none. Many
// servers share one pool; a file that has changed is read again.
func (e *Env) authorities(path string) (*x509.CertPool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	info, err := os.Stat(path)
	if had, ok := e.trusted[path]; ok && (path == "" || err == nil && had.changed.Equal(info.ModTime()) && had.size == info.Size()) {
		return had.pool, nil
	}
	read := authority{}
	if path == "" {
		read.pool, err = x509.SystemCertPool()
	} else if err == nil {
		read.changed, read.size = info.ModTime(), info.Size()
		read.pool, err = readAuthorities(path)
	}
	if err != nil {
		return nil, &SpecError{"tlsca", err}
	}
	if e.trusted == nil {
		e.trusted = map[string]authority{}
	}
	e.trusted[path] = read
	return read.pool, nil
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
