package protocol

import (
	"bufio"
	"crypto/tls"
	"testing"

	"ldirectord/checker/settings"
)

// turn makes the server's TLS handshake.
func turn(secure *tls.Config) step {
	return func(c *client) bool {
		secured := tls.Server(peeked{c.Conn, c.read}, secure)
		if err := secured.Handshake(); err != nil {
			c.t.Errorf("the server's TLS handshake: %v", err)
			return false
		}
		c.Conn, c.read = secured, bufio.NewReader(secured)
		return true
	}
}

// turnFor is turn with a client that must want this server name.
func turnFor(name string) step {
	return func(c *client) bool { return turn(expectName(c.t, name))(c) }
}

// ended waits until the client closes or resets the connection.
func ended(c *client) bool {
	c.read.Peek(1)
	return false
}

// hangOn waits for the client's hello, and does not answer it.
func hangOn(c *client) bool {
	c.read.Peek(1)
	return true
}

// refusedTurn is a server whose certificate the client refuses.
func refusedTurn(secure *tls.Config) step {
	return func(c *client) bool {
		if err := tls.Server(peeked{c.Conn, c.read}, secure).Handshake(); err == nil {
			c.Read(make([]byte, 1)) // with TLS 1.3 the client refuses it after the handshake
		}
		return false
	}
}

// resumed sends a file over a TLS session that is the one of the conversation.
func resumed(secure *tls.Config) step {
	return func(c *client) bool {
		secured := tls.Server(c.Conn, secure)
		if err := secured.Handshake(); err != nil || !secured.ConnectionState().DidResume {
			c.t.Errorf("the session of the conversation is not resumed: %v", err)
		}
		secured.Write([]byte("all well\n"))
		secured.Close()
		return false
	}
}

// unended sends a file over TLS, without the word that ends it.
func unended(secure *tls.Config) step {
	return func(c *client) bool {
		secured := tls.Server(c.Conn, secure)
		secured.Handshake()
		secured.Write([]byte("all well\n"))
		return false
	}
}

// For services without STARTTLS the directive has no effect. The parser warns of it.
func TestSTARTTLSHasNoEffectOnOtherServices(t *testing.T) {
	for _, service := range []string{"mysql", "nntp", "redis", "sip"} {
		s := Spec{Type: "negotiate", Service: service, Protocol: "tcp", Account: settings.Account{Login: "u"},
			Request: "/x", StartTLS: true, TLS: settings.TLS{TLSCert: "/missing"}}
		if _, err := New(s, nil); err != nil {
			t.Errorf("%s: %v", service, err)
		}
	}
}
