package core

import (
	"slices"

	"ldirectord/internal/plan"
	"ldirectord/parser"
)

// remover removes virtual services that are no longer configured. They continue to serve until their replacement is
// ready.
type remover struct {
	*claimant
	writer *writer
}

// disown queues for removal the owned virtual services that the plan does not keep in the table. owned lists those that
// this director or the previous daemon added.
func (r *remover) disown(owned []*virtual) {
	kept := byKey(those(r.virtuals, (*virtual).Keeps))
	r.purges = slices.DeleteFunc(r.purges, func(p *virtual) bool {
		if kept[p.Key()] == nil {
			return false
		}
		owned = append(owned, p)
		return true
	})
	announced := r.announcer.byKey()
	for _, was := range owned {
		if v := kept[was.Key()]; v != nil {
			v.LeftIn = r.standby
		} else {
			r.add(was, announced[was.Key()])
		}
	}
}

// add queues a virtual service for removal. It may be known only by its key. While it is announced, its mark rules
// stay.
func (r *remover) add(was *virtual, addresses []*announcement) *virtual {
	cfg := &parser.Virtual{ID: was.Key().ID(), Key: was.Key()}
	cfg.CheckInterval = r.global.CheckInterval
	v := &virtual{Service: &plan.Service{Config: cfg}, addresses: addresses, writing: writing{dirty: true}}
	if v.Case.Section = &v.Service.Section; slices.ContainsFunc(addresses, r.announcer.lingers) {
		v.Marks = was.Service.Section.Marks
	}
	r.purges = append(r.purges, v)
	return v
}

// mayGo reports whether a virtual service may be removed. Before that, the mark rules that replace it must be set, and
// its addresses must be withdrawn.
func (r *remover) mayGo(v *virtual) bool {
	return r.announcer.atEnd || !r.marker.now().Holds(v.Key()) && !r.announcer.holds(v.addresses)
}

// purge removes each queued virtual service that no longer has to stay.
func (r *remover) purge() {
	unmarked := false
	for _, v := range r.purges {
		if len(v.Marks) > 0 && !r.announcer.holds(v.addresses) {
			v.Marks, unmarked = nil, true
		}
	}
	if unmarked {
		r.marker.order()
	}
	now, before := r.tell.now(), len(r.purges)
	r.purges = slices.DeleteFunc(r.purges, func(v *virtual) bool {
		if !r.mayGo(v) || v.retry.Waits(now) || !r.writer.mayAsk() {
			return false
		}
		if r.leaves(v) {
			return true
		}
		if o := r.writer.remove(v); o.Err != nil {
			r.writer.failed(v, o)
			return false
		}
		r.writer.succeeded(v)
		return true
	})
	if len(r.purges) < before {
		r.record()
	}
}
