package checker

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"

	"ldirectord/checker/wire"
	"ldirectord/internal/runfile"
)

// maxPEM limits a file of certificates, in bytes. All authorities of a system take 220 kB.
const maxPEM = 4 << 20

// TLSSums has checksums of the files that checks read, so that a certificate renewed in place makes a new check. Files
// that many checks share are read once.
type TLSSums map[tlsFiles]string

// tlsFiles are the paths of a certificate, its key, and authorities; "" for none.
type tlsFiles [3]string

// Of returns the sum of the files that a check reads, "" without any. New refuses unreadable files.
func (t TLSSums) Of(s Spec) string {
	files := tlsFiles{s.TLSCert, s.TLSKey}
	if s.TLSVerify {
		files[2] = s.TLSCA
	}
	if _, known := t[files]; !known {
		t[files] = files.sum()
	}
	return t[files]
}

// Names returns the files, sorted.
func (t TLSSums) Names() []string { return t.names(func(tlsFiles) bool { return true }) }

// Renewed returns the files of these checks whose content has changed, sorted.
func (t TLSSums) Renewed() []string { return t.names(func(f tlsFiles) bool { return f.sum() != t[f] }) }

func (t TLSSums) names(match func(tlsFiles) bool) (names []string) {
	for files := range t {
		if match(files) {
			names = append(names, files[:]...)
		}
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return name == "" })
}

func (f tlsFiles) sum() string {
	if f == (tlsFiles{}) {
		return ""
	}
	sum := sha256.New()
	for _, path := range f {
		text, err := []byte(nil), error(nil)
		if path != "" {
			text, err = runfile.ReadFile(path, maxPEM)
		}
		fmt.Fprintf(sum, "%d %s %v\n", len(text), text, err)
	}
	return string(sum.Sum(nil))
}

// authorities returns the certificates of a file, or the system's without a file.
func (e *Env) authorities(path string) (*x509.CertPool, error) {
	return e.trusted.get(path, func() (*x509.CertPool, error) {
		if path == "" {
			return x509.SystemCertPool()
		}
		text, err := runfile.ReadFile(path, maxPEM)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s: no certificate in it", path)
		}
		return pool, nil
	})
}

// clientCertificate reads a certificate with its chain, and its key.
func clientCertificate(certPath, keyPath string) (*tls.Certificate, error) {
	cert, err := runfile.ReadFile(certPath, maxPEM)
	if err == nil && !x509.NewCertPool().AppendCertsFromPEM(cert) {
		err = fmt.Errorf("%s: no certificate in it", certPath)
	}
	if err != nil {
		return nil, &SpecError{"tlscert", err}
	}
	key, err := runfile.ReadFile(keyPath, maxPEM)
	if err != nil {
		return nil, &SpecError{"tlskey", err}
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, &SpecError{"tlskey", fmt.Errorf("%s: %w", keyPath, err)}
	}
	return &pair, nil
}

// tlsRules returns the TLS rules of a Spec, and reads its files.
func (e *Env) tlsRules(s Spec) (r wire.TLSRules, err error) {
	r.Verify, r.WarnDays = s.TLSVerify, s.TLSExpiryWarn
	if s.TLSVerify {
		if r.Roots, err = e.authorities(s.TLSCA); err != nil {
			return r, &SpecError{"tlsca", err}
		}
	}
	if s.TLSCert != "" || s.TLSKey != "" {
		r.Own, err = clientCertificate(s.TLSCert, s.TLSKey)
	}
	return r, err
}

// addressName is the name that a certificate must match if the configuration has none.
func addressName(s Spec) string { return s.Target.Addr().Unmap().WithZone("").String() }

// handshakeOnly requires TLS, with a certificate that the rules accept.
func handshakeOnly(d *dialogue) (string, error) {
	if err := d.Verdict(); err != nil {
		return "", err
	}
	state := d.Conn.TLS.ConnectionState()
	leaf := state.PeerCertificates[0]
	return fmt.Sprintf("%s, %s until %s", tls.VersionName(state.Version), wire.CertificateText(leaf),
		wire.Day(leaf.NotAfter)), nil
}
