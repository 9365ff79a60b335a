package protocol

import (
	"crypto/tls"

	"ldirectord/checker/wire"
)

// secured is the TLS of a check.
type secured struct {
	tls   *tls.Config // nil: in the clear
	rules wire.TLSRules
}

// secured returns the TLS of a Spec with tls = yes, in the clear without.
func (e *Env) secured(s Spec) (c secured, err error) {
	if s.UseTLS {
		c, err = e.overTLS(s, nil)
	}
	return c, err
}

// overTLS returns the TLS of a Spec. Without sessions each handshake is a full one.
func (e *Env) overTLS(s Spec, kept *wire.Sessions) (c secured, err error) {
	if c.rules, err = e.tlsRules(s); err == nil {
		c.tls = c.rules.Config(kept, s.SNI, s.Host, addressName(s))
	}
	return c, err
}
