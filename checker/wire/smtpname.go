package wire

import (
	"net"
	"regexp"
)

// SMTPName returns our name for EHLO: the host name if it is complete, otherwise our address (RFC 5321, 4.1.3). Servers
// may refuse an incomplete name.
func SMTPName(hostName string, local net.Addr) string {
	if fullName.MatchString(hostName) {
		return hostName
	}
	tcp, ok := local.(*net.TCPAddr)
	switch {
	case !ok || tcp.IP == nil:
		return "localhost"
	case tcp.IP.To4() != nil:
		return "[" + tcp.IP.String() + "]"
	}
	return "[IPv6:" + tcp.IP.String() + "]"
}

// fullName matches a host name (RFC 1123, 2.1) with its domain.
var fullName = regexp.MustCompile(`^[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)+$`)
