package checker

import (
	"context"
	"crypto/tls"
	"fmt"

	"ldirectord/checker/wire"
)

// handshakeOnly requires TLS, with a certificate that the rules accept.
func handshakeOnly(_ context.Context, d *dialogue) (string, error) {
	if err := d.Verdict(); err != nil {
		return "", err
	}
	state := d.Conn.TLS.ConnectionState()
	leaf := state.PeerCertificates[0]
	return fmt.Sprintf("%s, %s until %s", tls.VersionName(state.Version), wire.CertificateText(leaf),
		wire.Day(leaf.NotAfter)), nil
}
