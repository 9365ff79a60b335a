package protocol

import (
	"net"
	"testing"
)

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
