package protocol

import (
	"net"
	"strings"
	"testing"
)

func TestSimpleTCP(t *testing.T) {
	ping := Spec{Service: "simpletcp", Protocol: "tcp", Request: "/PING", Receive: "^pong [0-9]+$"}
	escaped := Spec{Service: "simpletcp", Protocol: "tcp", Request: `/hello\nworld\n`, Receive: "world"}
	slash := Spec{Service: "simpletcp", Protocol: "tcp", Request: "//QUIT", Receive: "bye"}
	nothing := Spec{Service: "simpletcp", Protocol: "fwm", Request: "/", Receive: ""}
	pinged := awaitAll("PING")
	checkFakes(t, []fakeCase{
		{name: "good", spec: ping, server: steps(pinged, raw("pong 42\n")), up: true, detail: `got "pong 42\n"`},
		{name: "good over IPv6", spec: ping, ipv6: true, server: steps(pinged, raw("pong 42")), up: true, detail: `got "pong 42"`},
		{name: "a later line is good", spec: ping, server: steps(pinged, raw("banner\n\npong 1\nmore"), silent), up: true, detail: `got "pong 1\n"`},
		{name: "good before the connection ends", spec: ping, server: steps(pinged, raw("pong 1\n"), stay), up: true, detail: `got "pong 1\n"`},
		{name: "escaped line ends", spec: escaped, server: steps(awaitAll("hello\nworld\n"), raw("world")), up: true, detail: `got "world"`},
		{name: "request with a slash", spec: slash, server: steps(awaitAll("/QUIT"), raw("bye")), up: true, detail: `got "bye"`},
		{name: "any line will do", spec: nothing, server: steps(awaitAll(""), raw("\n")), up: true, detail: `got "\n"`},
		{name: "a line in one piece", spec: ping, server: steps(pinged, raw(strings.Repeat("x", 5000)+"\npong 7")), up: true, detail: `got "pong 7"`},
		{name: "wrong answer", spec: ping, server: steps(pinged, raw("not pong 42\n")), detail: `no line matches /^pong [0-9]+$/: got "not pong 42\n"`},
		{name: "match over two lines", spec: Spec{Service: "simpletcp", Receive: "a\nb"}, server: steps(awaitAll(""), raw("a\nb\n")), detail: `no line matches /a\nb/: got "a\n"`},
		{name: "another protocol", spec: ping, server: steps(pinged, raw("\x16\x03\x01\x00")), detail: `no line matches /^pong [0-9]+$/: got "\x16\x03\x01\x00"`},
		{name: "refused", spec: ping, detail: "connect: refused"},
		{name: "refused over IPv6", spec: ping, ipv6: true, detail: "connect: refused"},
		{name: "closed without an answer", spec: nothing, server: steps(awaitAll("")), detail: "connection closed without an answer"},
		{name: "reset", spec: ping, server: steps(pinged, reset), detail: "connection reset in the answer"},
		{name: "silent", spec: ping, server: []step{stay}, late: true, detail: "no answer in 400ms"},
		{name: "silent in the middle", spec: ping, server: steps(pinged, raw("banner\npong"), stay), late: true, detail: "timeout in the answer"},
		{name: "slow drip", spec: ping, server: steps(pinged, drip("pong 1234567890123456789")), late: true, detail: "timeout in the answer"},
		{name: "endless line", spec: ping, server: steps(pinged, endless("pong")), detail: `no line matches /^pong [0-9]+$/ in the first 262144 bytes: got "` + strings.Repeat("pong", 15) + `"…`},
		{name: "endless lines", spec: ping, server: steps(pinged, endless("a long line that is not pong\n")), detail: `no line matches /^pong [0-9]+$/ in the first 262144 bytes: got "a long line that is not pong\n"`},
	})
}

func TestSimpleTCPOverUDP(t *testing.T) {
	ping := Spec{Service: "simpletcp", Protocol: "udp", Request: `/PING\n`, Receive: "^pong"}
	answer := func(text ...string) datagrams {
		return func(_ int, packet []byte, _ net.Addr) []string {
			if string(packet) != "PING\n" {
				return nil
			}
			return text
		}
	}
	checkDatagrams(t, []datagramCase{
		{name: "good", spec: ping, server: answer("pong"), up: true, detail: `got "pong"`},
		{name: "good over IPv6", spec: ping, ipv6: true, server: answer("pong"), up: true, detail: `got "pong"`},
		{name: "a later line of a later datagram", spec: ping, server: answer("banner", "", "x\npong\n"), up: true, detail: `got "pong\n"`},
		{name: "wrong answer", spec: ping, server: answer("ping"), late: true, detail: `no line matches /^pong/: got "ping"`},
		{name: "silent", spec: ping, server: answer(), late: true, detail: "no answer in 400ms"},
		{name: "refused", spec: ping, detail: "udp: refused"},
		{name: "refused over IPv6", spec: ping, ipv6: true, detail: "udp: refused"},
	})
}
