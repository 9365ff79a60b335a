package core

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
	"ldirectord/internal/testkit"
	"ldirectord/ipvsctl"
)

// oracle knows the true state, from the file, the servers' conditions, the results of their checks and the operator's
// actions. It asks the predicates of lab/always about it, after each change of the table and after each quiet time.
// These files have what the predicates can't know, because it depends on the past of the daemon. Which facts must the
// daemon know by now (known, settle)? Which servers may be held where that depends on the order of results
// (oracleheld_test.go)? When did a server begin to leave, and how long may that last (oracleleave_test.go)? The oracle
// also checks what is not about one virtual service: services of others, a stop, a standby, and announced addresses.
type oracle struct {
	complain func(format string, args ...any)
	on       map[netip.Addr]string // the device that an address is on

	truth
	found   map[spot][]probe      // checks of the servers in service when this daemon started
	changed spots                 // a reload changed its rules or its checks
	sorryIn map[lvs.Key]bool      // the fallback server is in service, as the daemon left it
	byHand  map[spot]rest         // changed by hand without repair: may stay while its rest is this
	unseen  spots                 // changed by hand: the daemon may not know it before a quiet time
	others  spots                 // it is in the table as it was put there by hand
	leaves  map[lvs.Key]time.Time // since when its address is to be withdrawn
	moved   map[string]bool       // names, since this daemon started: it may have looked them up earlier
	backed  map[lvs.Key]bool      // its backup servers were needed after the last event
	begun   time.Time             // this daemon
	course                        // of conditions
	ending  bool
	core    *Core

	// about servers that left the file
	touched  spots // changed by hand since the file was read
	mayStay  times // the latest end of its stay at weight 0, with connections
	mustStay times // the earliest end: it always had connections, and nothing else happened
	atZero   times // the earliest end for each server at weight 0, if it drains

	// about servers that the guard may hold
	gone      spots // the daemon took it out of service, and it has not passed since
	rechecked spots // a reload changed its checks: if held, it stays so until they have results
	putIn     spots // put in by hand with a weight: that doesn't make the guard hold it
}

// grace is how long ago results and maintenance files can have come that the daemon does not know.
func (w *truth) grace() time.Duration { return 1200*time.Millisecond + w.since(w.played) }

func newOracle(t *timeline, complain func(string, ...any)) *oracle {
	return &oracle{complain: complain, truth: newTruth(t), course: newCourse(), found: map[spot][]probe{},
		changed: spots{}, sorryIn: map[lvs.Key]bool{}, byHand: map[spot]rest{}, unseen: spots{},
		moved: map[string]bool{}, others: spots{}, leaves: map[lvs.Key]time.Time{}, backed: map[lvs.Key]bool{},
		touched: spots{}, mayStay: times{}, mustStay: times{}, atZero: times{},
		gone: spots{}, putIn: spots{}, rechecked: spots{}}
}

// offer: from now on either of the last two files may apply. take: only this one does.
func (o *oracle) offer(f file) {
	o.troubled = o.now
	for addr, s := range f {
		for _, e := range s.Servers {
			at := spot{keyFor(addr), e.addr}
			before := o.files[0][addr]
			old, was := before.entry(e.addr)
			same := was && slices.Equal(before.probes(old), s.probes(e)) &&
				before.FailureCount == s.FailureCount && before.RiseCount == s.RiseCount
			o.rechecked[at] = o.rechecked[at] || was && !same
			o.changed[at] = o.changed[at] || !same
		}
	}
	o.files = append(o.files, f)
	o.noteLeft()
}

func (o *oracle) take(f file) {
	o.troubled = o.now
	clear(o.byHand)
	clear(o.putIn)
	clear(o.touched)
	kept := map[probe]bool{}
	for _, s := range f {
		for _, e := range s.places() {
			for _, p := range s.probes(e) {
				kept[p] = true
			}
		}
	}
	o.files = []file{f}
	maps.DeleteFunc(o.results, func(p probe, _ *[]outcome) bool { return !kept[p] })
}

// after notes what the daemon has decided in an event.
func (o *oracle) after(c *Core) {
	for key, v := range c.Cases() {
		o.backed[key] = v.Backed
	}
	o.follow(c)
}

// hand records a change by hand.
func (o *oracle) hand(op lvs.Op, before lvs.VirtualService) {
	at := spot{op.Key, op.Dest.Addr}
	o.troubled, o.unseen[at], o.foreign = o.now, true, o.foreign || op.Key.Addr == foreign
	if op.Kind < lvs.AddDest {
		forget(op.Key, o.drainers()...)
		return
	}
	o.touched[at], o.others[at] = true, true
	delete(o.mustStay, at)
	s := o.section(op.Key)
	if _, in := s.entry(at.addr); !in && s.DrainTime > 0 && o.refusal != nothing { // it may not be forgotten yet
		o.mayStay[at] = o.now.Add(s.drains())
	}
	delete(o.atZero, at)
	if !s.Repair {
		o.byHand[at] = anyRest
	}
	switch {
	case op.Kind == lvs.DelDest || op.Dest.Weight == 0:
		delete(o.putIn, at)
	case before.Dests.Weight(at.addr) == 0:
		o.putIn[at] = true
	}
}

// noteLeft notes which addresses are to be withdrawn from now on, if they are not yet.
func (o *oracle) noteLeft() {
	all := o.role == leaving || o.role == resting ||
		o.orders[lvs.Backend{Virtual: orders.EveryAddress}].Kind == orders.Withdraw
	for _, addr := range virtuals {
		key := keyFor(addr)
		if _, was := o.leaves[key]; !all && o.files[len(o.files)-1][addr].Announce != "" {
			delete(o.leaves, key)
		} else if !was {
			o.leaves[key] = o.now
		}
	}
}

// mayLinger reports whether a virtual service may go although its address could not be withdrawn in time.
func (o *oracle) mayLinger(key lvs.Key) bool {
	const most = 8 * time.Second // withdrawwait, and the time of an order
	since, left := o.leaves[key]
	// a daemon that took over does not wait after a failure, since it knows nothing of such an address
	takenOver := o.failed && !since.After(o.begun)
	return left && (o.since(since) >= most || takenOver) && o.since(o.delayed) < time.Minute
}

// rest is the state of a server, or of the fallback server, after a quiet time. When it changes, a change by hand is
// no longer kept.
type rest string

const (
	anyRest  rest = "" // not known yet
	nowhere  rest = "not configured"
	inUse    rest = "in"
	outOfUse rest = "out"
	draining rest = "draining"
)

// settle finds, after a quiet time, which changes by hand may no longer stay. A file in maintenancedir ends all of
// them, except the removal of a server that is out.
func (o *oracle) settle(table lvs.Table, knows believed) {
	clear(o.unseen)
	for at, was := range o.byHand {
		s := o.section(at.key)
		e, _ := s.entry(at.addr)
		if o.quota(at.key, s) > 0 || s.PaceOut != "" || isHome(at.addr) || s.CheckVIP || e.backup {
			continue // the rest of a held server doesn't change: the change may stay until a reload
		}
		now := o.restOf(at.key, s, e)
		if at.addr == sorry {
			now = o.fallbackRests(at.key, s, knows[at.key])
		}
		o.byHand[at] = now
		_, in := table[at.key].Dests.At(at.addr)
		moved := was != anyRest && was != now
		if (moved || o.isMaintained(at.key, e) && now == outOfUse) && (in || now != outOfUse) {
			delete(o.byHand, at)
		}
	}
}

func (o *oracle) restOf(key lvs.Key, s section, e entry) rest {
	says, _ := o.words(s, e)
	switch {
	case e.addr == netip.AddrPort{} || s.CheckType == "off":
		return nowhere
	case !o.passesAll(s, e) || o.isMaintained(key, e) || says.Asks() == health.Maint:
		return outOfUse
	case o.orderFor(key, e, 0).Kind == orders.Drain || says.Asks() == health.Drain:
		return draining
	}
	return inUse
}

func (o *oracle) fallbackRests(key lvs.Key, s section, knows *judge.Case) rest {
	serves := func(e entry) bool { // a former address serves only while the daemon has a server there
		now := serverAt(knows, e.addr)
		return !e.elsewhere && o.restOf(key, s, e) == inUse ||
			now != nil && now.IsUp() && !o.isMaintained(key, e)
	}
	if s.Fallback != "" && (knows == nil || !slices.ContainsFunc(s.places(), serves)) {
		return inUse
	}
	return nowhere
}

func (o *oracle) stopping(clean bool) {
	o.ending = clean
	if clean {
		maps.DeleteFunc(o.mustStay,
			func(at spot, _ time.Time) bool { return o.section(at.key).CleanStop })
	}
}

// rest records the daemon's new role. A promotion undoes changes by hand.
func (o *oracle) rest(p part) {
	o.troubled = o.now
	o.role = p
	o.noteLeft()
	if p == leaving { // a demotion doesn't wait for draining servers
		clear(o.mustStay)
		clear(o.atZero)
	}
	if p == leaving && o.refusal == nothing { // otherwise it may serve again before the table let them go
		clear(o.mayStay)
	}
	if p == returning {
		clear(o.gone)
		clear(o.byHand)
		clear(o.putIn)
	}
}

// leftover removes from a table what a stop removes: what cleanstop says, and what is not configured.
func (o *oracle) leftover(table lvs.Table) {
	for _, addr := range virtuals {
		if s, in := o.files[0][addr]; !o.taken[keyFor(addr)] && (!in || s.CleanStop) {
			delete(table, keyFor(addr))
		}
	}
}

// live is the table for a new daemon.
func (o *oracle) live(m *ipvsctl.Memory) *judged {
	o.troubled = o.now
	clear(o.results)
	clear(o.byHand)
	for _, m := range o.moving { // the table may not fit the record
		at := spot{m.Key, m.Addr}
		if o.others[at] && !o.section(m.Key).Repair {
			o.byHand[at] = anyRest
		}
	}
	for _, all := range []spots{o.putIn, o.gone, o.changed, o.rechecked} {
		clear(all)
	}
	clear(o.found)
	clear(o.moved)
	clear(o.seen)
	clear(o.sorryIn)
	o.left, o.ending, o.begun, o.failed = -1, false, o.now, false
	if o.refusal == everything || o.refusal == inTime {
		o.refusal = everyChange // a daemon that can't read the table does not start
	}
	table, _ := m.Read(context.Background())
	for addr, s := range o.files[0] {
		dests := table[keyFor(addr)].Dests
		o.sorryIn[keyFor(addr)] = dests.Weight(sorry) > 0
		for _, e := range s.Servers {
			if dests.Weight(e.addr) > 0 && o.role != resting && !o.taken[keyFor(addr)] {
				o.found[spot{keyFor(addr), e.addr}] = s.probes(e)
			}
		}
	}
	return &judged{memory{m}, o}
}

// move makes this the only file. Unlike a reload, it keeps changes by hand.
func (o *oracle) move(f file, host string) {
	o.troubled = o.now
	o.files = []file{f}
	o.moved[host] = true
}

// A fallback server that was removed by hand may stay out while no server can serve. Results of checks at the former
// addresses of names don't matter, because no server is there.
func TestOracleKnowsWhatServesInsteadOfTheFallbackServer(t *testing.T) {
	for _, row := range []struct {
		what string
		out  netip.AddrPort // in maintenance
		stay bool
	}{
		{"no server serves before and after", homes["web1"][0], true},
		{"the server serves before", netip.AddrPort{}, false},
	} {
		o := newOracle(&timeline{}, t.Fatalf)
		one := entry{addr: homes["web1"][0], weight: 1, name: "web1"}
		o.take(file{virtuals[0]: {CheckType: "connect", KeepServing: "0", Fallback: "yes",
			Servers: []entry{one}}})
		o.maintained[row.out] = true
		key := keyFor(virtuals[0])
		at, knows := spot{key, sorry}, believed{key: {Section: &judge.Section{}}}
		o.byHand[at] = anyRest
		table := lvs.Table{key: {Key: key, Dests: nil}}
		o.settle(table, knows)
		for _, a := range homes["web1"] {
			o.conditions[a] = refusing
		}
		o.settle(table, knows)
		testkit.Equal(t, o.isByHand(at), row.stay, row.what, "the change by hand may stay")
	}
}
