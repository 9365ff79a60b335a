package core

import (
	"net/netip"
	"testing"

	"ldirectord/internal/health"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
	"ldirectord/parser"
)

var someAddr = netip.MustParseAddrPort("10.2.0.1:80")

// A real server and the fallback server have one address. A change there is one of the fallback server while no real
// server serves there.
func TestChangesOfTheFallbackServer(t *testing.T) {
	s := serverOf(lvs.Dest{Addr: someAddr, Weight: 4})
	for _, c := range []struct {
		what       string
		kind       lvs.OpKind
		weight     uint32
		state      health.State
		drained    bool
		fallbackIn bool
		real       *server
		want       bool
	}{
		{"added, the server is down", lvs.AddDest, 1, health.Down, false, false, s, true},
		{"added, the server is up", lvs.AddDest, 1, health.Up, false, false, s, false},
		{"added, the server is drained", lvs.AddDest, 1, health.Up, true, false, s, true},
		{"added with weight 0", lvs.AddDest, 0, health.Down, false, false, s, false},
		{"removed, the fallback server was in", lvs.DelDest, 0, health.Down, false, true, s, true},
		{"removed, it was not in", lvs.DelDest, 0, health.Down, false, false, s, false},
		{"removed, no server is there", lvs.DelDest, 0, health.Down, false, false, nil, true},
	} {
		v := virtualOf(&parser.Virtual{})
		if c.real != nil {
			v = virtualOf(&parser.Virtual{}, c.real).seated(c.state)
			order := judge.Order{}
			if c.drained {
				order.Kind = judge.Drain
			}
			v.Servers[0].Ordered(order)
		}
		v.Fallbacks, v.FallbackIn = []*judge.Member{{Dest: lvs.Dest{Addr: someAddr, Weight: 1}}}, c.fallbackIn
		testkit.Equal(t,
			v.isFallback(lvs.Op{Kind: c.kind, Dest: lvs.Dest{Addr: someAddr, Weight: c.weight}}, c.real),
			c.want, c.what, "counts as a change of the fallback server")
		if v.isFallback(lvs.Op{Kind: c.kind}, nil) {
			t.Errorf("%s: a change of another address counts as one of the fallback server", c.what)
		}
	}
}
