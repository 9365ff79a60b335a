package core

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/judge"
	"ldirectord/internal/lab/always"
	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
)

// This file makes the moments that the predicates of lab/always check, from the world and the oracle. Some facts
// depend on the order in which events reached the daemon: which server is held, has left a former address, leaves, or
// is changed by hand and kept so. There the oracle takes the daemon's own facts, if the past allows them.

// believed is what the daemon knows of its virtual services.
type believed map[lvs.Key]*judge.Case

// beliefs returns what the daemon knows, while it does nothing. Nothing due is off its agenda.
func (c *chaos) beliefs() believed {
	all := believed{}
	for key, v := range c.daemon.Cases() {
		all[key] = &judge.Case{Section: v.Section, State: v.Clone()}
	}
	for _, wrong := range c.daemon.Forgotten() {
		c.complain("off the agenda: %s", wrong)
	}
	return all
}

// believes is what a working daemon knows of a virtual service.
func (o *oracle) believes(key lvs.Key) *judge.Case {
	if o.core != nil {
		for of, v := range o.core.Cases() {
			if of == key {
				return v
			}
		}
	}
	return &judge.Case{Section: &judge.Section{}}
}

// serverAt is what a daemon knows of a server, or nil if it has none at this address.
func serverAt(c *judge.Case, addr netip.AddrPort) *judge.Server {
	for i, m := range c.Members {
		if s := &c.Servers[i]; m.Dest.Addr == addr && !s.Gone {
			return s
		}
	}
	return nil
}

// moment is a virtual service as in the file.
func (o *oracle) moment(key lvs.Key, s section, table lvs.Dests) *always.Moment {
	m := &always.Moment{BackupBelow: s.backupBelow(), Quiescent: s.Quiescent, OnFail: s.onFails(), Repair: s.Repair,
		KeepServing: s.share(), Obeys: o.mayObey(key),
		Failed: true, Follows: true, Table: table, Call: netip.AddrPort.String,
		FallbackIn: o.sorryIn[key], FallbackTouched: o.isByHand(spot{key, sorry})}
	if s.Fallback != "" {
		m.Fallback = lvs.Dest{Addr: sorry, Forward: lvs.Route, Weight: 1}
	}
	for _, e := range s.places() {
		says, _ := o.words(s, e)
		weight := o.weightOf(key, e, 0)
		m.Servers = append(m.Servers, always.Server{Dest: s.dest(e), Weight: weight,
			Asks: says.Asks(), Less: weight - (weight*uint32(says.Percent())+99)/100,
			Backup: e.backup, Unchecked: s.CheckType == "off", Former: e.elsewhere,
			Touched: o.isByHand(spot{key, e.addr}),
			To: slices.IndexFunc(s.Servers,
				func(now entry) bool { return e.elsewhere && now.name == e.name }),
			Drained: o.orderFor(key, e, 0).Kind == orders.Drain, Out: o.isMaintained(key, e)})
	}
	return m
}

// climbs reports whether a server that came in at since has the part of its weight that is due now, or was due up to a
// second before. All virtual services step at whole seconds of the clock.
func (s section) climbs(since, now time.Time, weight, got uint32, says health.Words) bool {
	seconds := int(now.Sub(since) / time.Second)
	if since.IsZero() || s.SlowStart == 0 || seconds > s.SlowStart {
		return false
	}
	all := 100 * s.SlowStart
	part := func(seconds int) int {
		return max(1, (int(weight)*int(says.Percent())*min(seconds, s.SlowStart)+all-1)/all)
	}
	return int(got) == part(seconds) || int(got) == part(seconds-1)
}

func (s section) share() lvs.Share { return shareOf(s.KeepServing) }

func (s section) backupBelow() lvs.LowHigh {
	low, high, both := strings.Cut(s.BackupBelow, "/")
	if !both {
		high = low
	}
	return lvs.LowHigh{Low: shareOf(low), High: shareOf(high)}
}

func shareOf(text string) lvs.Share {
	digits, percent := strings.CutSuffix(text, "%")
	n, _ := strconv.Atoi(digits)
	return lvs.Share{N: int32(n), Percent: percent}
}

// quota is how many servers checks must leave in service.
func (o *oracle) quota(key lvs.Key, s section) int { return s.share().Of(o.weighted(key, s)) }

// weighted is how many servers have a weight.
func (o *oracle) weighted(key lvs.Key, s section) (n int) {
	for _, e := range s.Servers {
		if o.weightOf(key, e, 0) > 0 && !e.backup {
			n++
		}
	}
	return n
}

// step is one change, with the moments before and after it.
func (o *oracle) step(op lvs.Op, s section, before, after lvs.VirtualService) *always.Step {
	step := &always.Step{Before: o.moment(op.Key, s, before.Dests), After: o.moment(op.Key, s, after.Dests)}
	knows := o.believes(op.Key)
	step.Before.Backed, step.After.Backed = knows.Backed, knows.Backed
	for i, e := range s.places() {
		b, a, at := &step.Before.Servers[i], &step.After.Servers[i], spot{op.Key, e.addr}
		b.Held = true                            // if it served, it did so rightly or that was reported
		drains := o.mustDrain(op.Key, s, e.addr) // or still serves, at a former address
		was, in := before.Dests.At(e.addr)
		b.Gone = drains && (!e.elsewhere || before.Dests.Weight(e.addr) == 0)
		a.Gone = drains && (!e.elsewhere || after.Dests.Weight(e.addr) == 0)
		a.Connected = was.Forward == lvs.Masq && in
		known := o.known(op.Key, s, e)
		if lately := o.refusal != nothing || o.since(o.troubled) < guardQuiet; e.backup && lately &&
			!knows.Backed && !o.backed[op.Key] {
			known = uncertain // it was to rest when enough others served, and the table has not followed
		}
		a.Unsure = known == uncertain
		a.Health = map[verdict]health.State{up: health.Up, down: health.Down}[known]
		now := serverAt(knows, e.addr)
		says, _ := o.words(s, e)
		a.Climbs = now != nil && s.climbs(now.Climbs, o.now, a.Weight, after.Dests.Weight(e.addr), says)
		a.LeftOut = now != nil && now.Suspect
		a.Waits = now != nil && now.Waits() && (s.HoldDown != "" || s.Pace != "" || s.Comeback != "")
		a.Held = now != nil && now.Held && o.mayBeHeld(op.Key, s, e) && (known != unknown || o.rechecked[at])
	}
	for at := range o.mustStay {
		if at.key == op.Key {
			departure := always.Departure{Addr: at.addr, Stays: o.mustDrain(op.Key, s, at.addr)}
			step.Before.Departing = append(step.Before.Departing, departure)
		}
	}
	step.Before.Departing = append(step.Before.Departing, o.restsOn(op.Key, s)...)
	if o.isByChecks(op, s) {
		step.Cause = always.Checks
	}
	return step
}

// restMoment is a virtual service after a quiet time, when the daemon has all results.
func (o *oracle) restMoment(key lvs.Key, s section, table lvs.Dests, knows *judge.Case) *always.Moment {
	if !knows.Obeys {
		delete(o.obeyed, lvs.Backend{Virtual: key.ID()})
	}
	m := o.moment(key, s, table)
	m.Backed = knows.Backed
	for i, e := range s.places() {
		f, now := &m.Servers[i], serverAt(knows, e.addr)
		dest, _ := table.At(e.addr)
		says, _ := o.words(s, e)
		f.Unsure = !o.passesAll(s, e) && o.isBraked(key, s, e, dest) && // the guard may hold it too
			(f.Weight > 0 || now != nil && now.IsUp()) // with weight 0 it is in the table in any case
		if f.Health = health.Down; f.Unsure || o.passesAll(s, e) {
			f.Health = health.Up
		}
		if f.Health == health.Up && !e.elsewhere {
			delete(o.putIn, spot{key, e.addr})
		}
		f.Climbs = now != nil && s.climbs(now.Climbs, o.now, f.Weight, dest.Weight, says)
		// its time begins with the end of an order
		f.Ends = s.ends(now, o.now) && o.orderFor(key, e, 2*time.Second) == o.orderFor(key, e, 0)
		f.LeftOut = now != nil && now.Suspect
		// while weights climb, it comes back at a whole second
		f.Waits = s.Comeback != "" && now != nil && now.Waits() || f.LeftOut && now.Waits() &&
			(s.Observe == "out" && now.Suspect && now.Suspects > 2 || o.since(now.Turn) < o.grace())
		f.Connected, f.Gone = o.busy[e.addr], e.elsewhere && now == nil
		f.Held = (f.Health == health.Down || f.Asks > health.NoAdmin) && now != nil && now.Held &&
			!o.putIn[spot{key, e.addr}]
	}
	m.ByHand = map[netip.AddrPort]bool{}
	for addr := range knows.ByHand {
		if _, may := o.byHand[spot{key, addr}]; may {
			m.ByHand[addr] = true
		}
	}
	for _, l := range knows.Departing {
		if o.mayLeave(key, s, l.Addr) {
			m.Departing = append(m.Departing, always.Departure{Addr: l.Addr})
		}
	}
	return m
}
