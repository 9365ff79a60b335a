package resolve

import (
	"context"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"
)

// serverLimit is the time limit for an answer if resolv.conf has several name servers. Package net asks at most three
// servers, which fits into LookupDeadline. Then it asks the first one again, in case that server was only slow.
const serverLimit = 1500 * time.Millisecond

// DialServer connects to a name server for a single question. It is the Dial of a [net.Resolver].
func DialServer(ctx context.Context, network, address string) (net.Conn, error) {
	dial := net.DefaultResolver.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	if text, _ := os.ReadFile("/etc/resolv.conf"); !hasSeveral(string(text)) {
		return dial(ctx, network, address)
	}
	ctx, cancel := context.WithTimeout(ctx, serverLimit)
	defer cancel()
	end, _ := ctx.Deadline()
	conn, err := dial(ctx, network, address)
	if err == nil { // package net would replace a deadline set now: it is set only when it expires
		time.AfterFunc(time.Until(end), func() { _ = conn.SetDeadline(end) })
	}
	return conn, err
}

// hasSeveral reports whether a resolv.conf contains more than one name server.
func hasSeveral(text string) bool {
	count := 0
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "nameserver" {
			if _, err := netip.ParseAddr(f[1]); err == nil {
				count++
			}
		}
	}
	return count > 1
}
