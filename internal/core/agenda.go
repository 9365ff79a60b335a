package core

import (
	"cmp"
	"container/heap"
	"slices"
	"time"
)

// agenda lists the virtual services that a wake-up has to look at: those that are due or may be due at any moment, and
// those that become due at a set time. A wake-up spends no time on the others.
type agenda struct {
	open  []*virtual
	timed byTime
	spare []*virtual // memory for the next list
}

// post is the place of a virtual service on the agenda.
type post struct {
	agenda *agenda // nil: it is not in force yet, or no longer
	nth    int32   // its place in the file
	slot   int32   // in the heap, counted from 1; 0: it is not there
	isOpen bool
}

// enter puts the virtual services of a plan on the agenda, and takes the former plan's virtual services off it.
func (a *agenda) enter(virtuals, former []*virtual) {
	for _, v := range former {
		v.post = post{}
	}
	*a = agenda{open: slices.Clone(virtuals)}
	for i, v := range virtuals {
		v.post = post{agenda: a, nth: int32(i), isOpen: true}
		v.wakeAt(v.again)
	}
}

// take returns the virtual services that are open or have become due, in the order of the file. After handling them,
// the caller calls giveBack.
func (a *agenda) take(now time.Time) []*virtual {
	for isDue(a.next(), now) {
		heap.Pop(&a.timed).(*virtual).touch()
	}
	taken := a.open
	a.open = a.spare[:0]
	slices.SortFunc(taken, inTheFile)
	for _, v := range taken {
		v.isOpen = false
	}
	return taken
}

// inTheFile compares the places of two virtual services in the file.
func inTheFile(x, y *virtual) int { return cmp.Compare(x.nth, y.nth) }

// giveBack reopens each taken virtual service that is still due or may become due at any moment.
func (a *agenda) giveBack(taken []*virtual) {
	for _, v := range taken {
		if v.dirty || v.Gathers() || v.Obeys || v.isUnweighed() {
			v.look()
		}
	}
	a.spare = taken
}

// next returns the time at which the first virtual service becomes due without an event, or zero if none does.
func (a *agenda) next() time.Time {
	if len(a.timed) == 0 {
		return time.Time{}
	}
	return a.timed[0].again
}

// look makes the next wake-up look at a virtual service.
func (v *virtual) look() {
	if v.agenda != nil && !v.isOpen {
		v.isOpen = true
		v.agenda.add(v)
	}
}

func (a *agenda) add(v *virtual) { a.open = append(a.open, v) }

// touch makes a virtual service due, so that the writer updates it in the table.
func (v *virtual) touch() {
	v.dirty = true
	v.look()
}

// unweigh makes sure that the strength of a virtual service is counted again.
func (v *virtual) unweigh() {
	v.weighed = false
	v.look()
}

// isUnweighed reports whether the strength of a virtual service matters and has to be counted again.
func (v *virtual) isUnweighed() bool {
	return !v.weighed && (v.Config.Announce != "" || v.Config.MinServers.Low.N > 0)
}

// wakeAt sets the time at which a virtual service becomes due without an event. Zero means never.
func (v *virtual) wakeAt(at time.Time) {
	if v.slot > 0 {
		heap.Remove(&v.agenda.timed, int(v.slot-1))
	}
	if v.again = at; v.agenda != nil && !at.IsZero() {
		heap.Push(&v.agenda.timed, v)
	}
}

// sooner makes a virtual service due at the given time, unless it is due earlier.
func (v *virtual) sooner(at time.Time) { v.wakeAt(earliest(v.again, at)) }

// byTime is a heap whose first element is the virtual service that is due next.
type byTime []*virtual

func (h byTime) Len() int           { return len(h) }
func (h byTime) Less(i, j int) bool { return h[i].again.Before(h[j].again) }

func (h byTime) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].slot, h[j].slot = int32(i+1), int32(j+1)
}

// Push implements heap.Interface.
func (h *byTime) Push(v any) {
	*h = append(*h, v.(*virtual))
	(*h)[len(*h)-1].slot = int32(len(*h))
}

// Pop implements heap.Interface.
func (h *byTime) Pop() any {
	last := len(*h) - 1
	v := (*h)[last]
	(*h)[last] = nil
	*h, v.slot = (*h)[:last], 0
	return v
}
