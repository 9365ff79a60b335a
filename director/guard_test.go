package director

import (
	"fmt"
	"net/netip"
	"testing"

	"ldirectord/checker"
	"ldirectord/checker/health"
	"ldirectord/lvs"
	"ldirectord/parser"
)

// Four servers fail and come back, in every order and with every mixture of failures: as long as two were up, two serve;
// nobody who fails is put back; those who can't be connected go before those who answer wrongly.
func TestGuardInEveryOrder(t *testing.T) {
	for failing := range orders(4) {
		for returning := range orders(4) {
			for wrong := range 1 << 4 {
				if why := failAndReturn(failing, returning, wrong); why != "" {
					t.Fatalf("fail %v, return %v, wrong answers %04b: %s", failing, returning, wrong, why)
				}
			}
		}
	}
}

func failAndReturn(failing, returning []int, wrong int) string {
	v := &virtual{cfg: &parser.Virtual{Settings: parser.Settings{KeepServing: lvs.Share{N: 50, Percent: true}}}}
	for i := range 4 {
		s := &server{real: &parser.Real{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, 0, byte(i)}), 80)}, entered: true}
		s.dest.Weight, s.first.task = 1, &checker.Task{}
		s.assume(health.Assume(health.Up))
		v.servers = append(v.servers, s)
	}
	down := map[*server]bool{}
	for _, i := range failing {
		s := v.servers[i]
		served := v.serves(s)
		s.assume(health.Assume(health.Down))
		s.first.holdout = notReached
		if wrong&(1<<i) != 0 {
			s.first.holdout = wrongAnswer
		}
		down[s] = true
		v.follow(s, served)
		if why := v.unguarded(nil, down); why != "" {
			return "after the failure of " + s.name() + ": " + why
		}
	}
	for _, i := range returning {
		s := v.servers[i]
		before := map[*server]bool{}
		for _, other := range v.servers {
			before[other] = v.serves(other)
		}
		s.assume(health.Assume(health.Up))
		delete(down, s)
		v.follow(s, before[s])
		if why := v.unguarded(before, down); why != "" {
			return "after the return of " + s.name() + ": " + why
		}
	}
	return ""
}

// unguarded says what is wrong with who serves. Before is who served before a server came back.
func (v *virtual) unguarded(before, down map[*server]bool) string {
	v.release()
	serving, worst := 0, notReached
	for _, s := range v.servers {
		switch {
		case v.serves(s):
			serving++
		case !down[s]:
			return s.name() + " is up and out"
		case before == nil || before[s]:
			worst = max(worst, s.first.holdout)
		}
		if before != nil && v.serves(s) && !before[s] && down[s] {
			return s.name() + " fails and was put back"
		}
	}
	for _, s := range v.servers {
		if before != nil && s.held && s.first.holdout < worst {
			return s.name() + " is held, and one that answers is not"
		}
	}
	if want := max(2, len(v.servers)-len(down)); serving != want {
		return fmt.Sprintf("%d serve, want %d", serving, want)
	}
	return ""
}

// orders are all sequences of the numbers below n.
func orders(n int) func(func([]int) bool) {
	return func(yield func([]int) bool) {
		var extend func(done []int) bool
		extend = func(done []int) bool {
			if len(done) == n {
				return yield(append([]int(nil), done...))
			}
			used := map[int]bool{}
			for _, i := range done {
				used[i] = true
			}
			for i := range n {
				if !used[i] && !extend(append(done[:len(done):len(done)], i)) {
					return false
				}
			}
			return true
		}
		extend(nil)
	}
}
