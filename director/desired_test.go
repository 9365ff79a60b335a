package director

import (
	"maps"
	"net/netip"
	"testing"

	"ldirectord/checker"
	"ldirectord/checker/health"
	"ldirectord/ipvsctl"
	"ldirectord/lvs"
	"ldirectord/parser"
)

func opOn(d lvs.Dest) ipvsctl.Op { return ipvsctl.Op{Kind: ipvsctl.EditDest, Dest: d} }

// weights writes destinations as their last number and weight.
func weights(d dests) map[byte]uint32 {
	list := map[byte]uint32{}
	for addr, dest := range d {
		list[addr.Addr().As4()[3]] = dest.Weight
	}
	return list
}

func destsOf(list map[byte]uint32) dests {
	d := dests{}
	for n, weight := range list {
		addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, 0, n}), 80)
		d[addr] = lvs.Dest{Addr: addr, Weight: weight}
	}
	return d
}

// What a virtual service should have, for one server of weight 4 at 1 and another at 2, and a fallback server at 9.
func TestWhatAVirtualServiceShouldHave(t *testing.T) {
	up, down, unknown := health.Up, health.Down, health.Unknown
	for _, c := range []struct {
		what       string
		one, two   health.State
		quiescent  bool
		drained    bool // one
		overridden []byte
		have, want map[byte]uint32
	}{
		{what: "both up", one: up, two: up, want: map[byte]uint32{1: 4, 2: 4}},
		{what: "one down", one: down, two: up, have: map[byte]uint32{1: 4, 2: 4}, want: map[byte]uint32{2: 4}},
		{what: "one down, quiescent", one: down, two: up, quiescent: true, have: map[byte]uint32{1: 4, 2: 4},
			want: map[byte]uint32{1: 0, 2: 4}},
		{what: "both down", one: down, two: down, want: map[byte]uint32{9: 1}},
		{what: "one unknown, one down", one: unknown, two: down, want: map[byte]uint32{}},
		{what: "… and the fallback server is in", one: unknown, two: down, have: map[byte]uint32{9: 1},
			want: map[byte]uint32{9: 1}},
		{what: "… with weight 0", one: unknown, two: down, have: map[byte]uint32{9: 0},
			want: map[byte]uint32{}},
		{what: "unknown ones stay as they are", one: unknown, two: unknown, have: map[byte]uint32{1: 7, 2: 0},
			want: map[byte]uint32{1: 4, 2: 0}},
		{what: "unknown ones are not added", one: unknown, two: up, want: map[byte]uint32{2: 4}},
		{what: "drained", one: up, two: up, drained: true, have: map[byte]uint32{1: 4, 2: 4},
			want: map[byte]uint32{1: 0, 2: 4}},
		{what: "drained before it is in", one: up, two: up, drained: true, want: map[byte]uint32{1: 0, 2: 4}},
		{what: "drained and unknown, not in", one: unknown, two: up, drained: true,
			want: map[byte]uint32{2: 4}},
		{what: "drained, the last one", one: up, two: down, drained: true, want: map[byte]uint32{1: 0, 9: 1}},
		{what: "the servers before serve on", one: unknown, two: unknown, have: map[byte]uint32{5: 3, 6: 0},
			want: map[byte]uint32{5: 3}},
		{what: "… until one is up", one: up, two: unknown, have: map[byte]uint32{5: 3},
			want: map[byte]uint32{1: 4}},
		{what: "… or none is unknown", one: down, two: down, have: map[byte]uint32{5: 3},
			want: map[byte]uint32{9: 1}},
		{what: "… or an unknown one serves", one: unknown, two: unknown, have: map[byte]uint32{1: 1, 5: 3},
			want: map[byte]uint32{1: 4}},
		{what: "an override", one: up, two: up, overridden: []byte{1}, have: map[byte]uint32{1: 0, 2: 4},
			want: map[byte]uint32{1: 0, 2: 4}},
		{what: "an override by removal", one: up, two: up, overridden: []byte{1}, have: map[byte]uint32{2: 4},
			want: map[byte]uint32{2: 4}},
	} {
		t.Run(c.what, func(t *testing.T) {
			v := &virtual{cfg: &parser.Virtual{}, overridden: map[netip.AddrPort]bool{}}
			v.cfg.Quiescent = c.quiescent
			for _, d := range destsOf(map[byte]uint32{1: 4, 2: 4}) {
				s := &server{dest: d,
					first: judgement{task: &checker.Task{}, health: health.Assume(c.two)}}
				if d.Addr.Addr().As4()[3] == 1 {
					s.first.health, s.order = health.Assume(c.one),
						new(ordersIf(c.drained, Backend{})[Backend{}])
				}
				v.servers = append(v.servers, s)
			}
			for _, d := range destsOf(map[byte]uint32{9: 1}) {
				v.fallback = &d
			}
			for addr := range destsOf(map[byte]uint32{1: 0}) {
				v.overridden[addr] = len(c.overridden) > 0
			}
			if len(c.overridden) == 0 {
				clear(v.overridden)
			}
			if got := weights(v.desired(destsOf(c.have))); !maps.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}
