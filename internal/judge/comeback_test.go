package judge

import (
	"testing"

	"ldirectord/internal/testkit"
)

// It is said and reported from the decision that finds that the server passes, until it is let in.
func TestKindComeback(t *testing.T) {
	p := playedWith("comeback=order")
	const says = "held down until an order (set … ready): comeback = order"
	for _, row := range []struct {
		does, says string
		count      int
	}{{"1 fails", "", 0}, {"1 passes", says, 1}, {"1s", says, 1}, {"1 fails", "", 0}, {"1 passes", says, 1},
		{"1 ready", "", 0}} {
		p.do(row.does)
		v := p.Seen(&p.Servers[0], p.now)
		if got, n := comebackKind.Says(v), comebackKind.Count(v); got != row.says || n != row.count {
			t.Errorf("%s: %q, %d; want %q, %d", row.does, got, n, row.says, row.count)
		}
		testkit.Equal(t, holddownKind.Says(v), "", row.does, "holddown")
	}
	p.do("1 fails")
	p.Result(&p.Servers[0], &p.Servers[0].First, true, 0)
	if n := comebackKind.Count(p.Seen(&p.Servers[0], p.now)); n != 0 {
		t.Error("it is told before the decision")
	}
}
