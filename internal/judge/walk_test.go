package judge

import (
	"fmt"
	"math/bits"
	"net/netip"
	"os"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/lab/always"
)

type addrPort = netip.AddrPort

// walk is a slice that is being walked: all worlds that were met, and how.
type walk struct {
	sl      *slice
	seen    map[[2]uint64]bool // hashes of worlds
	edges   []edge             // for each world: what first led to it
	queue   []words            // worlds whose events are still to be tried
	tried   int                // worlds that left the queue
	steps   int
	depth   int
	broken  map[string]bool
	report  func(string)
	sampled int
	scratch []event
	moments [2]always.Moment // the one before a step, and the last one
}

type edge struct{ from, event uint32 }

const noWorld = ^uint32(0)

// run walks a slice until no new worlds are found, or there are more than limit. It reports whether it ended.
func (sl *slice) run(limit int, report func(string)) (*walk, bool) {
	k := &walk{sl: sl, seen: map[[2]uint64]bool{}, broken: map[string]bool{}, report: report}
	for _, root := range sl.roots() {
		k.meet(root, nil, event{}, noWorld)
	}
	levelEnd := len(k.edges)
	for len(k.queue) > 0 {
		if len(k.edges) > limit {
			return k, false
		}
		if k.tried == levelEnd {
			levelEnd = len(k.edges)
			k.depth++
		}
		from := k.queue[0]
		k.queue = k.queue[1:]
		k.try(from, uint32(k.tried))
		k.tried++
	}
	return k, true
}

// try applies each possible event to a world.
func (k *walk) try(from words, id uint32) {
	before := k.sl.decode(from)
	before.look(&k.moments[0])
	k.scratch = before.events(k.scratch[:0])
	for _, e := range k.scratch {
		ops := k.step(before, e, id)
		for at := 0; at < ops && k.sl.has(crashes); at++ {
			for kind := refused; kind < mishapKinds; kind++ {
				e.mishap = mishap{kind, at}
				k.step(before, e, id)
			}
		}
	}
}

// step applies one event, and returns the number of operations that it took.
func (k *walk) step(before *world, e event, id uint32) (ops int) {
	k.steps++
	after := before.fork()
	after.apply(e)
	ops = len(after.did)
	k.meet(after, before, e, id)
	return ops
}

// meet adds a world, if it is new.
func (k *walk) meet(w, before *world, e event, from uint32) {
	to := w.look(&k.moments[1])
	if before != nil {
		s := &step{before, w, &k.moments[0], to, e}
		for _, p := range predicates {
			k.complain(p.number, p.says(s), from, e)
		}
		facts := &always.Step{Before: s.from, After: to, Cause: e.cause()}
		facts.Ask(func(n int, what string) { k.complain(n, what, from, e) })
	}
	code := w.encode()
	hash := code.hash()
	if k.seen[hash] {
		return
	}
	k.seen[hash] = true
	id := uint32(len(k.edges))
	k.edges, k.queue = append(k.edges, edge{from, e.pack()}), append(k.queue, code)
	if k.sampled++; k.sampled < 3000 || k.sampled%64 == 0 {
		k.compare(w, code)
	}
	k.rest(w, code, id)
}

// compare checks that the key of a world contains everything.
func (k *walk) compare(w *world, code words) {
	again := k.sl.decode(code)
	now := *w
	now.reported, now.did = Decision{}, nil
	now.Servers = slices.Clone(now.Servers)
	for i := range now.Servers {
		now.Servers[i].Why, now.Servers[i].Until = 0, time.Time{} // which the next decision sets anew
	}
	if len(now.table) == 0 {
		now.table, again.table = nil, nil
	}
	if len(now.Departing) == 0 {
		now.Departing = nil
	}
	if now.Have != nil && len(now.Have) == 0 {
		now.Have = again.Have
	}
	if len(now.Last) == 0 && (now.Last == nil) == (again.Last == nil) {
		now.Last = again.Last
	}
	if !reflect.DeepEqual(&now, again) {
		panic(fmt.Sprintf("%s: the key lacks something:\n%+v\n%+v", k.sl.name(), now.State, again.State))
	}
}

// rest checks a world in which the director has nothing left to do, and that each world gets there.
func (k *walk) rest(w *world, code words, id uint32) {
	w.did = nil
	if !w.serves() && (w.dead || w.IsOurs()) {
		for range 3 {
			w.calm()
		}
		if !w.serves() {
			k.complain(11, "not settled after three rounds: "+w.describe(), id, event{})
			return
		}
		code = w.encode()
		w.did = nil
	}
	if w.sync(mishap{}); len(w.did) > 0 {
		k.complain(8, "without a cause: "+strings.Join(w.did, ", "), id, event{})
	}
	if w.settle(); w.encode() != code {
		k.complain(8, "the same facts give another state", id, event{})
	}
	if !w.serves() {
		return
	}
	m := w.look(&k.moments[1])
	k.complain(12, tellsWhy(w, m), id, event{})
	m.Ask(func(n int, what string) { k.complain(n, what, id, event{}) })
}

// calm is a round without mishaps.
func (w *world) calm() {
	switch {
	case w.dead:
		w.begin(mishap{})
	case w.failed:
		w.failed = false
		w.sync(mishap{})
	default:
		w.lookAtTable(mishap{})
	}
	w.settle()
}

// complain reports a broken predicate, once, with its shortest sequence.
func (k *walk) complain(predicate int, what string, from uint32, last event) {
	if what == "" {
		return
	}
	about := fmt.Sprintf("%d, %s: %s", predicate, always.Says[predicate], what)
	if k.broken[about] {
		return
	}
	k.broken[about] = true
	k.report(fmt.Sprintf("%s\n  %s\n%s", k.sl.name(), about, k.story(from, last)))
}

// story is the sequence that led to a world, as a scenario.
func (k *walk) story(to uint32, last event) string {
	var events []event
	if last != (event{}) {
		events = append(events, last)
	}
	for k.edges[to].from != noWorld {
		events = append(events, unpack(k.edges[to].event))
		to = k.edges[to].from
	}
	slices.Reverse(events)
	return k.sl.scenario(k.sl.roots()[to], events)
}

// TestWalk walks each capability alone and some pairs; with -short only the first. With WALK=1/4 it walks the first
// quarter of all pairs, and of the triples with guard, hand, reload and crash. Otherwise WALK is the name of one slice,
// as printed.
func TestWalk(t *testing.T) {
	asked, alone := os.Getenv("WALK"), raced || testing.Short()
	was := debug.SetGCPercent(800) // little of what a step allocates is kept
	t.Cleanup(func() { debug.SetGCPercent(was) })
	part, parts := 0, 1
	_, _ = fmt.Sscanf(asked, "%d/%d", &part, &parts)
	for i, sl := range everySlice() {
		name := sl.name()
		if (part == 0 || i%max(parts, 1) != part-1) && name != asked &&
			(asked != "" || !sl.isQuick() || alone && sl.checks+bits.OnesCount32(uint32(sl.has_)) > 2) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			k, ended := sl.run(maxStates, func(text string) {
				fmt.Printf("complaint of %s:\n%s\n", name, text) // t.Error is shown hours later
				t.Fail()
			})
			state := "walked"
			if !ended {
				state = "NOT FINISHED"
			}
			fmt.Printf("%-12s %9d states %10d steps %3d deep %8v  %s\n", state, len(k.edges), k.steps,
				k.depth,
				time.Since(began).Round(time.Millisecond), name+sl.bound())
		})
	}
}

// raced: with the race detector only each capability alone is walked. It is slow, and there is no concurrency to
// check.
var raced bool

// maxStates limits a slice: it takes at most an hour on one processor, and two at a time fit into 4 GB.
const maxStates = 8_000_000
