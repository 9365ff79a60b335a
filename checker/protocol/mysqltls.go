package protocol

import (
	"bytes"
	"crypto/tls"
	"errors"
	"slices"

	"github.com/go-sql-driver/mysql"

	"ldirectord/checker/wire"
)

// The request for TLS is the beginning of the log-in, before the user's name ("SSLRequest" in the manual of MySQL's
// protocol).
const (
	mysqlRequest = 32   // bytes of its body
	mysqlFlags   = 5    // the offset of the second byte of the client's capabilities in a packet
	mysqlTLS     = 0x08 // the capability, in that byte
)

// mysqlUpgrade starts TLS below the driver. If the driver started TLS, we could not validate the packets that it reads.
// The driver does not know of the request for TLS, so its numbers for later packets are one too low.
type mysqlUpgrade struct {
	upgrade   func() error // starts TLS; nil: not required, or the log-in is over
	isOffered bool
	shift     byte          // how far the driver's packet numbers are too low
	config    *mysql.Config // the driver's
	untold    error         // why TLS failed, which the driver does not report
}

// offersTLS reports whether a greeting, given without its first byte, offers TLS.
func offersTLS(greeting []byte) bool {
	const capabilities = 4 + 8 + 1
	_, rest, _ := bytes.Cut(greeting, []byte{0})
	return len(rest) > capabilities+1 && rest[capabilities+1]&mysqlTLS != 0
}

// Write sends a packet of the driver. If TLS is required and has not started, Write starts it first.
func (l *mysqlLogin) Write(packet []byte) (int, error) {
	if l.upgrade == nil {
		return l.LibConn.Write(packet)
	}
	packet = slices.Clone(packet)
	if l.shift == 0 {
		packet[mysqlFlags] |= mysqlTLS
		if l.untold = l.startTLS(packet); l.untold != nil {
			return 0, l.untold
		}
	}
	packet[3] += l.shift
	return l.LibConn.Write(packet)
}

// startTLS sends the beginning of a log-in as the request for TLS, and starts TLS.
func (l *mysqlLogin) startTLS(login []byte) error {
	if !l.isOffered || len(login) < 4+mysqlRequest {
		return wire.AtTLS.Of(errors.New("the server does not offer TLS"))
	}
	request := slices.Clone(login[:4+mysqlRequest])
	request[0], request[1], request[2] = mysqlRequest, 0, 0
	if _, err := l.LibConn.Write(request); err != nil {
		return wire.AtTLS.Of(wire.StageFault("the request for TLS", err))
	}
	if err := l.upgrade(); err != nil {
		return err
	}
	l.shift, l.config.TLS = 1, new(tls.Config) // the driver then sends passwords as it does over TLS
	return nil
}
