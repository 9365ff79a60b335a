package core

import (
	"slices"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
)

// isByHand reports whether a server may be out because of a change by hand.
func (o *oracle) isByHand(at spot) bool {
	_, kept := o.byHand[at]
	return kept || o.unseen[at]
}

// verdict is the verdict on a server in one virtual service.
type verdict int

const (
	// a reload changed its rules or its checks, or the verdict has just changed
	uncertain verdict = iota - 1
	unknown
	up
	down
)

// known is the verdict that the daemon must know: the same by all results, and without those of the last moment. A
// server that can't serve because of an order, maintenance, or checktype off always has one.
func (o *oracle) known(key lvs.Key, s section, e entry) verdict {
	order := o.orderFor(key, e, 0)
	now := o.verdict(key, s, e, 0)
	_, sure := o.words(s, e)
	switch {
	case o.disturbedLately(e.addr) || order != o.orderFor(key, e, o.grace()):
		return uncertain
	case s.CheckType == "off" || o.isMaintained(key, e) || order.Kind == orders.Drain:
		return down
	case !sure || e.elsewhere || o.moved[e.name] ||
		o.wavers(s.probes(e), func(ago time.Duration) verdict { return o.verdict(key, s, e, ago) }):
		return uncertain
	}
	return now
}

// wavers reports whether the verdict changed in the last moment: that may bring back a waiting server.
func (o *oracle) wavers(by []probe, verdictAt func(ago time.Duration) verdict) bool {
	agos := []time.Duration{o.grace()}
	for _, p := range by {
		if history := o.results[p]; history != nil {
			for i := len(*history) - 1; i >= 0 && o.since((*history)[i].at) < o.grace(); i-- {
				agos = append(agos, o.since((*history)[i].at))
			}
		}
	}
	return slices.ContainsFunc(agos, func(ago time.Duration) bool { return verdictAt(ago) != verdictAt(0) })
}

// verdict is the verdict by the results up to a time ago. A server is down if one check is, and up if all are.
func (o *oracle) verdict(key lvs.Key, s section, e entry, ago time.Duration) verdict {
	at := spot{key, e.addr}
	var all []verdict
	for _, p := range s.deciding(e) {
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

// verdictOf is the verdict by the results of one check.
func (o *oracle) verdictOf(p probe, s section, found bool, ago time.Duration) verdict {
	if counted := o.countsAs(p, s, found, ago, true); counted == o.countsAs(p, s, found, ago, false) {
		return counted
	}
	return uncertain
}

// partOf is verdictOf for a check that only weighs. Its verdict in the last daemon may still apply.
func (o *oracle) partOf(p probe, s section, ago time.Duration) verdict {
	now := o.countsFrom(unknown, p, s, ago, true)
	for _, before := range []verdict{up, down} {
		if o.countsFrom(before, p, s, ago, true) != now {
			return uncertain
		}
	}
	return now
}

// countsAs is the verdict with or without the failures through the virtual address alone, of which some may not count.
func (o *oracle) countsAs(p probe, s section, found bool, ago time.Duration, all bool) verdict {
	if found || p.check == "agent" {
		return o.countsFrom(up, p, s, ago, all)
	}
	return o.countsFrom(unknown, p, s, ago, all)
}

func (o *oracle) countsFrom(now verdict, p probe, s section, ago time.Duration, all bool) verdict {
	streak := 0
	if history := o.results[p]; history != nil {
		for _, r := range *history {
			if o.since(r.at) < ago {
				break
			}
			if r.only && !all && now == up || r.says == saysNothing {
				continue
			}
			now, streak = s.next(now, streak, r.ok)
		}
	}
	return now
}

// next applies failurecount and risecount to a result.
func (s section) next(now verdict, streak int, ok bool) (verdict, int) {
	says, limit := down, s.FailureCount
	if ok {
		says, limit = up, s.RiseCount
	}
	switch {
	case now == says:
		return now, 0
	case now != unknown && streak+1 < limit:
		return now, streak + 1
	}
	return says, 0
}
