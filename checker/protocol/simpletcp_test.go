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
		{"good", ping, steps(pinged, raw("pong 42\n")), true, `got "pong 42\n"`},
		{"good over IPv6", over6(ping), steps(pinged, raw("pong 42")), true, `got "pong 42"`},
		{"a later line is good", ping, steps(pinged, raw("banner\n\npong 1\nmore"), silent), true,
			`got "pong 1\n"`},
		{"good before the connection ends", ping, steps(pinged, raw("pong 1\n"), stay), true, `got "pong 1\n"`},
		{"escaped line ends", escaped, steps(awaitAll("hello\nworld\n"), raw("world")), true, `got "world"`},
		{"request with a slash", slash, steps(awaitAll("/QUIT"), raw("bye")), true, `got "bye"`},
		{"any line will do", nothing, steps(awaitAll(""), raw("\n")), true, `got "\n"`},
		{"a line in one piece", ping, steps(pinged, raw(strings.Repeat("x", 5000)+"\npong 7")), true,
			`got "pong 7"`},
		{"wrong answer", ping, steps(pinged, raw("not pong 42\n")), false,
			`no line matches /^pong [0-9]+$/: got "not pong 42\n"`},
		{"match over two lines", Spec{Service: "simpletcp", Receive: "a\nb"},
			steps(awaitAll(""), raw("a\nb\n")), false, `no line matches /a\nb/: got "a\n"`},
		{"another protocol", ping, steps(pinged, raw("\x16\x03\x01\x00")), false,
			`no line matches /^pong [0-9]+$/: got "\x16\x03\x01\x00"`},
		{"refused", ping, nil, false, "connect: refused"},
		{"refused over IPv6", over6(ping), nil, false, "connect: refused"},
		{"closed without an answer", nothing, steps(awaitAll("")), false,
			"connection closed without an answer"},
		{"reset", ping, steps(pinged, reset), false, "connection reset in the answer"},
		{"silent", late(ping), script{stay}, false, "no answer in 400ms"},
		{"silent in the middle", late(ping), steps(pinged, raw("banner\npong"), stay), false,
			"timeout in the answer"},
		{"slow drip", late(ping), steps(pinged, drip("pong 1234567890123456789")), false,
			"timeout in the answer"},
		{"endless line", ping, steps(pinged, endless("pong")), false,
			`no line matches /^pong [0-9]+$/ in the first 262144 bytes: got "` +
				strings.Repeat("pong", 15) + `"…`},
		{"endless lines", ping, steps(pinged, endless("a long line that is not pong\n")), false,
			`no line matches /^pong [0-9]+$/ in the first 262144 bytes: got "a long line that is not ` +
				`pong\n"`},
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
		{"good", ping, answer("pong"), true, `got "pong"`},
		{"good over IPv6", over6(ping), answer("pong"), true, `got "pong"`},
		{"a later line of a later datagram", ping, answer("banner", "", "x\npong\n"), true, `got "pong\n"`},
		{"wrong answer", late(ping), answer("ping"), false, `no line matches /^pong/: got "ping"`},
		{"silent", late(ping), answer(), false, "no answer in 400ms"},
		{"refused", ping, nil, false, "udp: refused"},
		{"refused over IPv6", over6(ping), nil, false, "udp: refused"},
	})
}
