package judge

import (
	"testing"

	"ldirectord/internal/testkit"
)

func TestRuleComeback(t *testing.T) {
	for _, row := range []struct {
		what  string
		given string
		does  string
		want  string // the weights, and the time until the next decision
	}{
		{"by default checks let a server back in", "comeback=checks", "1 fails, 1 passes", "4444"},
		{"the first failure takes it out until an order", "", "1 fails, 1 passes, 1000h, 1 passes", "-444"},
		{"it may be said of one server alone", "comeback=checks, 1 comeback=order",
			"1 fails, 2 fails, 1 passes, 2 passes", "-444"},
		{"ready ends it", "", "1 fails, 1 passes, 5s, 1 ready", "4444"},
		{"… and the next failure begins it again", "", "1 fails, 1 passes, 1 ready, 1 fails, 1 passes", "-444"},
		{"ready while it fails: its next success brings it back", "", "1 fails, 1 ready, 1 passes", "4444"},
		{"another server's failure is not its own", "", "1 fails, 2 fails, 1 passes, 2 passes, 1 ready", "4-44"},
		{"with quiescent it has weight 0", "quiescent", "1 fails, 1 passes", "0444"},
		{"half of them are enough", "", "1 fails, 2 fails, 1 passes, 2 passes", "--44"},
		{"fewer are not: one comes back", "", "1 fails, 2 fails, 1 passes, 2 passes, 3 fails", "4--4"},
		{"… and stays", "", "1 fails, 2 fails, 1 passes, 2 passes, 3 fails, 4 fails, 3 passes, 4 passes, 1s", "44--"},
		{"as many as the guard says", "keepserving=4", "1 fails, 1 passes", "4444"},
		{"as many as minservers says", "minservers.high=4", "1 fails, 1 passes", "4444"},
		{"a server that is held has not left", "keepserving=3",
			"1 fails, 2 fails, 2 passes", "-444"},
		{"after holddown, too", "holddown=10",
			"1 fails, 1 passes, 10s", "-444"},
		{"ready ends both", "holddown=10",
			"1 fails, 1 passes, 1 ready, 1 fails, 1 passes, 1 ready", "4444"},
		{"with pace it does not take the turn of another", "pace=1/10", "1 fails, 2 fails, 1 passes, 2 passes, 2 ready", "-444"},
		{"obey changes nothing", "", "1 obey, 1 fails, 1 passes", "-444"},
		{"the end of a drain ends it", "", "1 fails, 1 passes, 1 drain, 1 undo", "4444"},
		{"the end of maintenance too", "", "1 fails, 1 passes, 1 file, 1 file", "4444"},
		{"a drain while it fails does not", "", "1 fails, 1 drain, 1 undo, 1 passes", "-444"},
		{"a weight by hand ends it", "", "1 fails, 1 passes, 1 hand", "9444"},
		{"a backup server does not wait", "1 backup",
			"2 fails, 3 fails, 4 fails, 1 fails, 1 passes", "4---"},
		{"a server that was never in service", "1 unknown not entered absent", "1 fails, 1 passes", "4444"},
	} {
		p := playedWith("comeback=order, " + row.given)
		if p.do(t, row.does); p.String() != row.want {
			t.Errorf("%s: %s, want %s", row.what, p, row.want)
		}
	}
}

// It is said and reported from the decision that finds that the server passes, until it is let in.
func TestKindComeback(t *testing.T) {
	p := playedWith("comeback=order")
	const says = "held down until an order (set … ready): comeback = order"
	for _, row := range []struct {
		does, says string
		count      int
	}{{"1 fails", "", 0}, {"1 passes", says, 1}, {"1s", says, 1}, {"1 fails", "", 0}, {"1 passes", says, 1}, {"1 ready", "", 0}} {
		p.do(t, row.does)
		v := p.Seen(&p.Servers[0], p.now)
		if got, n := comebackKind.Says(v), comebackKind.Count(v); got != row.says || n != row.count {
			t.Errorf("%s: %q, %d; want %q, %d", row.does, got, n, row.says, row.count)
		}
		testkit.Equal(t, holddownKind.Says(v), "", row.does, "holddown")
	}
	p.do(t, "1 fails")
	p.Result(&p.Servers[0], &p.Servers[0].First, true, 0)
	if n := comebackKind.Count(p.Seen(&p.Servers[0], p.now)); n != 0 {
		t.Error("it is told before the decision")
	}
}
