package checker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// handshakeOnly is content with a server that speaks TLS, and whose certificate keeps the rules.
type handshakeOnly struct{}

func newTLS(s Spec, e *Env) (Checker, error) {
	return newLineCheck(s, handshakeOnly{}).overTLS(s, e)
}

func (handshakeOnly) with(_ context.Context, d *dialogue) (string, error) {
	if err := d.verdict(); err != nil {
		return "", err
	}
	state := d.tls.ConnectionState()
	leaf := state.PeerCertificates[0]
	return fmt.Sprintf("%s, %s until %s", tls.VersionName(state.Version), certificateText(leaf), day(leaf.NotAfter)), nil
}

// verdict takes leave and waits for the server to do so. From TLS 1.3 on the client's handshake is over
// before the server has judged its certificate, and a refusal comes as an alert (RFC 8446, 4.4.2.4).
func (d *dialogue) verdict() error {
	d.tls.CloseWrite()
	if end := time.Now().Add(farewell); end.Before(d.deadline) {
		d.conn.SetDeadline(end)
	}
	_, err := d.lines.ReadByte()
	var alert *net.OpError
	if errors.As(err, &alert) && alert.Op == "remote error" {
		return AtTLS.of(stageFault("TLS handshake", alert))
	}
	return nil
}
