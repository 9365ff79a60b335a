package protocol

import (
	"net"
	"net/netip"
	"testing"

	"ldirectord/checker/settings"
	"ldirectord/internal/testkit"
)

// All sockets of a check come from its source. What this machine lacks is not the server's failure.
func TestChecksComeFromTheirSource(t *testing.T) {
	testkit.Leaks(t)
	source, missing := netip.MustParseAddr("127.0.0.7"), netip.MustParseAddr("192.0.2.9")
	from := make(chan string, 10)
	note := func(a net.Addr) { from <- netip.MustParseAddrPort(a.String()).Addr().String() }
	web := serve(t, func(s *testServer, c net.Conn) { note(c.RemoteAddr()); saying(okHead+"\r\n")(s, c) })
	datagrams := serveDatagrams(t, "127.0.0.1",
		func(_ int, _ []byte, a net.Addr) []string { note(a); return []string{"x"} })
	connect := Spec{Type: "connect", Protocol: "tcp", Target: web.addr, Timeout: inTime}
	page := asking(t, "http", web.addr, "url=http://{target}/")
	udp := asking(t, "simpletcp", datagrams, "protocol=udp")
	for name, s := range map[string]Spec{"connect": connect, "http": page, "udp": udp} {
		for _, c := range []struct {
			origin settings.Origin
			from   string // "" for a shortage
			detail string
		}{
			{settings.Origin{CheckSource: source}, "127.0.0.7", ""},
			{settings.Origin{CheckDevice: "lo"}, "127.0.0.1", ""},
			{settings.Origin{CheckSource: netip.IPv6Loopback()}, "127.0.0.1", ""},
			{settings.Origin{CheckSource: missing}, "",
				"checksource 192.0.2.9: this machine does not have it"},
			{settings.Origin{CheckDevice: "nowhere0"}, "",
				"checkdevice nowhere0: this machine does not have it"},
		} {
			s.Origin = c.origin
			r := checked(t, s)
			if c.from == "" {
				step := map[string]string{"udp": "udp: "}[name]
				if step == "" {
					step = "connect: "
				}
				expect(t, r, "shortage: "+step+c.detail, name)
				continue
			}
			if got := <-from; !r.OK || got != c.from {
				t.Errorf("%s %+v: from %s, %+v", name, c.origin, got, r)
			}
		}
	}
}
