package core

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/plan"
	"ldirectord/internal/testkit"
	"ldirectord/parser"
)

func TestSharesOfNewConnections(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/core/share.txt", 4) {
		var v *virtual
		now := newYear
		for look := range strings.SplitSeq(row[2], "; ") {
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
				v.Service = &plan.Service{Config: cfg, Settings: lvs.Settings{Scheduler: row[1]}}
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
		testkit.Equal(t, strings.Join(got, " "), row[3], row[0])
	}
}
