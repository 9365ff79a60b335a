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

// Resuming a session costs a third of a full handshake. While a server is up, at most maxResumed checks in a row resume
// a session.
const (
	maxResumed  = 9
	tlsSessions = 4 // how many sessions a checker keeps: one for its server, and some for redirects
)

// Sessions holds the TLS sessions of one checker, because a session must not be offered to another server of the same
// name. It implements tls.ClientSessionCache.
type Sessions struct {
	tls.ClientSessionCache
	left int // how many more checks may end before the sessions are dropped
}

func NewSessions() *Sessions { return &Sessions{tls.NewLRUClientSessionCache(tlsSessions), maxResumed} }

// Ended notes the end of a check; ok means success without a warning. If it is false, or after maxResumed resumed
// sessions, the next check makes a full handshake.
func (s *Sessions) Ended(ok bool) {
	if s == nil {
		return
	}
	if s.left--; !ok || s.left < 0 {
		*s = *NewSessions()
	}
}

// TLSRules are the settings of a check for TLS.
type TLSRules struct {
	Verify   bool
	Roots    *x509.CertPool   // which Verify trusts
	Own      *tls.Certificate // the client's certificate, if a server requests one; nil: none
	WarnDays int              // a warning begins this many days before a certificate expires; 0: none
}

// Config returns the TLS configuration for a server. The server's name is the first usable one of hosts, which have the
// form host[:port]. The last of them may be its address. By default a check tests the health of a server, not its
// identity. It does not verify the certificate, and accepts old versions and cipher suites. Each checker keeps its own
// sessions. It keeps none if the server's certificate or our own matters, because a resumed session shows an old
// certificate.
func (r TLSRules) Config(kept *Sessions, hosts ...string) *tls.Config {
	c := &tls.Config{
		ServerName:         serverName(hosts...),
		InsecureSkipVerify: !r.Verify,
		RootCAs:            r.Roots,
		MinVersion:         tls.VersionTLS10,
		CipherSuites:       allCipherSuites(),
		// Without the post-quantum groups a handshake costs a third less and its hello fits into one packet.
		CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521},
		// Before TLS 1.3, some servers read the path of a request before they ask for a client's certificate.
		Renegotiation: tls.RenegotiateOnceAsClient,
	}
	if r.Verify {
		c.ServerName = certificateName(hosts...)
		c.VerifyConnection = refuseShortKeys
	}
	if kept != nil && !r.Verify && r.Own == nil {
		c.ClientSessionCache = kept
	}
	if r.Own != nil { // always sent, because a server may accept more authorities than it names
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return r.Own, nil
		}
	}
	return c
}

// minRSA is the minimum size of a trusted RSA key, in bits. Go has the same limit, but ldirectord lifts it to check old
// servers (rsa1024min=0).
const minRSA = 1024

// refuseShortKeys requires a chain of certificates without short keys.
func refuseShortKeys(state tls.ConnectionState) error {
	for _, chain := range state.VerifiedChains {
		if !slices.ContainsFunc(chain, hasShortKey) {
			return nil
		}
	}
	return &tls.CertificateVerificationError{Err: fmt.Errorf("an RSA key has fewer than %d bits", minRSA)}
}

func hasShortKey(c *x509.Certificate) bool {
	key, ok := c.PublicKey.(*rsa.PublicKey)
	return ok && key.N.BitLen() < minRSA
}

// handshakeReason explains an error of a handshake.
func handshakeReason(err error) string {
	var notTLS tls.RecordHeaderError
	var untrusted *tls.CertificateVerificationError
	switch {
	case IsTimeout(err):
		return "timeout in TLS handshake"
	case errors.As(err, &notTLS):
		return "TLS handshake: the port does not use TLS"
	case errors.As(err, &untrusted):
		return "certificate refused: " + distrust(untrusted.Err)
	}
	reason := "TLS handshake: " + Reason(err)
	if strings.HasSuffix(reason, "remote error: tls: handshake failure") {
		reason += " (no common cipher suite or group, for example, or the server requires a client certificate)"
	}
	return reason
}

// ErrHandshake marks an error in a handshake, because crypto/tls has no type for an alert.
var ErrHandshake = errors.New("TLS handshake")

// distrust returns the reason why a certificate is not trusted. The text is the same at each check.
func distrust(err error) string {
	var invalid x509.CertificateInvalidError
	if !errors.As(err, &invalid) || invalid.Reason != x509.Expired || invalid.Cert == nil {
		return Escape(strings.TrimPrefix(err.Error(), "x509: "), 4*MaxExcerpt)
	}
	if time.Now().Before(invalid.Cert.NotBefore) {
		return CertificateText(invalid.Cert) + " is not valid before " + Day(invalid.Cert.NotBefore)
	}
	return CertificateText(invalid.Cert) + " expired on " + Day(invalid.Cert.NotAfter)
}

var allCipherSuites = sync.OnceValue(func() (ids []uint16) {
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		ids = append(ids, suite.ID)
	}
	return ids
})

// serverName returns the first of hosts that can be a TLS server name. An address can't.
func serverName(hosts ...string) string {
	for _, host := range hosts {
		host = withoutPort(host)
		if _, err := netip.ParseAddr(host); err != nil && host != "" {
			return host
		}
	}
	return ""
}

// certificateName returns the name that a certificate must match: the first of hosts that is not empty, without its
// port.
func certificateName(hosts ...string) string { return withoutPort(cmp.Or(hosts...)) }

func withoutPort(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.Trim(host, "[]")
}
