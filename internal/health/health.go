// Package health decides whether a server is up by counting the results of one check, and which of the server's own
// reports apply. It implements failurecount, risecount and window.
package health

import (
	"cmp"
	"math/bits"
)

// State is what checks have shown about a server.
type State uint8

// A server is Unknown until its first result.
const (
	Unknown State = iota
	Up
	Down
)

func (s State) String() string {
	return [...]string{"unknown", "up", "down"}[s]
}

// Rule defines when results change a state. Without a window, the state changes after Fall failures or Rise successes
// in a row. With a window, the server is up while at least Need of its last Of results are successes, and Fall and Rise
// have no effect.
type Rule struct {
	Fall, Rise int // without a window, at least 1
	Need, Of   int // 1 <= Need <= Of <= 64; both 0 without a window
}

// Health is the state of a server according to one check, with the results that led to it. The zero value is Unknown.
// Next does not change a Health but returns a new one.
type Health struct {
	State  State
	of     uint8  // how many results are in window
	Streak int32  // results against State: in a row or, with a window, anywhere in it
	window uint64 // the last results, one bit each: 1 is a success, and bit 0 is the newest
}

// Assume returns the health of a server whose state is known from another source, such as the table of the previous
// daemon.
func Assume(s State) Health { return Health{State: s} }

// Next returns the health after one more result. The first result decides the state of an unknown server.
func (h Health) Next(ok bool, r Rule) Health {
	if h.State == Unknown {
		return Health{State: stateOf(ok)}
	}
	if r.Of > 0 {
		return h.slide(ok, r)
	}
	if h.of > 0 { // a reload took the window rule away
		h = Assume(h.State)
	}
	if ok == (h.State == Up) {
		h.Streak = 0
		return h
	}
	if h.Streak++; int(h.Streak) < h.Turns(r) {
		return h
	}
	return Health{State: stateOf(ok)}
}

// slide does what Next does, but under a window rule. While the window is not full, the missing results are assumed to
// agree with the state.
func (h Health) slide(ok bool, r Rule) Health {
	mask := uint64(1)<<(r.Of-1)<<1 - 1
	if h.State == Up {
		h.window |= mask &^ (uint64(1)<<h.of - 1)
	}
	h.of = uint8(r.Of)
	h.window = h.window << 1 & mask
	if ok {
		h.window |= 1
	}
	passed := bits.OnesCount64(h.window)
	h.Streak = int32(passed)
	if h.State == Up {
		h.Streak = int32(r.Of - passed)
	}
	// after a reload changed the rule, old results alone change nothing
	if now := stateOf(passed >= r.Need); now != h.State && now == stateOf(ok) {
		h.State, h.Streak = now, 0
	}
	return h
}

// Doubted reports whether the last result contradicts the state.
func (h Health) Doubted(ok bool) bool { return h.State != Unknown && ok != (h.State == Up) }

// Limit returns how many failures take down a server that is up.
func (r Rule) Limit() int {
	if r.Of > 0 {
		return r.Of - r.Need + 1
	}
	return r.Fall
}

// Turns returns how many results it takes to change the state. These are failures if the server is up, otherwise
// successes.
func (h Health) Turns(r Rule) int {
	if h.State == Up {
		return r.Limit()
	}
	return cmp.Or(r.Need, r.Rise) // without a window Need is 0
}

func stateOf(ok bool) State {
	if ok {
		return Up
	}
	return Down
}
