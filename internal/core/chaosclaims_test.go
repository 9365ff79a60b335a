package core

import (
	"maps"
	"slices"

	"ldirectord/internal/lvs"
)

// This file is another daemon of the machine in chaos's world. It changes nothing of what it has in the table.

const neighbour = "neighbour.cf"

// claims are those of both daemons.
type claims struct {
	ours  []lvs.Key        // what the daemon says it may have in the table
	taken map[lvs.Key]bool // what the other one has
	waits map[lvs.Key]bool // and what it waits for
}

// Take implements Claims. The other daemon gets what this one gives up.
func (o *oracle) Take(keys, left []lvs.Key) (taken, beside map[lvs.Key]string) {
	taken, beside = map[lvs.Key]string{}, map[lvs.Key]string{}
	isTheirs := func(key lvs.Key) bool { return o.taken[key] }
	if ours := slices.DeleteFunc(slices.Concat(keys, left), isTheirs); o.left != 0 {
		o.ours = ours
		for key := range o.waits {
			if !slices.Contains(ours, key) {
				o.gain(key)
			}
		}
	}
	for key := range o.taken {
		taken[key], beside[key] = neighbour, neighbour
	}
	for key := range o.waits {
		beside[key] = neighbour
	}
	return taken, beside
}

// gain gives a virtual service to the other daemon.
func (o *oracle) gain(key lvs.Key) {
	delete(o.waits, key)
	o.taken[key] = true
	forget(key, append(o.drainers(), o.mayStay)...)
}

// forget removes what is known of the entries of a virtual service.
func forget[T any](key lvs.Key, known ...map[spot]T) {
	for _, all := range known {
		maps.DeleteFunc(all, func(at spot, _ T) bool { return at.key == key })
	}
}

// pass lets the other daemon have some of what it waits for, while this one does not run.
func (o *oracle) pass(some func() bool) {
	for _, addr := range virtuals {
		if key := keyFor(addr); o.waits[key] && some() {
			o.gain(key)
		}
	}
}

// lose takes a virtual service away from the other daemon. This one finds it as it is.
func (o *oracle) lose(key lvs.Key, table lvs.Table) {
	delete(o.taken, key)
	o.sorryIn[key] = table[key].Dests.Weight(sorry) > 0
	forget(key, o.seen)
	forget(key, o.byHand)
	forget(key, o.gone, o.putIn, o.unseen, o.touched)
}

// meet makes the other daemon claim a virtual service, or give it up.
func (c *chaos) meet() {
	o, key := c.oracle, keyFor(c.virtual())
	o.troubled = c.now
	switch {
	case o.taken[key]:
		if _, in := o.file()[addrOf(key)]; !in || o.role != inService || c.coin() {
			c.table.Do(c.t.Context(), lvs.Op{Kind: lvs.DelService, Key: key})
		}
		c.say("the other daemon gives up %v", key)
		o.lose(key, c.read())
	case o.waits[key]:
		c.say("the other daemon no longer waits for %v", key)
		delete(o.waits, key)
	case slices.Contains(o.ours, key):
		c.say("the other daemon waits for %v", key)
		o.waits[key] = true
	default:
		c.say("the other daemon has %v", key)
		o.gain(key)
	}
	c.daemon.event(func() { c.daemon.Claimed(c.now) })
}
