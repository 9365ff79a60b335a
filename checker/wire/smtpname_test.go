package wire

import (
	"net"
	"testing"

	"ldirectord/internal/testkit"
)

func TestSMTPNameIsOneThatServersTake(t *testing.T) {
	v4, v6 := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}, &net.TCPAddr{IP: net.ParseIP("2001:db8::1")}
	for _, c := range []struct {
		host  string
		local net.Addr
		want  string
	}{
		{"lb1.example.org", v4, "lb1.example.org"},
		{"lb1", v4, "[192.0.2.1]"},
		{"", v6, "[IPv6:2001:db8::1]"},
		{"two words.org", v4, "[192.0.2.1]"},
		{"lb_1.example.org", v4, "[192.0.2.1]"},
		{"lb1.", v4, "[192.0.2.1]"},
		{"", nil, "localhost"},
	} {
		testkit.Equal(t, SMTPName(c.host, c.local), c.want, c.host, "at", c.local)
	}
}
