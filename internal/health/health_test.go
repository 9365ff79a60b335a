package health

import (
	"fmt"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// Results are + for a success and - for a failure, after their rule: fall, rise and the window. A reload gives a server
// another rule. What its results were before counts on, and results that are not known count like its state.
func TestNext(t *testing.T) {
	for _, row := range testkit.Table(t, "testdata/next.txt", 4) {
		h, got := Assume(map[string]State{"up": Up}[row[1]]), ""
		for part := range strings.SplitSeq(row[2], ", ") {
			rule, results, _ := strings.Cut(part, ": ")
			for _, r := range results {
				h = h.Next(r == '+', ruleOf(rule))
				got += h.State.String()[:1]
			}
		}
		testkit.Equal(t, got, row[3], row[0], row[2])
	}
}

// ruleOf reads a rule: fall and rise, and need and of if it has a window.
func ruleOf(text string) (r Rule) {
	fmt.Sscan(text, &r.Fall, &r.Rise, &r.Need, &r.Of)
	return r
}

func TestFailuresCountTowardsTheLimit(t *testing.T) {
	for _, r := range []Rule{{Fall: 4, Rise: 1}, {Need: 7, Of: 10}} {
		h := Assume(Up)
		for i := range int32(3) {
			if h = h.Next(false, r); h.Streak != i+1 || r.Limit() != 4 {
				t.Errorf("%+v: failure %d is %d of %d", r, i+1, h.Streak, r.Limit())
			}
		}
	}
}

func BenchmarkNext(b *testing.B) {
	h, r := Assume(Up), Rule{Fall: 3, Rise: 1}
	for i := 0; b.Loop(); i++ {
		h = h.Next(i%5 != 0, r)
	}
}

func TestDoubted(t *testing.T) {
	for _, c := range []struct {
		state State
		ok    bool
		want  bool
	}{{Unknown, true, false}, {Unknown, false, false}, {Up, true, false}, {Up, false, true}, {Down, true, true},
		{Down, false, false}} {
		testkit.Equal(t, Assume(c.state).Doubted(c.ok), c.want, c.state, "and a result", c.ok, "doubted")
	}
}
