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
	checkFakes(t, nil, []fakeCase{
		{"good", ping, steps(pinged, raw("pong 42\n")), `up: got "pong 42\n"`},
		{"a later line is good", ping, steps(pinged, raw("banner\n\npong 1\nmore"), silent),
			`up: got "pong 1\n"`},
		{"good before the connection ends", ping, steps(pinged, raw("pong 1\n"), stay), `up: got "pong 1\n"`},
		{"escaped line ends", escaped, steps(awaitAll("hello\nworld\n"), raw("world")), `up: got "world"`},
		{"request with a slash", slash, steps(awaitAll("/QUIT"), raw("bye")), `up: got "bye"`},
		{"any line will do", nothing, steps(awaitAll(""), raw("\n")), `up: got "\n"`},
		{"a line in one piece", ping, steps(pinged, raw(strings.Repeat("x", 5000)+"\npong 7")),
			`up: got "pong 7"`},
		{"wrong answer", ping, steps(pinged, raw("not pong 42\n")),
			`down: no line matches /^pong [0-9]+$/: got "not pong 42\n"`},
		{"match over two lines", Spec{Service: "simpletcp", Receive: "a\nb"},
			steps(awaitAll(""), raw("a\nb\n")), `down: no line matches /a\nb/: got "a\n"`},
		{"another protocol", ping, steps(pinged, raw("\x16\x03\x01\x00")),
			`down: no line matches /^pong [0-9]+$/: got "\x16\x03\x01\x00"`},
		{"closed without an answer", nothing, steps(awaitAll("")), "down: connection closed without an answer"},
		{"reset", ping, steps(pinged, reset), "down: connection reset in the answer"},
		{"silent in the middle", late(ping), steps(pinged, raw("banner\npong"), stay),
			"down: timeout in the answer"},
		{"slow drip", late(ping), steps(pinged, drip("pong 1234567890123456789")),
			"down: timeout in the answer"},
		{"endless line", ping, steps(pinged, endless("pong")),
			`down: no line matches /^pong [0-9]+$/ in the first 262144 bytes: got "` +
				strings.Repeat("pong", 15) + `"…`},
		{"endless lines", ping, steps(pinged, endless("a long line that is not pong\n")),
			`down: no line matches /^pong [0-9]+$/ in the first 262144 bytes: got "a long line that is ` +
				`not pong\n"`},
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
		{"good", ping, answer("pong"), `up: got "pong"`},
		{"a later line of a later datagram", ping, answer("banner", "", "x\npong\n"), `up: got "pong\n"`},
		{"wrong answer", late(ping), answer("ping"), `down: no line matches /^pong/: got "ping"`},
		{"silent", late(ping), answer(), "down: no answer in 400ms"},
	})
}
