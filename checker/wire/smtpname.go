package wire

import (
	"net"
	"slices"
	"strings"
)

// SMTPName returns our name for EHLO: the host name if it is complete, otherwise our address (RFC 5321, 4.1.3). Servers
// may refuse an incomplete name.
func SMTPName(hostName string, local net.Addr) string {
	if isFullName(hostName) {
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

// isFullName reports whether a name is a host name (RFC 1123, 2.1) with its domain.
func isFullName(name string) bool {
	labels := strings.Split(name, ".")
	return len(labels) > 1 && !slices.Contains(labels, "") && !strings.ContainsFunc(name, isNoHostByte)
}

func isNoHostByte(r rune) bool {
	return r != '.' && r != '-' && (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z')
}
