package fwmark

import "testing"

func TestSettingGivesTheMarkThatItsBitsAreOf(t *testing.T) {
	for _, tc := range []struct {
		s    Setting
		mark uint32
		ipv6 bool
		want bool
	}{
		{Setting{BackEnd: NFT, Mark: 3, Mask: wholeMark}, 3, false, true},
		{Setting{BackEnd: NFT, Mark: 3, Mask: wholeMark}, 3, true, false},
		{Setting{BackEnd: NFT, Mark: 3, Mask: wholeMark}, 2, false, false},
		{Setting{BackEnd: Legacy, IPv6: true, Mark: 3, Mask: 0xff}, 0x103, true, true},
		{Setting{BackEnd: Legacy, Mark: 1, Mask: 1}, 3, false, true},
		{Setting{BackEnd: Legacy, Mark: 0, Mask: 0xff00}, 3, false, false},
		{Setting{BackEnd: Legacy, Mark: 0, Mask: wholeMark}, 3, false, false},
		{Setting{BackEnd: Native, Chain: "inet filter pre", Mark: 3, Mask: wholeMark}, 3, true, true},
		{Setting{BackEnd: Native, Chain: "ip filter pre", Mark: 3, Mask: wholeMark}, 3, true, false},
		{Setting{BackEnd: Native, Chain: "ip6 filter pre", IPv6: true, Mark: 3, Mask: wholeMark}, 3, false, false},
	} {
		if got := (Machine{Settings: []Setting{tc.s}}).NothingSets(tc.mark, tc.ipv6); got == tc.want {
			t.Errorf("%+v, mark %#x, IPv6 %v: %v", tc.s, tc.mark, tc.ipv6, got)
		}
	}
}

func TestRoutingRuleUsesMarksOfItsMask(t *testing.T) {
	for _, tc := range []struct {
		r    RoutingRule
		mark uint32
		want bool
	}{
		{RoutingRule{Mark: 3, Mask: wholeMark}, 3, true},
		{RoutingRule{Mark: 3, Mask: wholeMark}, 0x103, false},
		{RoutingRule{Mark: 3, Mask: 0xff}, 0x103, true},
		{RoutingRule{IPv6: true, Mark: 3, Mask: 0xff}, 3, false},
		{RoutingRule{Mark: 0, Mask: 0x10000}, 3, true}, // not fwmark 0x10000/0x10000
		{RoutingRule{}, 3, false},
	} {
		if got := tc.r.Uses(tc.mark, false); got != tc.want {
			t.Errorf("%+v, mark %#x: %v", tc.r, tc.mark, got)
		}
	}
}
