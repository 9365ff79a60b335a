package wire

import (
	"cmp"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// Of the checks of a server that is up, maxResumed in a row resume a session, which costs a third of a full handshake.
const (
	maxResumed  = 9
	tlsSessions = 4 // how many sessions a checker keeps: one for its server, and some for redirects
)

// Sessions are those of one checker, as one must not be offered to another server of the same name. It implements
// tls.ClientSessionCache.
type Sessions struct {
	tls.ClientSessionCache
	left int // checks that may still resume one
}

func NewSessions() *Sessions { return &Sessions{tls.NewLRUClientSessionCache(tlsSessions), maxResumed} }

// Ended notes how a check ended. After a failure or a warning, and in turn, the next one makes a full handshake.
func (s *Sessions) Ended(ok bool) {
	if s == nil {
		return
	}
	if s.left--; !ok || s.left < 0 {
		*s = *NewSessions()
	}
}

// TLSRules are what a check asks of TLS beyond that it is spoken.
type TLSRules struct {
	Verify   bool
	Roots    *x509.CertPool   // that verify trusts
	Own      *tls.Certificate // to show to a server that asks for one; nil: none
	WarnDays int              // before its end from which a certificate is warned about; 0: never
}

// Config returns how to speak TLS with a server that is called by the first of some host[:port], the
// last of which may be its address. By default a check asks whether a server is healthy, not who it is:
// the certificate is not verified, and old versions and cipher suites are taken as well. Each checker
// keeps its own sessions; none are kept where the server's certificate or ours decides, as a resumed session shows an
// old one.
func (r TLSRules) Config(kept *Sessions, hosts ...string) *tls.Config {
	c := &tls.Config{
		ServerName:         serverName(hosts...),
		InsecureSkipVerify: !r.Verify,
		RootCAs:            r.Roots,
		MinVersion:         tls.VersionTLS10,
		CipherSuites:       allCipherSuites(),
		// Without the post-quantum groups a handshake costs a third less and its hello fits into one packet.
		CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521},
	}
	if r.Verify {
		c.ServerName = certificateName(hosts...)
		c.VerifyConnection = refuseShortKeys
	}
	if kept != nil && !r.Verify && r.Own == nil {
		c.ClientSessionCache = kept
	}
	if r.Own != nil { // shown whatever authorities the server names: it may know more than those
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return r.Own, nil
		}
	}
	return c
}

// minRSA is how many bits an RSA key must have to be trusted. Go has the same limit, but a program that
// checks old servers lifts it (rsa1024min=0).
const minRSA = 1024

// refuseShortKeys wants a chain of certificates without short keys.
func refuseShortKeys(state tls.ConnectionState) error {
	for _, chain := range state.VerifiedChains {
		if !slices.ContainsFunc(chain, hasShortKey) {
			return nil
		}
	}
	return &tls.CertificateVerificationError{Err: fmt.Errorf("an RSA key has less than %d bits", minRSA)}
}

func hasShortKey(c *x509.Certificate) bool {
	key, ok := c.PublicKey.(*rsa.PublicKey)
	return ok && key.N.BitLen() < minRSA
}

// handshake opens TLS on a connection; the connection's deadline bounds it.
func handshake(t *tls.Conn) error {
	err := t.Handshake()
	var notTLS tls.RecordHeaderError
	var untrusted *tls.CertificateVerificationError
	switch {
	case err == nil:
		return nil
	case IsTimeout(err):
		return AtTLS.Of(&Fault{"timeout in TLS handshake", err})
	case errors.As(err, &notTLS):
		return AtTLS.Of(&Fault{"TLS handshake: the port does not speak TLS", err})
	case errors.As(err, &untrusted):
		return AtTLS.Of(&Fault{"certificate refused: " + distrust(untrusted.Err), err})
	}
	return AtTLS.Of(StageFault("TLS handshake", &HandshakeError{err}))
}

// HandshakeError marks what went wrong in a handshake: crypto/tls has no type for an alert.
type HandshakeError struct{ error }

func (e *HandshakeError) Unwrap() error { return e.error }

// distrust is why a certificate is not trusted, in words that are the same at each check.
func distrust(err error) string {
	var invalid x509.CertificateInvalidError
	if !errors.As(err, &invalid) || invalid.Reason != x509.Expired || invalid.Cert == nil {
		return Escape(strings.TrimPrefix(err.Error(), "x509: "), 4*MaxExcerpt)
	}
	if time.Now().Before(invalid.Cert.NotBefore) {
		return CertificateText(invalid.Cert) + " begins on " + Day(invalid.Cert.NotBefore)
	}
	return CertificateText(invalid.Cert) + " ended on " + Day(invalid.Cert.NotAfter)
}

var allCipherSuites = sync.OnceValue(func() (ids []uint16) {
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		ids = append(ids, suite.ID)
	}
	return ids
})

// serverName is the first of some host[:port] that can be sent as server name: addresses can't.
func serverName(hosts ...string) string {
	for _, host := range hosts {
		host = withoutPort(host)
		if _, err := netip.ParseAddr(host); err != nil && host != "" {
			return host
		}
	}
	return ""
}

// certificateName is the first of some host[:port], which a certificate must be good for.
func certificateName(hosts ...string) string { return withoutPort(cmp.Or(hosts...)) }

func withoutPort(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.Trim(host, "[]")
}
