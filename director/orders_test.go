package director

import (
	"testing"
	"time"

	"ldirectord/lvs"
	"ldirectord/orders"
)

func TestAnOrderInWords(t *testing.T) {
	until := time.Date(2026, 11, 21, 18, 0, 0, 0, time.Local).UTC()
	for want, o := range map[string]orders.Order{
		"drain":     {Kind: orders.Drain},
		"weight 20": {Kind: orders.Weigh, Weight: 20},
		"maint until 2026-11-21 18:00:00 by kim: new disk": {Kind: orders.Maint, By: "kim", Why: "new disk", Until: until},
		"drain: slow": {Kind: orders.Drain, Why: "slow"},
	} {
		if got := o.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestOrdersThatAnOperatorMeans(t *testing.T) {
	all := orders.All{lvs.At("tcp:10.1.0.1:80", "10.2.0.1:80"): {}, lvs.At("fwm:3", "10.2.0.1:80"): {}, lvs.At("fwm:3", "10.2.0.11:80"): {}, lvs.At("fwm:3", ""): {}}
	for words, want := range map[[2]string]int{
		{"", "10.2.0.1"}: 2, {"3", "10.2.0.1"}: 1, {"fwm:3", "10.2.0.11:80"}: 1, {"10.1.0.1:80", "10.2.0.1:80"}: 1, {"", "10.2.0.1:81"}: 0, {"3", ""}: 1, {"", "3"}: 1,
		{"", "fwm:3"}: 1, {"3", "3"}: 0, {"", "10.1.0.1:80"}: 0,
	} {
		var got []lvs.Backend
		for _, at := range all.Sorted() {
			if at.IsMeant(words[0], words[1]) {
				got = append(got, at)
			}
		}
		if len(got) != want {
			t.Errorf("%q: %v, want %d", words, got, want)
		}
	}
}
