package checker

import (
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"strings"
)

// tlsSessions is how many sessions a checker keeps: one for its server, and some for redirects.
const tlsSessions = 4

// tlsConfig returns how checks speak TLS. A check asks whether a server is well, not who it is: the
// certificate is not verified, and old versions and cipher suites are taken as well. Each checker
// keeps its own sessions, as one must not be offered to another server of the same name.
func tlsConfig(name string, sessions tls.ClientSessionCache) *tls.Config {
	return &tls.Config{
		ServerName:         name,
		InsecureSkipVerify: true,
		MinVersion:         tls.VersionTLS10,
		CipherSuites:       allCipherSuites(),
		// Without the post-quantum groups a handshake costs a third less and its hello fits into one packet.
		CurvePreferences:   []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521},
		ClientSessionCache: sessions,
	}
}

// handshake opens TLS on a connection; the connection's deadline bounds it.
func handshake(t *tls.Conn) error {
	err := t.Handshake()
	var notTLS tls.RecordHeaderError
	switch {
	case err == nil:
		return nil
	case isTimeout(err):
		return &fault{"timeout in TLS handshake", err}
	case errors.As(err, &notTLS):
		return &fault{"TLS handshake: the port does not speak TLS", err}
	}
	return stageFault("TLS handshake", err)
}

func allCipherSuites() (ids []uint16) {
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		ids = append(ids, suite.ID)
	}
	return ids
}

// serverName is the first of some host[:port] that can be sent as server name: addresses can't.
func serverName(hosts ...string) string {
	for _, host := range hosts {
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err != nil && host != "" {
			return host
		}
	}
	return ""
}
