package wire

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// EndTLS closes TLS, and waits for the server to do so. It returns an error if the server refuses our certificate: in
// TLS 1.3 our handshake is over before the server has judged the certificate, and a refusal arrives later, as an alert
// (RFC 8446, 4.4.2.4).
func (d *Dialogue) EndTLS() error {
	d.Conn.TLS.CloseWrite()
	d.hurry()
	_, err := d.In.ReadByte()
	var alert *net.OpError
	if errors.As(err, &alert) && alert.Op == "remote error" {
		return AtTLS.Of(StageFault("TLS handshake", err))
	}
	return nil
}

// Warning returns a warning about the certificates of a connection, the server's and our own, if one expires soon or
// has expired.
func (r TLSRules) Warning(c *Conn) string {
	if c.TLS == nil || r.WarnDays == 0 {
		return ""
	}
	now, first := time.Now(), firstToExpire(c.TLS.ConnectionState())
	warning := expiry(CertificateText(first), first.NotAfter, now, r.WarnDays)
	if r.Own == nil {
		return warning
	}
	own := expiry(ourCertificate, r.Own.Leaf.NotAfter, now, r.WarnDays)
	if warning != "" && own != "" {
		own = "; " + own
	}
	return warning + own
}

// firstToExpire returns the certificate whose expiry ends the trust in a server: the first to expire in the chain that
// lasts longest. If nothing is verified, it is the server's own certificate.
func firstToExpire(state tls.ConnectionState) *x509.Certificate {
	byEnd := func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) }
	var ends []*x509.Certificate
	for _, chain := range state.VerifiedChains {
		ends = append(ends, slices.MinFunc(chain, byEnd))
	}
	if ends == nil {
		return state.PeerCertificates[0]
	}
	return slices.MaxFunc(ends, byEnd)
}

// expiry returns the warning about a certificate that expires within the given number of days, or "". The text changes
// only once, when the certificate expires.
func expiry(what string, end, now time.Time, within int) string {
	switch left := end.Sub(now); {
	case left < 0:
		return fmt.Sprintf("%s expired on %s", what, Day(end))
	case left <= time.Duration(within)*24*time.Hour:
		return fmt.Sprintf("%s expires on %s", what, Day(end))
	}
	return ""
}

const ourCertificate = "our certificate (tlscert)"

// errOwnExpired means that a server refuses our certificate, which has expired.
var errOwnExpired = errors.New("our certificate has expired")

// OwnFault puts an error into words if its cause is that our own certificate has expired and the server refuses it.
func (c *Conn) OwnFault(err error) error {
	if c.own == nil || time.Now().Before(c.own.NotAfter) {
		return err
	}
	var alert *net.OpError
	if !errors.As(err, &alert) || alert.Op != "remote error" || !strings.Contains(alert.Error(), "certificate") {
		return err
	}
	return NewFault(errors.Join(errOwnExpired, err), "%s expired on %s", ourCertificate, Day(c.own.NotAfter))
}

// CertificateText names a certificate for a message.
func CertificateText(c *x509.Certificate) string {
	name := c.Subject.CommonName
	if len(c.DNSNames) > 0 {
		name = c.DNSNames[0]
	}
	return "certificate of " + Show(cmp.Or(name, "no name"))
}

// tlsFacts describes a handshake for a transcript.
func tlsFacts(s tls.ConnectionState) string {
	if s.Version == 0 {
		return "no TLS"
	}
	text := tls.VersionName(s.Version) + ", " + tls.CipherSuiteName(s.CipherSuite)
	if s.DidResume {
		text += ", session resumed"
	}
	if len(s.PeerCertificates) == 0 {
		return text
	}
	leaf := s.PeerCertificates[0]
	names := append([]string{leaf.Subject.CommonName}, leaf.DNSNames...)
	for _, a := range leaf.IPAddresses {
		names = append(names, a.String())
	}
	slices.Sort(names)
	all := strings.TrimLeft(strings.Join(slices.Compact(names), " "), " ") // there may be no common name
	return fmt.Sprintf("%s, certificate of %s until %s", text, Escape(all, 10*MaxExcerpt), Day(leaf.NotAfter))
}

func Day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
