package core

import (
	"slices"

	"ldirectord/internal/plan"
	"ldirectord/parser"
)

// This file removes virtual services that are no longer configured. They continue to serve until their replacement is
// ready.

// disown queues for removal the owned virtual services that the plan does not keep in the table. It takes out of the
// queue those that the plan keeps. owned lists those that this director or the previous daemon added.
func (w *writer) disown(owned []*virtual) {
	kept := byKey(those(w.virtuals, (*virtual).Keeps))
	w.purges = slices.DeleteFunc(w.purges, func(p *virtual) bool {
		if kept[p.Key()] == nil {
			return false
		}
		owned = append(owned, p)
		return true
	})
	announced := w.announcer.byKey()
	for _, was := range owned {
		if v := kept[was.Key()]; v != nil {
			v.LeftIn = w.standby
		} else {
			w.discard(was, announced[was.Key()])
		}
	}
}

// discard queues a virtual service for removal. It may be known only by its key. While it is announced, its mark rules
// stay.
func (w *writer) discard(was *virtual, addresses []*announcement) *virtual {
	cfg := &parser.Virtual{ID: was.Key().ID(), Key: was.Key()}
	cfg.CheckInterval = w.global.CheckInterval
	v := &virtual{Service: &plan.Service{Config: cfg}, addresses: addresses, writing: writing{dirty: true}}
	if v.Case.Section = &v.Service.Section; slices.ContainsFunc(addresses, w.announcer.lingers) {
		v.Marks = was.Service.Section.Marks
	}
	w.purges = append(w.purges, v)
	return v
}

// tryAtOnce lets the queued removals be tried without a wait, and finds out which virtual services other daemons now
// wait for.
func (w *writer) tryAtOnce() {
	for _, v := range w.purges {
		v.retry.AtOnce()
	}
	w.others.assign(w.ours, w.purges)
}

// mayGo reports whether a virtual service may be removed. It must stay while mark rules require it, see
// judge.Marks.Holds, and until its addresses are withdrawn. At a stop, neither matters.
func (w *writer) mayGo(v *virtual) bool {
	return w.announcer.atEnd || !w.marker.now().Holds(v.Key()) && !w.announcer.holds(v.addresses)
}

// purge removes each queued virtual service that no longer has to stay.
func (w *writer) purge() {
	unmarked := false
	for _, v := range w.purges {
		if len(v.Marks) > 0 && !w.announcer.holds(v.addresses) {
			v.Marks, unmarked = nil, true
		}
	}
	if unmarked {
		w.marker.order()
	}
	now, before := w.tell.now(), len(w.purges)
	w.purges = slices.DeleteFunc(w.purges, func(v *virtual) bool {
		if !w.mayGo(v) || v.retry.Waits(now) || !w.mayAsk() {
			return false
		}
		if w.others.leaves(v) {
			return true
		}
		if o := w.remove(v); o.Err != nil {
			w.failed(v, o)
			return false
		}
		w.succeeded(v)
		return true
	})
	if len(w.purges) < before {
		w.others.record()
	}
}
