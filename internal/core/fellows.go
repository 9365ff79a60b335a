package core

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ldirectord/internal/view"
)

// This file compares what the servers of a section show of themselves, and finds those that differ. It decides nothing.

// trait is a property in which the servers of a section should be alike.
type trait int

const (
	certificate trait = iota
	version
	delay
	share
	traits
)

// fewest is the number of servers that must pass their checks before servers are compared. In a smaller section, all
// must pass. Times of answers are compared only if this many servers show one.
const fewest = 3

// shown holds what the checks and the table show about a server. If nothing is known, all fields are zero.
type shown struct {
	known bool // its last checks passed
	certs certificates
	text  string // what the directive same finds in its answer; "": nothing
	took  uint32 // the mean time of its last answers, in microseconds; 0: not known
	// its share of the new connections in percent, and the share that its weight should give it; 0 if not known
	got, due uint8
	fresh    bool // it has too few answers for a mean
}

// certificates describes the certificates that the checks of a server see.
type certificates struct {
	sum  uint32 // a checksum; 0: there are none
	ends int64  // when the first of them expires, as checker.Result.CertEnd
}

// answers averages the durations of successful checks in microseconds, ten at a time.
type answers struct {
	mean uint32 // of the last full ten; 0: there were fewer
	sum  uint32 // of those since
	n    uint8
}

func (a *answers) add(took time.Duration) {
	const kept, most = 10, 5 * time.Minute
	a.sum, a.n = a.sum+uint32(min(took, most).Microseconds()), a.n+1
	if a.n == kept {
		*a = answers{mean: max(a.sum/kept, 1)}
	}
}

// usual is the value that more than half of the servers show.
type usual[T comparable] struct {
	value   T   // the zero value: no majority
	has, of int // how many servers show value, and how many show any
}

// usualOf finds the value that more than half of the servers show. It ignores servers that show none.
func usualOf[T comparable](all []shown, show func(*shown) T) (u usual[T]) {
	var none T
	have := map[T]int{}
	for i := range all {
		one := show(&all[i])
		if one == none {
			continue
		}
		u.of++
		if have[one]++; have[one] > u.has {
			u.value, u.has = one, have[one]
		}
	}
	if 2*u.has <= u.of { // so one of two never differs
		u.value = none
	}
	return u
}

// lacks reports whether a server shows a value other than the usual one.
func (u usual[T]) lacks(one T) bool {
	var none T
	return one != none && u.value != none && one != u.value
}

// norm is what a section's servers usually show.
type norm struct {
	certs usual[certificates]
	text  usual[string]
	took  []uint32 // the times of all, sorted
}

// normOf computes the norm. It uses times as a buffer for the times of all servers.
func normOf(all []shown, times []uint32) norm {
	for _, s := range all {
		if s.took > 0 {
			times = append(times, s.took)
		}
	}
	slices.Sort(times)
	return norm{
		certs: usualOf(all, func(s *shown) certificates { return s.certs }),
		text:  usualOf(all, func(s *shown) string { return s.text }),
		took:  times,
	}
}

// differs describes each trait in which a server differs from the norm. For the other traits, the text is "".
func (n *norm) differs(s *shown, now time.Time) (says [traits]string) {
	if n.certs.lacks(s.certs) {
		says[certificate] = fmt.Sprintf("shows a different certificate from %d of %d (%s; theirs %s)",
			n.certs.has, n.certs.of, ends(s.certs.ends, now),
			strings.TrimPrefix(ends(n.certs.value.ends, now), "ends "))
	}
	if n.text.lacks(s.text) {
		says[version] = fmt.Sprintf(`shows "%s", but %d of %d show "%s"`, s.text, n.text.has, n.text.of,
			n.text.value)
	}
	if len(n.took) >= fewest {
		others := n.took[(len(n.took)-1)/2] // the median of the others, if s is above it
		if s.took > 3*others && s.took > others+50_000 {
			says[delay] = fmt.Sprintf("answers in %v, the others in %v", inMillis(s.took), inMillis(others))
		}
	}
	got, due := int(s.got), int(s.due)
	if apart := max(got-due, due-got); due > 0 && 2*apart >= due && apart >= 10 {
		says[share] = fmt.Sprintf("gets %d %% of the new connections and should get %d %%", got, due)
	}
	return says
}

func inMillis(micros uint32) time.Duration { return time.Duration(micros/1000) * time.Millisecond }

// ends describes in how many days a certificate expires, or how many days ago it expired.
func ends(at int64, now time.Time) string {
	const day = 24 * time.Hour
	left := time.Unix(at, 0).Sub(now)
	if left < 0 {
		return "ended " + view.Plural(int(-left/day), "day") + " ago"
	}
	return "ends in " + view.Plural(int(left/day), "day")
}
