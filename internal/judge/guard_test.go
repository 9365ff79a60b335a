package judge

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"ldirectord/internal/health"
)

// Four servers fail and come back, in every order and with every mixture of failures. While two were up, two serve. No
// failing server is put back. Servers that can't be reached are removed before those that answer wrongly.
func TestGuardInEveryOrder(t *testing.T) {
	for _, failing := range orders(0, 1, 2, 3) {
		for _, returning := range orders(0, 1, 2, 3) {
			for wrong := range 1 << 4 {
				if why := failAndReturn(failing, returning, wrong); why != "" {
					t.Fatalf("fail %v, return %v, wrong answers %04b: %s", failing, returning,
						wrong, why)
				}
			}
		}
	}
}

func failAndReturn(failing, returning []int, wrong int) string {
	c := sectionWith("servers=1/1/1/1, keepserving=50%, lost")
	for _, i := range failing {
		loss := NotReached
		if wrong&(1<<i) != 0 {
			loss = WrongAnswer
		}
		c.Result(&c.Servers[i], &c.Servers[i].First, false, loss)
		if why := unguarded(&c, nil); why != "" {
			return fmt.Sprintf("after the failure of %d: %s", i, why)
		}
	}
	for _, i := range returning {
		before := make([]bool, 4)
		for other := range before {
			before[other] = c.Serves(&c.Servers[other])
		}
		c.Result(&c.Servers[i], &c.Servers[i].First, true, 0)
		if why := unguarded(&c, before); why != "" {
			return fmt.Sprintf("after the return of %d: %s", i, why)
		}
	}
	return ""
}

// unguarded returns what is wrong with the set of servers that serve. Before has the servers that served before one
// came back.
func unguarded(c *Case, before []bool) string {
	c.Adopt(Decide(*c, time.Time{}).State)
	serving, down, worst := 0, 0, NotReached
	for s := range c.all() {
		i := s.At
		fails := s.Health() == health.Down
		if fails {
			down++
		}
		switch {
		case c.Serves(s):
			serving++
		case !fails:
			return fmt.Sprintf("%d is up and out", i)
		case before == nil || before[i]:
			worst = max(worst, s.First.Loss)
		}
		if before != nil && c.Serves(s) && !before[i] && fails {
			return fmt.Sprintf("%d fails and was put back", i)
		}
	}
	for s := range c.all() {
		i := s.At
		if before != nil && s.Held && s.First.Loss < worst {
			return fmt.Sprintf("%d is held, and one that answers is not", i)
		}
	}
	if want := max(2, len(c.Servers)-down); serving != want {
		return fmt.Sprintf("%d serve, want %d", serving, want)
	}
	return ""
}

// orders are all sequences of these numbers.
func orders(of ...int) (all [][]int) {
	if len(of) == 0 {
		return [][]int{nil}
	}
	for i, first := range of {
		for _, rest := range orders(slices.Delete(slices.Clone(of), i, i+1)...) {
			all = append(all, append([]int{first}, rest...))
		}
	}
	return all
}
