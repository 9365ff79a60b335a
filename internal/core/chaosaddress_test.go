package core

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"ldirectord/internal/announce"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
	"ldirectord/internal/view"
)

// devices are what the kernel knows of addresses and of packets to them.
type devices struct {
	*chaos
	on    map[netip.Addr]string // the device that an address is on
	local map[netip.Addr]bool   // it has a local route
	rules []lvs.MarkRule
}

// sync puts addresses on their devices, and withdraws all others.
func (d *devices) sync(want []lvs.Wanted) (all []announce.Place) {
	wanted := map[netip.Addr]bool{}
	for _, w := range want {
		wanted[w.Addr] = true
		if w.Undecided {
			d.route(w.Addr, w.Local || d.local[w.Addr])
		} else {
			d.move(w)
		}
		all = append(all, announce.Place{Addr: w.Addr, Device: d.on[w.Addr], Local: d.local[w.Addr]})
	}
	for _, addr := range slices.SortedFunc(maps.Keys(d.local), netip.Addr.Compare) {
		if !wanted[addr] {
			d.move(lvs.Wanted{Addr: addr})
		}
	}
	return all
}

// record is what a daemon records of them for the next one.
func (d *devices) record() announce.Record {
	all := announce.Record{}
	for addr := range d.local {
		all[addr] = []string{"", d.on[addr]}
	}
	return all
}

func (d *devices) move(w lvs.Wanted) {
	if was := d.on[w.Addr]; was != w.Device {
		d.say("address: %s from %q to %q", w.Addr, was, w.Device)
		if was == "" && w.Addr == virtuals[3].Addr() && !d.marks() {
			d.complain("%s is announced before its packets are marked", w.Addr)
		}
		d.on[w.Addr] = w.Device
	}
	d.route(w.Addr, w.Local || w.Device != "")
}

// marks reports whether the packets of the last virtual service are marked.
func (d *devices) marks() bool {
	return slices.ContainsFunc(d.rules, func(r lvs.MarkRule) bool { return r.Mark == mark })
}

func (d *devices) route(addr netip.Addr, is bool) {
	if delete(d.local, addr); is {
		d.local[addr] = true
	}
}

// compareAddresses checks, after a quiet time, that the served addresses are announced, and their packets marked.
func (c *chaos) compareAddresses(table lvs.Table) {
	_, in := c.oracle.files[0][virtuals[3]]
	if in = in && !c.oracle.taken[keyFor(virtuals[3])]; in != c.devices.marks() {
		c.complain("packets are marked: %t", !in)
	}
	for _, addr := range virtuals {
		s, key, on := c.oracle.files[0][addr], keyFor(addr), c.devices.on[addr.Addr()]
		if c.oracle.taken[key] {
			continue
		}
		serving, surely := false, false
		for _, d := range table[key].Dests {
			serving = serving || d.Weight > 0
		}
		for _, e := range s.Servers {
			surely = surely || s.CheckType != "off" && c.oracle.passesAll(s, e) &&
				!c.oracle.isByHand(spot{key, e.addr}) && table[key].Dests.Weight(e.addr) > 0
		}
		withdrawn := c.oracle.orders[lvs.Backend{Virtual: orders.EveryAddress}].Kind == orders.Withdraw
		switch {
		case on != "" && s.Announce == "":
			c.complain("%s is on %s, and is not to be announced", addr, on)
		case on != "" && !serving:
			c.complain("%s is on %s, and no server serves", addr, on)
		case on != "" && withdrawn:
			c.complain("%s is on %s, and withdrawn by order", addr, on)
		case on == "" && surely && s.Announce != "" && !withdrawn:
			c.complain("%s is not announced, and is served", addr)
		}
	}
}

// ail has a look at this machine find what the last one found, or something else. Fix ends it.
func (c *chaos) ail() {
	if c.looks.IntN(5) == 0 {
		trouble := []judge.Trouble{judge.Broken, judge.Broken, judge.Doubt}[c.looks.IntN(3)]
		c.ills = []view.Condition{{Kind: trouble.String(), Trouble: trouble, Text: "a fault"}}[c.looks.IntN(2):]
	}
	c.look(c.ills...)
}

func (c *chaos) look(found ...view.Condition) {
	c.say("a look finds %v", found)
	c.daemon.event(func() { c.daemon.Looked(c.now, found) })
}

// withdraw gives the order to withdraw every address, or ends it.
func (c *chaos) withdraw() {
	c.oracle.order(lvs.Backend{Virtual: orders.EveryAddress},
		orders.Order{Kind: orders.Withdraw, Since: c.now.Truncate(time.Second)})
	c.oracle.noteLeft()
	c.command(nil)
}
