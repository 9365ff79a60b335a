package protocol

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"

	"ldirectord/checker"
	"ldirectord/checker/wire"
)

// secured is how a check uses TLS.
type secured struct {
	tls   *tls.Config // nil: in the clear
	rules wire.TLSRules
}

// secured returns how a Spec uses TLS. Without tls = yes it uses none.
func (e *Env) secured(s Spec) (c secured, err error) {
	if s.UseTLS {
		c, err = e.overTLS(s, nil)
	}
	return c, err
}

// overTLS returns how a Spec uses TLS if its check does so, from the beginning or later. If kept is nil, each handshake
// is a full one.
func (e *Env) overTLS(s Spec, kept *wire.Sessions) (c secured, err error) {
	if c.rules, err = e.tlsRules(s); err == nil {
		// without a name in the configuration, a certificate must match the address to which the check connects
		c.tls = c.rules.Config(kept, s.SNI, s.Host, s.Target.Addr().Unmap().WithZone("").String())
	}
	return c, err
}

// authorities returns the certificates of a file, or those of the system if path is "".
func (e *Env) authorities(path string) (*x509.CertPool, error) {
	return e.trusted.Get(path, func() (*x509.CertPool, error) {
		if path == "" {
			return x509.SystemCertPool()
		}
		_, pool, err := readCertificates(path)
		return pool, err
	})
}

// readCertificates reads a file of certificates.
func readCertificates(path string) (text []byte, pool *x509.CertPool, err error) {
	pool = x509.NewCertPool()
	text, err = checker.ReadPEM(path)
	if err == nil && !pool.AppendCertsFromPEM(text) {
		err = fmt.Errorf("%s contains no certificate", path)
	}
	return text, pool, err
}

// clientCertificate reads a certificate with its chain, and its key.
func clientCertificate(certPath, keyPath string) (*tls.Certificate, error) {
	cert, _, err := readCertificates(certPath)
	if err != nil {
		return nil, refused("tlscert", err)
	}
	key, err := checker.ReadPEM(keyPath)
	if err != nil {
		return nil, refused("tlskey", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, refused("tlskey", fmt.Errorf("%s: %w", keyPath, err))
	}
	return &pair, nil
}

// tlsRules returns the TLS rules of a Spec, and reads the files that it names.
func (e *Env) tlsRules(s Spec) (r wire.TLSRules, err error) {
	r.Verify, r.WarnDays = s.TLSVerify, s.TLSExpiryWarn
	if s.TLSVerify {
		if r.Roots, err = e.authorities(s.TLSCA); err != nil {
			return r, refused("tlsca", err)
		}
	}
	if s.TLSCert != "" || s.TLSKey != "" {
		r.Own, err = clientCertificate(s.TLSCert, s.TLSKey)
	}
	return r, err
}

// handshakeOnly requires TLS, with a certificate that the rules accept.
func handshakeOnly(d *dialogue) (string, error) {
	if err := d.EndTLS(); err != nil {
		return "", err
	}
	state := d.Conn.TLS.ConnectionState()
	leaf := state.PeerCertificates[0]
	return fmt.Sprintf("%s, %s until %s", tls.VersionName(state.Version), wire.CertificateText(leaf),
		wire.Day(leaf.NotAfter)), nil
}
