package core

import (
	"net/netip"
	"testing"

	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
)

// A fallback server that was removed by hand may stay out while no server can serve. Results of checks at the former
// addresses of names don't matter, because no server is there.
func TestOracleKnowsWhatServesInsteadOfTheFallbackServer(t *testing.T) {
	for _, row := range []struct {
		what string
		out  netip.AddrPort // in maintenance
		stay bool
	}{
		{"no server serves before and after", homes["web1"][0], true},
		{"the server serves before", netip.AddrPort{}, false},
	} {
		o := newOracle(&timeline{}, t.Fatalf)
		one := entry{addr: homes["web1"][0], weight: 1, name: "web1"}
		o.take(file{virtuals[0]: {CheckType: "connect", KeepServing: "0", Fallback: "yes",
			Servers: []entry{one}}})
		o.maintained[row.out] = true
		key := keyFor(virtuals[0])
		at, knows := spot{key, sorry}, believed{key: {Section: &judge.Section{}}}
		o.byHand[at] = anyRest
		table := lvs.Table{key: {Key: key, Dests: nil}}
		o.settle(table, knows)
		for _, a := range homes["web1"] {
			o.conditions[a] = refusing
		}
		if o.settle(table, knows); o.isByHand(at) != row.stay {
			t.Errorf("%s: the change by hand may stay: %t", row.what, !row.stay)
		}
	}
}
