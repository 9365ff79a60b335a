package checker

import (
	"context"
	"crypto/tls"
	"fmt"
)

// handshakeOnly wants a server that speaks TLS, with a certificate as the rules want it.
func handshakeOnly(_ context.Context, d *dialogue) (string, error) {
	if err := d.verdict(); err != nil {
		return "", err
	}
	state := d.conn.tls.ConnectionState()
	leaf := state.PeerCertificates[0]
	return fmt.Sprintf("%s, %s until %s", tls.VersionName(state.Version), certificateText(leaf),
		day(leaf.NotAfter)), nil
}
