package core

import (
	"slices"
	"testing"
	"time"

	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
	"ldirectord/internal/view"
	"ldirectord/parser"
)

// A virtual service says how many servers are held and by what, and what an order to obey the checks suspends.
func TestWhatIsSaidOfTheGuard(t *testing.T) {
	keeps, pace := func(v *virtual) { v.KeepServing.N = 2 }, func(v *virtual) { v.Pace.N = 1 }
	paceout := func(v *virtual) { v.PaceOut.N = 1 }
	checkvip := func(v *virtual) { v.Paths = make([]judge.Path, 1) }
	holds := func(v *virtual) { v.held = make([]*server, 3) }
	obeys := func(v *virtual) { v.Obeys = true }
	const order = "; order: obey by kim: broken"
	for _, row := range []struct {
		want string
		has  []func(*virtual)
	}{
		{"", []func(*virtual){keeps, paceout, checkvip, pace}},
		{"", []func(*virtual){obeys}},
		{"3 fail but stay in service until paceout releases them", []func(*virtual){paceout, holds}},
		{"3 fail but stay in service until paceout or keepserving releases them",
			[]func(*virtual){paceout, holds, keeps}},
		{"keepserving holds 3 in service although their checks fail: the minimum is 2",
			[]func(*virtual){holds, keeps, pace}},
		{"by order, until every server is up: keepserving holds no server" + order,
			[]func(*virtual){keeps, obeys, checkvip, holds}},
		{"by order, until every server is up: paceout holds no server" + order,
			[]func(*virtual){paceout, obeys, checkvip, pace}},
		{"by order, until every server is up: neither keepserving nor paceout holds a server" + order,
			[]func(*virtual){paceout, obeys, keeps}},
		{"by order, until every server is up: checkvip holds no server" + order,
			[]func(*virtual){obeys, checkvip, pace}},
		{"by order, until every server is up: pace delays no server" + order, []func(*virtual){obeys, pace}},
	} {
		v := virtualOf(&parser.Virtual{ID: "fwm:1"})
		for _, has := range row.has {
			has(v)
		}
		given := orders.All{lvs.Backend{Virtual: "fwm:1"}: {Kind: orders.Obey, By: "kim", Why: "broken"}}
		now := describeAll([]*virtual{v}, given, time.Now())[0]
		var want []view.Condition
		if row.want != "" {
			kind := map[bool]string{false: "held", true: "obeyed"}[v.Obeys]
			want = []view.Condition{{Kind: kind, Trouble: judge.Noted, Text: row.want}}
		}
		if !slices.Equal(now.Conditions, want) || now.Guard.Obeys != (v.Obeys && row.want != "") {
			t.Errorf("%+v, %v, want %v", now.Guard, now.Conditions, want)
		}
	}
}
