package protocol

import (
	"fmt"
	"net"
	"slices"
	"testing"

	"ldirectord/checker/settings"
	"ldirectord/checker/wire"
)

// A server that answers other questions than the check's keeps the check busy, but not forever.
func TestStraysAreLookedAtForAWhile(t *testing.T) {
	www := Spec{Service: "dns", Protocol: "udp", Request: "/www.example.org", Receive: "192"}
	sip := Spec{Service: "sip", Protocol: "udp", Account: settings.Account{Login: "monitor@example.net"}}
	radius := Spec{Service: "radius", Protocol: "udp",
		Account: settings.Account{Login: "monitor", Passwd: "password", Secret: "shared"}}
	server := radiusServer{secret: "shared"}
	other := server
	other.id = 1
	first := func(n int, stray datagrams, answer datagrams) datagrams {
		return func(i int, packet []byte, from net.Addr) []string {
			return append(slices.Repeat(stray(i, packet, from), n), answer(i, packet, from)...)
		}
	}
	another := func(n int, packet []byte, from net.Addr) []string {
		packet = slices.Clone(packet)
		packet[0] ^= 1
		return namesGood(n, packet, from)
	}
	var cases []datagramCase
	for _, c := range []struct {
		spec          Spec
		stray, answer datagrams
		want          string
	}{
		{www, another, namesGood, "up: www.example.org is 192.0.2.10"},
		{sip, sipAnswer("SIP/2.0 100 Trying"), sipAnswer("SIP/2.0 200 OK"), "up: SIP/2.0 200 OK"},
		{radius, other.answer, server.answer, "up: Access-Accept"},
	} {
		cases = append(cases,
			datagramCase{c.spec.Service + " some", c.spec, first(wire.MaxStrays-1, c.stray, c.answer),
				c.want},
			datagramCase{c.spec.Service + " many", c.spec, first(wire.MaxStrays, c.stray, c.answer),
				fmt.Sprintf("down: no answer, only %d other datagrams", wire.MaxStrays)})
	}
	checkEach(t, cases, serveDatagrams)
}
