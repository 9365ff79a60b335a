package protocol

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"

	"ldirectord/checker/wire"
)

// The first byte of a log-in packet's body says what the packet is ("Connection Phase Packets" in the manual of MySQL's
// protocol). mysqlFailure is another such byte.
const (
	mysqlOK     = 0x00
	mysqlMore   = 0x01 // more data, such as the server's public key
	mysqlSwitch = 0xfe // a switch to another way to log in
)

// mysqlSeed is the number of random bytes for hashing a password.
const mysqlSeed = 20

// mysqlLogin is the connection that the driver uses. It validates the packets of a log-in before the driver reads them,
// because the driver panics on some truncated packets and then leaks a goroutine.
type mysqlLogin struct {
	*wire.LibConn
	clear   *clearText
	greeted bool
	changed bool // the query changed rows and returned none
	mysqlUpgrade
}

// length returns the mysqlLength of a packet of the log-in, and validates the packet.
func (l *mysqlLogin) length(header []byte) (left int, err error) {
	left, err = mysqlLength(header)
	greeting := !l.greeted
	header[3] -= l.shift
	switch {
	case err != nil:
		return 0, err
	case greeting && header[3] != 0:
		return 0, errNotMySQL
	case left > l.In.Size():
		return 0, wire.ErrTooMuch
	}
	body, err := l.In.Peek(left)
	if err != nil {
		return 0, err
	}
	switch kind := header[4]; {
	case greeting && kind != mysqlFailure && !isMySQLHandshake(kind, body):
		err = errNotMySQL
	case (greeting || kind == mysqlSwitch) && l.upgrade == nil && asksInClear(body) && l.clear.ask() != nil:
		err = wire.ErrClearText
	case greeting:
		l.greeted, l.isOffered = true, offersTLS(body)
	case kind == mysqlMore && len(body) > 1:
		// The body is the server's public key. The plugins caching_sha2_password and sha256_password encrypt
		// the password with it, so the owner of the key can read the password.
		err = l.clear.ask()
		if err == nil && isOtherKey(body) {
			err = errNotMySQL
		}
	case kind == mysqlOK && !isMySQLOK(body), kind == mysqlSwitch && isShortSwitch(body):
		err = errNotMySQL
	case kind == mysqlSwitch && endsInZero(body):
		header[0]++
		l.Append = []byte{0}
	}
	return left, err
}

// isMySQLHandshake reports whether a packet has the parts of a HandshakeV10 (the manual of MySQL's protocol). At least
// 44 bytes follow the version, or 15 if the server is older than 4.1.
func isMySQLHandshake(kind byte, body []byte) bool {
	const flags, protocol41 = 4 + 8 + 1, 0x0200
	_, rest, found := bytes.Cut(body, []byte{0})
	if kind != 10 || !found {
		return false
	}
	return len(rest) >= 44 || len(rest) == flags+2 && binary.LittleEndian.Uint16(rest[flags:])&protocol41 == 0
}

// isOtherKey reports whether a body holds a key other than an RSA key.
func isOtherKey(body []byte) bool {
	block, _ := pem.Decode(body)
	if block == nil {
		return false
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	_, known := key.(*rsa.PublicKey)
	return err == nil && !known
}

// isMySQLOK reports whether the body of an OK packet is complete: two numbers and the server's status.
func isMySQLOK(body []byte) bool {
	for range 2 {
		if len(body) == 0 {
			return false
		}
		size := 1
		switch body[0] {
		case 0xfc:
			size = 3
		case 0xfd:
			size = 4
		case 0xfe:
			size = 9
		}
		body = body[min(size, len(body)):]
	}
	return len(body) >= 2
}

// asksInClear reports whether a greeting, or a request for another way to log in, names the plugin that sends the
// password as it is.
func asksInClear(body []byte) bool { return bytes.Contains(body, []byte("mysql_clear_password")) }

// endsInZero reports whether a server requests a signature of random bytes that end with a zero byte. The driver cuts
// that byte off, as if it ended a string.
func endsInZero(body []byte) bool {
	const plugin, random = "client_ed25519\x00", 32
	return len(body) == len(plugin)+random && bytes.HasPrefix(body, []byte(plugin)) && body[len(body)-1] == 0
}

// isShortSwitch reports whether a server requests another way to log in but sends too few random bytes for it.
func isShortSwitch(body []byte) bool {
	plugin, seed, _ := bytes.Cut(body, []byte{0})
	return string(plugin) == "mysql_native_password" && len(bytes.TrimSuffix(seed, []byte{0})) < mysqlSeed
}
