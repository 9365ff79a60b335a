package core

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/plan"
	"ldirectord/parser"
)

// Each word is a server at a look: its new connections since the look before, a slash, and its weight. Looks are a
// minute apart, samewait is ten. After the arrow is the share that each gets and the one that is due, as known then.
func TestSharesOfNewConnections(t *testing.T) {
	for _, row := range []struct{ what, scheduler, looks string }{
		{"the example", "wrr", "0/1 0/1 0/1; 61/1 20/1 19/1 -> 61/33 20/33 19/33"},
		{"by weight", "wlc", "0/3 0/1; 75/3 25/1 -> 75/75 25/25"},
		{"rr has no weights", "rr", "0/3 0/1; 75/3 25/1 -> 75/50 25/50"},
		{"fo follows something else", "fo", "0/3 0/1; 75/3 25/1 -> 0/0 0/0"},
		{"what was there before the first look", "wrr", "900/1 0/1; 50/1 50/1 -> 50/50 50/50"},
		{"too few", "wrr", "0/1 0/1; 90/1 9/1 -> 0/0 0/0"},
		{"few at a time", "wrr", "0/1 0/1; 40/1 10/1; 40/1 10/1 -> 80/50 20/50"},
		{"the last ones count", "wrr", "0/1 0/1; 90/1 10/1; 50/1 50/1 -> 50/50 50/50"},
		{"they stay while there are too few", "wrr", "0/1 0/1; 90/1 10/1; 9/1 0/1 -> 90/50 10/50"},
		{"another weight begins again", "wrr", "0/1 0/1; 90/1 5/1; 5/1 5/2; 50/1 50/2 -> 50/33 50/66"},
		{"and what was known of that server is over", "wrr", "0/1 0/1; 90/1 10/1; 5/1 5/2 -> 90/50 0/0"},
		{"without a weight nothing is due", "wrr", "0/1 0/0; 90/1 10/0 -> 90/100 10/0"},
		{"no server has one", "wrr", "0/0 0/0; 90/0 10/0 -> 0/0 0/0"},
		{"an entry that was made again", "wrr", "900/1 900/1; -890/1 100/1 -> 0/0 0/0"},
		{"from then on", "wrr", "900/1 900/1; -890/1 100/1; 50/1 50/1 -> 50/50 50/50"},
		{"too soon", "wrr", "0/1 0/1; soon 90/1 10/1 -> 0/0 0/0"},
	} {
		looks, want, _ := strings.Cut(row.looks, " -> ")
		var v *virtual
		now := newYear
		for look := range strings.SplitSeq(looks, "; ") {
			look, soon := strings.CutPrefix(look, "soon ")
			words := strings.Fields(look)
			if v == nil {
				servers := make([]*server, len(words))
				for i := range servers {
					at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, 0, byte(i)}), 80)
					servers[i] = serverOf(lvs.Dest{Addr: at})
				}
				cfg := &parser.Virtual{Settings: parser.Settings{SameWait: 600}}
				v = virtualOf(cfg, servers...)
				v.Service = &plan.Service{Config: cfg, Settings: lvs.Settings{Scheduler: row.scheduler}}
			}
			var have lvs.Dests
			for i, word := range words {
				more, weight, _ := strings.Cut(word, "/")
				s := v.servers[i]
				s.carries.Traffic.Connections += uint64(number(t, more))
				have.Put(lvs.Dest{Addr: s.Dest.Addr, Weight: uint32(number(t, weight))})
			}
			if soon {
				now = now.Add(-time.Second)
			}
			v.share(have, now)
			now = now.Add(time.Minute)
		}
		var got []string
		for _, s := range v.servers {
			got = append(got, fmt.Sprintf("%d/%d", s.got, s.due))
		}
		if got := strings.Join(got, " "); got != want {
			t.Errorf("%s: %s, want %s", row.what, got, want)
		}
	}
}
