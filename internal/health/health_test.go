package health

import (
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// Results are a string: + for a success, - for a failure. The states expected after each of them are u (up) and d
// (down).
func TestNext(t *testing.T) {
	for _, c := range []struct {
		name    string
		start   State
		rule    Rule
		results string
		want    string
	}{
		{"first success decides", Unknown, Rule{Fall: 3, Rise: 3}, "+", "u"},
		{"first failure decides", Unknown, Rule{Fall: 3, Rise: 3}, "-", "d"},
		{"one failure is enough by default", Unknown, Rule{Fall: 1, Rise: 1}, "+-+-", "udud"},
		{"down after three in a row, up after one", Unknown, Rule{Fall: 3, Rise: 1}, "+--+---+", "uuuuuudu"},
		{"a success between resets the count", Up, Rule{Fall: 2, Rise: 1}, "-+-+--", "uuuuud"},
		{"up after three in a row, down after one", Up, Rule{Fall: 1, Rise: 3}, "-++-+++-", "ddddddud"},
		{"window 7/10: three failures are borne, the fourth is not", Up, Rule{Need: 7, Of: 10}, "---+-",
			"uuuud"},
		{"window 7/10: old failures are forgotten", Up, Rule{Need: 7, Of: 10}, "---++++++++++---",
			"uuuuuuuuuuuuuuuu"},
		{"window 7/10: back after seven successes", Unknown, Rule{Need: 7, Of: 10}, "-+++++++", "dddddddu"},
		{"window 1/1", Up, Rule{Need: 1, Of: 1}, "-+-", "dud"},
		{"the widest window", Up, Rule{Need: 64, Of: 64}, "-", "d"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := Assume(c.start)
			var got strings.Builder
			for _, r := range c.results {
				h = h.Next(r == '+', c.rule)
				got.WriteByte(h.State.String()[0])
			}
			testkit.Equal(t, got.String(), c.want, c.results, "gives")
		})
	}
}

// A reload gives a server another rule. What its results were before counts on, and results that are not known count
// like its state.
func TestAReloadChangesTheRule(t *testing.T) {
	window := func(need, of int) Rule { return Rule{Fall: 1, Rise: 1, Need: need, Of: of} }
	for _, c := range []struct {
		name          string
		before, after Rule
		results, then string
		want          string
	}{
		{"a larger window", window(2, 3), window(8, 10), "+++", "+--", "uuu"},
		{"what failed counts on", window(2, 3), window(8, 10), "++-", "--", "ud"},
		{"a larger window of a server that is down", window(2, 3), window(3, 4), "--", "+++", "ddu"},
		{"the widest", window(2, 3), window(64, 64), "+++", "+-", "ud"},
		{"a smaller window", window(8, 10), window(2, 3), "-+++++", "+-", "uu"},
		{"a stricter one: a success takes nothing out", window(3, 10), window(4, 4), "++-+", "+++-", "uuud"},
		{"a laxer one: a failure brings nothing back", window(5, 5), window(2, 5), "++++-", "--+", "ddu"},
		{"no window any more", window(7, 10), Rule{Fall: 3, Rise: 1}, "-+-+-+", "--+---", "uuuuud"},
		{"and one again", Rule{Fall: 3, Rise: 1}, window(2, 3), "--+--", "-+-", "uud"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := Assume(Up)
			for _, r := range c.results {
				h = h.Next(r == '+', c.before)
			}
			var got strings.Builder
			for _, r := range c.then {
				h = h.Next(r == '+', c.after)
				got.WriteByte(h.State.String()[0])
			}
			testkit.Equal(t, got.String(), c.want, "the states")
		})
	}
}

func TestSoftCountsTowardsTheLimit(t *testing.T) {
	h, r := Assume(Up), Rule{Fall: 4, Rise: 1}
	for i := 1; i < 4; i++ {
		h = h.Next(false, r)
		if n, of := h.Soft(r); n != i || of != 4 {
			t.Errorf("failure %d: %d/%d", i, n, of)
		}
	}
	w := Rule{Need: 7, Of: 10}
	h = Assume(Up).Next(false, w)
	if n, of := h.Soft(w); n != 1 || of != 4 {
		t.Errorf("window: %d/%d, want 1/4", n, of)
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
