package protocol

import (
	"bytes"
	"crypto/tls"
	"errors"
	"slices"

	"github.com/go-sql-driver/mysql"

	"ldirectord/checker/wire"
)

// The request for TLS is the log-in up to its user ("SSLRequest" in the manual of MySQL's protocol).
const (
	mysqlRequest = 32   // bytes of its body
	mysqlFlags   = 5    // the place of the second byte of the client's capabilities in a packet
	mysqlTLS     = 0x08 // the capability, in that byte
)

// mysqlUpgrade starts TLS below the driver: in TLS that the driver starts its packets could not be validated. The
// driver does not know of the request for TLS, so the numbers of the later packets differ by one from its own.
type mysqlUpgrade struct {
	upgrade   func() error // starts TLS; nil: not required, or the log-in is over
	isOffered bool
	shift     byte          // the difference of the numbers
	config    *mysql.Config // what the driver uses
	untold    error         // why TLS failed, which the driver does not tell
}

// offersTLS reports whether a greeting, after its first byte, offers TLS.
func offersTLS(greeting []byte) bool {
	const capabilities = 4 + 8 + 1
	_, rest, _ := bytes.Cut(greeting, []byte{0})
	return len(rest) > capabilities+1 && rest[capabilities+1]&mysqlTLS != 0
}

// mysqlConn is the connection for the driver.
type mysqlConn struct {
	*wire.LibConn
	*mysqlLogin
}

// Write sends a packet of the driver, after the start of TLS if that is required.
func (c mysqlConn) Write(packet []byte) (int, error) {
	if c.upgrade == nil {
		return c.LibConn.Write(packet)
	}
	packet = slices.Clone(packet)
	if c.shift == 0 {
		packet[mysqlFlags] |= mysqlTLS
		if c.untold = c.startTLS(packet); c.untold != nil {
			return 0, c.untold
		}
	}
	packet[3] += c.shift
	return c.LibConn.Write(packet)
}

// startTLS sends the beginning of a log-in as the request.
func (c mysqlConn) startTLS(login []byte) error {
	if !c.isOffered || len(login) < 4+mysqlRequest {
		return wire.AtTLS.Of(errors.New("the server does not offer TLS"))
	}
	request := slices.Clone(login[:4+mysqlRequest])
	request[0], request[1], request[2] = mysqlRequest, 0, 0
	if _, err := c.LibConn.Write(request); err != nil {
		return wire.AtTLS.Of(wire.StageFault("the request for TLS", err))
	}
	if err := c.upgrade(); err != nil {
		return err
	}
	c.shift, c.config.TLS = 1, new(tls.Config) // the driver then sends passwords as TLS permits
	return nil
}
