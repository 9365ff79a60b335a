package director

import (
	"net/netip"
	"slices"
	"time"

	"ldirectord/ipvsctl"
	"ldirectord/lvs"
)

// judge looks at one change that a daemon made, and says what is wrong with it.
func (o *oracle) judge(op ipvsctl.Op, before, after ipvsctl.Service) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.note("         " + op.String())
	defer o.noteGone(op, before, after)
	if op.Kind == ipvsctl.DelDest {
		defer delete(o.mustStay, spot{op.Key, op.Dest.Addr})
	}
	defer delete(o.unseen, spot{op.Key, op.Dest.Addr})
	if op.Key.Addr == foreign {
		return "this virtual service is not ours"
	}
	if op.Dest.Addr == sorry {
		defer func() { o.sorryIn[op.Key] = after.Dests[sorry].Weight > 0 }()
	}
	if op.Kind == ipvsctl.DelService && o.role != inService {
		o.sorryIn[op.Key] = false
		return ""
	}
	if o.role == resting {
		return "changed while it stands by"
	}
	var sections []section // what the virtual service may be by now
	for _, f := range o.files {
		if s, in := f[op.Key.Addr]; in {
			sections = append(sections, s)
		}
	}
	if o.ending || len(sections) < len(o.files) {
		return ""
	}
	dest := op.Dest
	stays := o.staysMasq(op, sections, before)
	if stays {
		dest.Forward = lvs.Route
	}
	was, is := before.Dests[op.Dest.Addr].Weight, after.Dests[op.Dest.Addr].Weight
	switch {
	case op.Kind == ipvsctl.DelService:
		return "it is configured"
	case op.Kind == ipvsctl.DelDest && o.always(sections, func(s section) bool { return o.mustDrain(op.Key, s, op.Dest.Addr) }):
		return "it drains, and has connections"
	case op.Kind < ipvsctl.AddDest:
		return ""
	case was == 0 && is > 0 && !slices.ContainsFunc(sections, func(s section) bool { return o.mayServe(op.Key, s, dest) }):
		return "put in service without reason"
	case was > 0 && is == 0 && !(stays && weight(after) > 0) && o.always(sections, func(s section) bool { return o.mustServe(op.Key, s, op.Dest.Addr) }):
		return "taken out without reason"
	case was > 0 && is == 0 && !stays && o.always(sections, func(s section) bool { return o.mustBrake(op.Key, s, op.Dest.Addr) }):
		return "taken out though all fail only through the virtual address"
	case was > 0 && is == 0 && !stays && o.isTooFew(op, sections, after):
		return "checks leave fewer in service than keepserving says"
	case weight(before) > 0 && weight(after) == 0 && o.always(sections, func(s section) bool { return o.someoneCould(op.Key, s, op.Dest.Addr) }):
		return "nobody serves now, though somebody could"
	}
	return ""
}

// always reports whether something holds for every section; none is not every.
func (o *oracle) always(sections []section, holds func(section) bool) bool {
	return !slices.ContainsFunc(sections, func(s section) bool { return !holds(s) })
}

func weight(s ipvsctl.Service) (sum uint32) {
	for _, d := range s.Dests {
		sum += d.Weight
	}
	return sum
}

// mayServe reports whether a daemon may have a reason to put this destination in service.
func (o *oracle) mayServe(key lvs.Key, s section, d lvs.Dest) bool {
	if d.Addr == sorry {
		return s.fallback && !slices.ContainsFunc(s.servers, func(e entry) bool {
			return o.is(up, key, s, e) || o.is(unknown, key, s, e) && !o.sorryIn[key]
		})
	}
	e, in := entryAt(s.places(), d.Addr)
	return in && (d == e.dest(o.weightOf(key, e, 0)) || d == e.dest(o.weightOf(key, e, grace))) && (!o.is(down, key, s, e) || o.mayBeHeld(key, s, e)) && (!o.is(unknown, key, s, e) || o.mayBeHeld(key, s, e) && o.rechecked[spot{key, e.addr}])
}

// mustServe reports whether nothing speaks against a server that is in service.
func (o *oracle) mustServe(key lvs.Key, s section, addr netip.AddrPort) bool {
	e, in := s.entry(addr)
	return in && o.weightOf(key, e, 0) > 0 && o.is(up, key, s, e)
}

// someoneCould reports whether a server or the fallback server could serve for certain, or whether those that
// were replaced should go on, because nobody of the new ones is known yet.
func (o *oracle) someoneCould(key lvs.Key, s section, gone netip.AddrPort) bool {
	allDown := true
	for _, e := range s.servers {
		held := o.isByHand(spot{key, e.addr})
		if o.mustServe(key, s, e.addr) && !held {
			return true
		}
		_, configured := entryAt(s.places(), gone)
		if o.is(unknown, key, s, e) && !held && !configured && gone != sorry {
			return true
		}
		allDown = allDown && o.is(down, key, s, e)
	}
	return allDown && s.fallback && !o.isByHand(spot{key, sorry})
}

// isByHand reports whether a server may be out because somebody else took it out.
func (o *oracle) isByHand(at spot) bool {
	_, kept := o.byHand[at]
	return kept || o.unseen[at]
}

// verdict of a server in one virtual service.
type verdict int

const (
	unknown verdict = iota
	up
	down
)

// is reports whether a server has this verdict for certain: by all results, and also without those of the
// last moment, which the daemon may not know yet.
func (o *oracle) is(x verdict, key lvs.Key, s section, e entry) bool {
	switch {
	case o.disturbedLately(e.addr) || o.orderFor(key, e, 0) != o.orderFor(key, e, grace):
		return false
	case s.check == "off" || o.isMaintained(key, e) || o.orderFor(key, e, 0).Kind == Drain:
		return x == down
	case e.elsewhere || o.moved[e.name]:
		return false
	default:
		return o.verdict(key, s, e, 0) == x && o.verdict(key, s, e, grace) == x
	}
}

// uncertain is the verdict of a server to which a reload gave other rules or a check that runs already.
const uncertain verdict = -1

// verdict is what the results until some time ago say of a server: it is down when one check says so, and up when all do.
func (o *oracle) verdict(key lvs.Key, s section, e entry, ago time.Duration) verdict {
	at := spot{key, e.addr}
	var all []verdict
	for _, p := range s.probes(e) {
		now := o.verdictOf(p, s, slices.Contains(o.found[at], p), ago)
		if o.changed[at] && now != unknown {
			return uncertain
		}
		all = append(all, now)
	}
	for _, decides := range []verdict{down, uncertain, unknown} {
		if slices.Contains(all, decides) {
			return decides
		}
	}
	return up
}

// verdictOf is what the results of one check say.
func (o *oracle) verdictOf(p probe, s section, found bool, ago time.Duration) verdict {
	if counted := o.countsAs(p, s, found, ago, true); counted == o.countsAs(p, s, found, ago, false) {
		return counted
	}
	return uncertain
}

// countsAs is the verdict with or without the failures through the virtual address alone, of which some may not count.
func (o *oracle) countsAs(p probe, s section, found bool, ago time.Duration, all bool) verdict {
	now, streak := unknown, 0
	if found {
		now = up
	}
	if history := o.results[p]; history != nil {
		for _, r := range *history {
			if time.Since(r.at) < ago {
				break
			}
			if r.only && !all && now == up {
				continue
			}
			now, streak = s.next(now, streak, r.ok)
		}
	}
	return now
}

// next is failurecount and risecount.
func (s section) next(now verdict, streak int, ok bool) (verdict, int) {
	says, limit := down, s.fall
	if ok {
		says, limit = up, s.rise
	}
	switch {
	case now == says:
		return now, 0
	case now != unknown && streak+1 < limit:
		return now, streak + 1
	default:
		return says, 0
	}
}

func (o *oracle) disturbedLately(a netip.AddrPort) bool {
	at, ever := o.disturbed[a]
	return ever && time.Since(at) < grace
}

func (s section) entry(a netip.AddrPort) (entry, bool) { return entryAt(s.servers, a) }

func entryAt(list []entry, a netip.AddrPort) (entry, bool) {
	for _, e := range list {
		if e.addr == a {
			return e, true
		}
	}
	return entry{}, false
}
