package wire

import (
	"context"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"ldirectord/internal/testkit"
	"ldirectord/internal/testkit/nameserver"
)

// The last addresses of a full list outlast the look-up of a name in it. A new name drops them.
func TestNamesThatAreKept(t *testing.T) {
	nameserver.Use(t, func(string) string { return "127.0.0.1" })
	n := Names{}
	ask := func(i int) {
		testkit.Must(n.Resolve(t.Context(), fmt.Sprintf("web%d.example.com", i), false, time.Minute))(t)
	}
	for i := range maxNames {
		ask(i)
	}
	ask(0)
	testkit.Equal(t, len(n.last), maxNames)
	ask(maxNames)
	testkit.Equal(t, len(n.last), 1)
}

// blocked is a connection to a name server that a firewall of this machine blocks.
type blocked struct{ *net.UDPConn }

func (blocked) Write([]byte) (int, error) {
	return 0, &net.OpError{Op: "write", Net: "udp", Err: syscall.EPERM}
}

// The answer of one name server counts, even if our firewall blocks another one. Package net asks up to two times in
// each family. In each row, x is a blocked question. The last letter counts for all later questions as well.
func TestBlockedNameServers(t *testing.T) {
	if !nameserver.Configured(t, "nameserver 127.0.0.1\n") {
		return
	}
	nameserver.Use(t, func(string) string { return "none" })
	dial := net.DefaultResolver.Dial
	for questions, want := range map[string]string{
		"xq":   "no such host",
		"qxq":  "no such host",
		"xqxq": "no such host",
		"x":    "operation not permitted",
		"qx":   "operation not permitted",
		"xqx":  "operation not permitted",
	} {
		rest := questions
		net.DefaultResolver.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dial(ctx, network, address)
			is := strings.HasPrefix(rest, "x")
			if len(rest) > 1 {
				rest = rest[1:]
			}
			if is && err == nil {
				return blocked{c.(*net.UDPConn)}, nil
			}
			return c, err
		}
		_, err := new(Names).Resolve(t.Context(), "web.example.com.", false, time.Minute)
		testkit.FailsWith(t, err, "look-up of web.example.com. failed: "+want)
		testkit.Equal(t, IsShortage(err), want != "no such host", questions)
	}
}
