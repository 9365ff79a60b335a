package icmp

import (
	"errors"
	"net/netip"
	"testing"

	"ldirectord/checker/settings"
	"ldirectord/internal/raw"
)

// A ping leaves from its source and device. What this machine lacks is found at each ping, though the socket is an old
// one. One whose device was replaced is opened again.
func TestPingsHaveAnOrigin(t *testing.T) {
	p := NewPinger()
	defer p.Close()
	by := settings.Path{Origin: settings.Origin{CheckSource: netip.MustParseAddr("127.0.0.7"), CheckDevice: "lo"}}
	if _, err := p.Ping(t.Context(), loopbacks[0], by, patient); isDenied(err) {
		t.Skip("needs raw sockets")
	} else if err != nil {
		t.Fatal(err)
	}
	h := p.opened[way{false, by}].(*hub)
	h.device++
	if _, err := p.Ping(t.Context(), loopbacks[0], by, patient); err != nil ||
		p.opened[way{false, by}] == pinger(h) {
		t.Errorf("after another device: %v, the same socket: %v", err, p.opened[way{false, by}] == pinger(h))
	}
	h.Close()
	for _, lacks := range []settings.Origin{{CheckSource: netip.MustParseAddr("192.0.2.9")},
		{CheckDevice: "nowhere0"}} {
		lacking := settings.Path{Origin: lacks}
		p.opened[way{false, lacking}] = p.opened[way{false, by}]
		var missing *raw.OriginError
		if _, err := p.Ping(t.Context(), loopbacks[0], lacking, patient); !errors.As(err, &missing) {
			t.Errorf("%+v: %v", lacks, err)
		}
	}
}
