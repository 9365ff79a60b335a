package core

import (
	"net/netip"
	"strings"
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
	for _, row := range testkit.Table(t, "../../testdata/core/fallback.txt", 4) {
		kind, weight, _ := strings.Cut(row[1], " ")
		op := lvs.Op{Kind: map[string]lvs.OpKind{"add": lvs.AddDest, "remove": lvs.DelDest}[kind],
			Dest: lvs.Dest{Addr: someAddr, Weight: uint32(number(t, "0"+weight))}}
		v, real := virtualOf(&parser.Virtual{}), (*server)(nil)
		if row[2] != "none" {
			real = serverOf(lvs.Dest{Addr: someAddr, Weight: 4})
			v = virtualOf(&parser.Virtual{}, real).seated(health.Down)
			if strings.Contains(row[2], "up") {
				v.seated(health.Up)
			}
			if strings.Contains(row[2], "drained") {
				v.Servers[0].Ordered(judge.Order{Kind: judge.Drain})
			}
		}
		v.Fallbacks = []*judge.Member{{Dest: lvs.Dest{Addr: someAddr, Weight: 1}}}
		v.all = append(v.all, &server{})
		v.FallbackIn = strings.HasSuffix(row[2], "fallback in")
		testkit.Equal(t, v.fallbackOf(op, real) != nil, row[3] == "yes", row[0],
			"counts as a change of the fallback server")
		if v.fallbackOf(lvs.Op{Kind: op.Kind}, nil) != nil {
			t.Errorf("%s: a change of another address counts as one of the fallback server", row[0])
		}
	}
}
