package checker

import "crypto/tls"

// secure turns to TLS (RFC 4217, 4).
func (t ftp) secure(d *dialogue) error {
	answer, err := d.ask("FTP", "AUTH", "AUTH TLS")
	if err != nil {
		return err
	}
	if answer.code != 234 {
		return d.notOffered(answer.text)
	}
	d.offered = d.offered.Clone()
	d.offered.ClientSessionCache = new(oneSession)
	return d.upgrade()
}

// protect makes the server use TLS for files as well (RFC 4217, 9).
func (t ftp) protect(d *dialogue) error {
	for _, command := range []string{"PBSZ 0", "PROT P"} {
		if err := d.demand(command, 2); err != nil {
			return err
		}
	}
	return nil
}

// oneSession is the session of a conversation. Files are fetched with it, as servers want to see that it
// is the same client; Go's own cache asks for it by the port.
type oneSession struct{ state *tls.ClientSessionState }

// Get and Put implement tls.ClientSessionCache.
func (o *oneSession) Get(string) (*tls.ClientSessionState, bool) { return o.state, o.state != nil }
func (o *oneSession) Put(_ string, s *tls.ClientSessionState)    { o.state = s }
