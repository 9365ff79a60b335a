package judge

import (
	"math/bits"
	"slices"
	"strings"

	"ldirectord/internal/health"
)

// capability is a feature of a section, or something that may happen to it.
type capability uint32

const (
	guarded capability = 1 << iota
	quiescent
	fallback_
	ordering
	maintained
	hand
	repair
	moved_
	found_
	rerouted_
	departures
	together_
	strength
	reload
	crashes
	standby
	windows
	off_
	brake
	slow
	holddown
	paced
	pacedOut
	tells
	backup_
	timed
	cuts
	observed_
	// a reload takes away the directives of the slice, and another one brings them back
	policy
	storied                 = iota // those that testdata/stories has
	byOrdered    capability = 1 << (iota - 1)
	capabilities            = iota - 1
)

// policies are the directives that a reload may add and take away.
const policies = guarded | quiescent | strength | slow | holddown | byOrdered | paced | pacedOut | timed | cuts |
	observed_

var capabilityNames = [capabilities]string{"guard", "quiescent", "fallback", "orders", "maintenance", "hand", "repair",
	"moved", "found", "rerouted", "leavers", "together", "strength", "reload", "crash", "standby", "window", "off",
	"brake",
	"slowstart", "holddown", "pace", "paceout",
	"told", "backup", "onfail", "cut", "observe", "policy", "comeback"}

// slice is a set of worlds with some capabilities, which is walked to its end.
type slice struct {
	has_     capability
	checks   int
	configs  map[shape]*config
	rule     health.Rule
	healths  []health.Health // all possible ones, and the index of each
	places   map[health.Health]uint8
	tellings []health.Telling // the same for the words of servers
	spoken   map[health.Telling]uint8
	causes   [Off + 1][64]string
}

func (sl *slice) has(c capability) bool { return sl.has_&c != 0 }

func (sl *slice) name() string {
	var names []string
	for i, name := range capabilityNames {
		if sl.has(1 << i) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		names = []string{"checks alone"}
	}
	if sl.checks > 1 {
		names = append(names, "two checks")
	}
	return strings.Join(names, ", ")
}

func newSlice(has capability, checks int) *slice {
	sl := &slice{has_: has, checks: checks, configs: map[shape]*config{}, rule: health.Rule{Fall: 2, Rise: 2},
		places: map[health.Health]uint8{}, spoken: map[health.Telling]uint8{}}
	if sl.has(repair) {
		sl.has_ |= hand
	}
	if sl.has(observed_) { // it needs holddown
		sl.has_ |= holddown
	}
	if sl.countsOne() {
		sl.rule.Fall, sl.rule.Rise = 1, 1
	}
	if sl.has(windows) {
		sl.rule.Need, sl.rule.Of = 2, 3
	}
	sl.note(health.Health{})
	sl.note(health.Assume(health.Up))
	sl.noteTelling(health.Telling{})
	return sl
}

// note lists a health and all that may follow it.
func (sl *slice) note(h health.Health) {
	if _, in := sl.places[h]; in {
		return
	}
	sl.places[h] = uint8(len(sl.healths))
	sl.healths = append(sl.healths, h)
	for _, ok := range []bool{true, false} {
		next := h.Next(ok, sl.rule)
		sl.note(next)
	}
}

// noteTelling lists the words of a server and all that may follow them.
func (sl *slice) noteTelling(now health.Telling) {
	if _, in := sl.spoken[now]; in {
		return
	}
	sl.spoken[now] = uint8(len(sl.tellings))
	sl.tellings = append(sl.tellings, now)
	for _, reported := range sl.answers() {
		sl.noteTelling(now.Next(reported, sl.rule))
		sl.noteTelling(now.Next(reported, health.Rule{Fall: 1}))
	}
	sl.noteTelling(health.Tells(now.Words))
}

// answers are what a server's answer may have: ready, drain, half of the weight, maint, no word.
func (sl *slice) answers() (all []health.Report) {
	if !sl.has(tells) {
		return nil
	}
	all = append(all, reported(health.Ready, 100), reported(health.Drain, 100), reported(health.Ready, 50))
	if sl.has_ == tells {
		all = append(all, reported(health.Maint, 100))
	}
	if sl.has_ == tells && sl.checks > 1 {
		all = append(all, health.Report{Silent: true})
	}
	return all
}

func reported(admin health.Admin, percent uint8) health.Report {
	return health.Report{Admin: admin, Weighs: true, Percent: percent}
}

// directives are those of capabilities, with times in ticks.
var directives = []struct {
	of     capability
	script string
}{
	{quiescent | together_, "quiescent"}, {repair, "repair"}, {guarded, "keepserving=50%"},
	{departures, "draintime=2"}, {slow, "slowstart=3"}, {paced, "pace=1/1"}, {pacedOut, "paceout=1/1"},
	{holddown, "holddown=1,2"}, {byOrdered, "comeback=order"},
	{observed_, "observe=out holddown=1,1"}, {cuts, "onfail=cut"}, {timed, "onfail=2"},
	{strength, "minservers=1/2"},
}

// section is the section of the slice, without members. Plain: the file has none of the policies.
func (sl *slice) section(plain bool) *Section {
	s := &Section{Rule: sl.rule, Announce: sl.has(together_ | strength)}
	if plain {
		without := *sl
		without.has_ &^= policies
		sl = &without
	}
	if sl.has(fallback_) {
		s.Fallbacks, s.NoFallback = []*Member{{Dest: destAt(sorry, false, 1), Unchecked: true}}, sl.has(off_)
	}
	for _, d := range directives {
		if sl.has(d.of) {
			(&Case{Section: s}).given(d.script)
		}
	}
	return s
}

// roots are the worlds before the first daemon starts. The table is empty, has the first server, has both servers, or
// has the backup server alone.
func (sl *slice) roots() (all []*world) {
	for n := range 3 + bit(sl.has(backup_)) {
		w := &world{sl: sl, dead: true, there: n > 0}
		for i := range w.lines {
			w.lines[i] = line{in: true, weight: uint8(max(1+2*bit(sl.has(slow)), 1+bit(sl.has(tells))))}
		}
		w.lines[1].waits, w.lines[1].backup = sl.has(found_), sl.has(backup_)
		if n == 1 || n == 2 {
			w.table.Put(destAt(atA, false, 1))
		}
		if n > 1 {
			w.table.Put(destAt(atB, false, 1))
		}
		w.use()
		all = append(all, w)
	}
	return all
}

// isTriple: with three capabilities, not all events of both servers can be walked.
func (sl *slice) isTriple() bool { return bits.OnesCount32(uint32(sl.has_&^(repair|observed_))) > 2 }

// countsOne: triples and observed servers can't be walked with failurecount and risecount above 1.
func (sl *slice) countsOne() bool {
	return sl.has(observed_) || sl.isTriple() && sl.has(holddown|tells)
}

// looksAtOne: with a capability besides holddown, only the packets of one server can be walked.
func (sl *slice) looksAtOne() bool { return sl.has(observed_) && sl.has_&^(observed_|holddown) != 0 }

// bound names the events that a slice leaves out, because it would be too large.
func (sl *slice) bound() (text string) {
	if sl.isTriple() && sl.has(reload) {
		text += "; the file gives A alone another weight"
	}
	if sl.has(tells) && sl.has_ != tells {
		text += "; no server reports maint"
	}
	if sl.isTriple() && sl.has(hand) {
		text += "; by hand no change of B alone"
	}
	if sl.countsOne() {
		text += "; failurecount and risecount are 1"
	}
	if sl.looksAtOne() {
		text += "; A alone is observed"
	}
	if sl.checks > 1 && sl.has(brake) {
		text += "; the second check does not fail through the virtual address alone"
	}
	return text
}

// isQuick reports whether go test walks a slice: each capability alone, and a few pairs.
func (sl *slice) isQuick() bool {
	switch n := bits.OnesCount32(uint32(sl.has_)); {
	case sl.has(policy):
		return n == 2 || sl.has_ == policy|observed_|holddown
	case sl.has_ == hand|repair && sl.checks == 1, n < 2 && sl.checks == 1:
		return true
	case sl.has(observed_):
		return n == 2 && sl.checks == 1
	case sl.has(tells) && n == 2:
		return slices.Contains([]capability{guarded | tells, quiescent | tells, fallback_ | tells,
			together_ | tells,
			windows | tells, slow | tells}, sl.has_)
	case sl.checks > 1:
		return n < 2 && !sl.has(tells|guarded|hand|reload|moved_|rerouted_|brake|pacedOut)
	case n == 2 && sl.has(timed|cuts):
		return sl.has(guarded | quiescent | reload | crashes | holddown)
	case n == 2 && sl.has(pacedOut):
		return sl.has(guarded)
	case n == 2 && sl.has(backup_):
		return sl.has(guarded | quiescent | fallback_ | reload | crashes | found_ | departures | hand)
	case n == 2 && sl.has(holddown|byOrdered|paced):
		return sl.has(guarded|strength|standby) || sl.has_&(holddown|byOrdered|paced) == sl.has_ ||
			sl.has_ == reload|byOrdered
	case n == 2:
		return sl.has(slow) || !sl.has(hand|repair|reload|rerouted_|moved_|ordering) ||
			slices.Contains([]capability{guarded | reload, guarded | moved_, guarded | hand,
				guarded | ordering, guarded | rerouted_,
				fallback_ | reload, fallback_ | hand, hand | found_, hand | together_,
				ordering | brake}, sl.has_)
	}
	return false
}

// everySlice is each capability alone, with one and with two checks, all pairs, and any two of guard, hand, reload and
// crash with any third. Repair includes hand. A policy is walked with its reload, and with each of these four besides.
func everySlice() (all []*slice) {
	sets := []capability{0}
	for at := 0; at < len(sets); at++ { // the loop appends to sets
		has := sets[at]
		for i := bits.Len32(uint32(has)); i < capabilities && bits.OnesCount32(uint32(has)) < 3; i++ {
			sets = append(sets, has|1<<i)
		}
		core := bits.OnesCount32(uint32(has & (guarded | hand | reload | crashes)))
		twice := has&(hand|repair) == hand|repair || has&(observed_|holddown) == observed_|holddown
		switch n := bits.OnesCount32(uint32(has)); {
		case has&policy != 0 && (has&policies == 0 || n == 3 && core == 0):
		case has&policy != 0 && n == 3 && !twice && has&(timed|cuts) != timed|cuts:
			all = append(all, newSlice(has, 1))
		case n < 2:
			all = append(all, newSlice(has, 1), newSlice(has, 2))
		case has&(timed|cuts) == timed|cuts: // a section has one of them
		case !twice && (n == 2 || n == 3 && core > 1):
			all = append(all, newSlice(has, 1))
		}
	}
	return all
}
