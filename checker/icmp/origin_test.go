package icmp

import (
	"errors"
	"net/netip"
	"testing"

	"ldirectord/checker/settings"
	"ldirectord/internal/raw"
)

// foreign are addresses that this machine lacks, by whether they are of IPv6.
var foreign = map[bool]netip.Addr{false: netip.MustParseAddr("192.0.2.9"), true: netip.MustParseAddr("2001:db8::9")}

// A ping leaves from its source and device. What this machine lacks is found at each ping, though the socket is an old
// one. One whose device was replaced is opened again.
func TestPingsHaveAnOrigin(t *testing.T) {
	for i, source := range []string{"127.0.0.7", "::1"} {
		t.Run(source, func(t *testing.T) { pingsFrom(t, netip.MustParseAddr(source), loopbacks[i]) })
	}
}

func pingsFrom(t *testing.T, source, to netip.Addr) {
	p := NewPinger()
	defer p.Close()
	by, ipv6 := settings.Path{Origin: settings.Origin{CheckSource: source, CheckDevice: "lo"}}, to.Is6()
	_, err := p.Ping(t.Context(), to, by, patient)
	mayPing(t, to, err)
	h := p.opened[way{ipv6, by}].(*hub)
	h.device++
	if _, err := p.Ping(t.Context(), to, by, patient); err != nil || p.opened[way{ipv6, by}] == pinger(h) {
		t.Errorf("after another device: %v, the same socket: %v", err, p.opened[way{ipv6, by}] == pinger(h))
	}
	h.Close()
	for _, lacks := range []settings.Origin{{CheckSource: foreign[ipv6]}, {CheckDevice: "nowhere0"}} {
		lacking := settings.Path{Origin: lacks}
		p.opened[way{ipv6, lacking}] = p.opened[way{ipv6, by}]
		var missing *raw.OriginError
		if _, err := p.Ping(t.Context(), to, lacking, patient); !errors.As(err, &missing) {
			t.Errorf("%+v: %v", lacks, err)
		}
	}
}
