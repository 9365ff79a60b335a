package director

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"ldirectord/ipvsctl"
)

// This file is about real servers that left the configuration, in virtual services with a draintime. They stay in the
// table at weight 0 until their connections have ended or the time is over. They are not checked, and serve nobody new.

// lookInterval is the time between two looks at the connections of servers that leave.
const lookInterval = time.Second

// Leaver is a real server that left its virtual service and may still be in the table.
type Leaver = ipvsctl.Leaver

// leaver is a Leaver as the director follows it.
type leaver struct {
	Leaver
	carries ipvsctl.Counters // when it was last looked
	idle    bool             // … it carried nothing
	over    string           // why it goes now; "" while it stays
}

// sendOff lets a server leave the virtual service, of which it is not a part any more. It drains if draintime says so.
// One that the table does not have is forgotten with the next change.
func (v *virtual) sendOff(l leaver) {
	if v.cfg.DrainTime == 0 || len(v.at(l.Addr)) > 0 || v.leavers[l.Addr] != nil {
		return
	}
	now, left := time.Now(), v.cfg.DrainTime.Duration()
	if !l.Until.IsZero() {
		left = min(left, l.Until.Sub(now)) // draintime was longer, or the clock was set
	}
	l.Until = now.Add(left) // a time that does not depend on the clock from now on
	delete(v.overridden, l.Addr)
	if v.leavers == nil {
		v.leavers = map[netip.AddrPort]*leaver{}
	}
	v.leavers[l.Addr] = &l
}

// sendOffAll lets those of these servers leave that the virtual service does not have any more.
func (v *virtual) sendOffAll(servers []*server) {
	for _, s := range servers {
		v.sendOff(leaver{Leaver: Leaver{Key: v.key, Addr: s.dest.Addr, Name: s.name()}})
	}
}

// allLeavers are those who leave, in the order of their addresses.
func (v *virtual) allLeavers() []*leaver {
	return slices.SortedFunc(maps.Values(v.leavers), func(a, b *leaver) int { return a.Addr.Compare(b.Addr) })
}

// recordLeavers passes on who leaves, and who moved away and is in maintenance. It sees to it that they are looked at.
func (d *Director) recordLeavers() {
	var all []Leaver
	for _, v := range d.ours {
		for _, l := range v.allLeavers() {
			all = append(all, l.Leaver)
		}
		for _, s := range v.servers {
			if s.moved != nil && s.suspended() != "" {
				all = append(all, Leaver{Key: v.key, Addr: s.dest.Addr, Name: s.name(), Stays: true})
			}
		}
	}
	if len(all) > 0 && d.lookAt == nil {
		d.lookAt = time.After(lookInterval)
	}
	if d.deps.Leave != nil && !slices.Equal(all, d.leavers) {
		d.deps.Leave(all)
	}
	d.leavers = all
}

// lookAtLeavers ends the stay of those whose connections have ended, or whose time is over.
func (d *Director) lookAtLeavers(ctx context.Context) {
	d.lookAt = nil
	for _, v := range d.ours {
		if len(v.leavers) == 0 {
			continue
		}
		counters := d.table.counters(ctx, v.key)
		for _, l := range v.leavers {
			carries, known := counters[l.Addr]
			if known {
				l.carries = carries
			}
			weight, in := v.weightAt(l.Addr)
			wasIdle := l.idle
			// one with weight still serves, see keepServing
			l.idle = known && in && weight == 0 && carries.Idle()
			switch {
			case !time.Now().Before(l.Until):
				l.over = "draintime is over, " + Carried(l.carries)
			case wasIdle && l.idle: // what was on its way when it got weight 0 is counted by now
				l.over = "drained"
			default:
				continue
			}
			delete(v.overridden, l.Addr)
			v.dirty = true
		}
	}
	d.recordLeavers()
}

// Carried is what a server carries, in words.
func Carried(c ipvsctl.Counters) string {
	text := plural(c.Active+c.Inactive, "connection")
	if c.Persistent > 0 {
		text += ", " + plural(c.Persistent, "persistent client")
	}
	return text
}

func plural(n uint32, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// describeLeavers is what is known of those that are still in the table.
func (v *virtual) describeLeavers() (list []LeaverSnapshot) {
	for _, l := range v.allLeavers() {
		if weight, in := v.weightAt(l.Addr); in {
			list = append(list, LeaverSnapshot{Leaver: l.Leaver, Carries: l.carries, Effective: weight,
				ByHand: v.overridden[l.Addr]})
		}
	}
	return list
}
