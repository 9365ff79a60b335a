package core

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
)

// This file has the packets of clients in chaos's world, and the oracle's rules for servers that observe = out leaves
// out. A server may be left out if the counters that the daemon read allow it.

const clientEach = 50 * time.Millisecond // the time between two new connections to a server with a weight
const minUnanswered = 20                 // as in judge

// clients are the clients of all servers.
type clients struct {
	gray map[netip.AddrPort]bool // servers whose packets do not come back to them
	seen map[spot]*seen
}

// seen is what the daemon has read of a server's counters.
type seen struct {
	lvs.Traffic
	at         time.Time
	answered   time.Time // when the last packets came back
	unanswered uint64    // new connections since
	readings   int       // since packets came back
	out        bool      // it is left out
	since      time.Time // when it was found left out
	times      int       // how often it was left out, without an answer or another event since the first time
}

// silence chooses the servers whose clients get no answers: none or a few.
func (c *chaos) silence() {
	clear(c.oracle.gray)
	for range c.rand.IntN(6) {
		c.oracle.gray[c.server()] = true
	}
	if c.rand.IntN(8) == 0 { // ipvsadm --zero
		for _, one := range c.oracle.seen {
			one.Traffic = lvs.Traffic{}
		}
	}
	c.oracle.note(fmt.Sprintf("         silent to clients: %v", c.oracle.gray))
}

// packets are the counters of a destination that the daemon reads. Packets back are seen only with masq.
func (o *oracle) packets(key lvs.Key, d lvs.Dest) lvs.Traffic {
	one := o.seenAt(spot{key, d.Addr}, false)
	n := uint64(o.since(one.at)/clientEach) * uint64(min(d.Weight, 1))
	one.at = o.now
	one.Connections, one.unanswered, one.readings = one.Connections+n, one.unanswered+n, one.readings+1
	if n > 0 && d.Forward == lvs.Masq && !o.gray[d.Addr] {
		one.PacketsOut, one.answered, one.unanswered, one.readings = one.PacketsOut+n, one.at, 0, 0
		if !one.out {
			one.times = 0
		}
	}
	return one.Traffic
}

// seenAt is what this daemon has read of a server. At the first call for a server, out is its state.
func (o *oracle) seenAt(at spot, out bool) *seen {
	if o.seen[at] == nil {
		o.seen[at] = &seen{at: o.now, answered: o.now, out: out, since: o.now}
	}
	return o.seen[at]
}

// noteLeftOut notes which servers are left out, and complains if that contradicts the rule.
func (o *oracle) noteLeftOut(key lvs.Key) {
	if wrong := o.wrongLeftOut(key); wrong != "" {
		o.complain("%v: %s", key, wrong)
	}
}

func (o *oracle) wrongLeftOut(key lvs.Key) (wrong string) {
	knows := o.believes(key)
	for i := range knows.Servers {
		now := &knows.Servers[i]
		if now.Gone {
			continue
		}
		one := o.seenAt(spot{key, now.Dest.Addr}, now.Suspect)
		was := *one
		switch one.out = now.Suspect; {
		case one.out && !was.out:
			if o.troubled.After(one.since) {
				one.times = 0
			}
			one.times++
			one.since, one.readings = o.now, 1 // suspected unless a reading shows answers
			if why := o.mayNotBeOut(key, knows, now, was); why != "" {
				wrong = fmt.Sprint(now.Dest.Addr, " is left out, and ", why)
			}
		case was.out && !one.out && now.IsUp() && o.isEarly(key, knows, now, was):
			wrong = fmt.Sprint(now.Dest.Addr, " is back early")
		}
	}
	return wrong
}

// mayNotBeOut says why a server may not be left out now.
func (o *oracle) mayNotBeOut(key lvs.Key, knows *judge.Case, now *judge.Server, was seen) string {
	observed, compared := false, false
	for _, f := range o.files {
		s := f[addrOf(key)]
		e, _ := entryAt(s.places(), now.Dest.Addr)
		observed = observed || e.masq && s.Observe == "out"
	}
	for at, one := range o.seen {
		compared = compared || at.key == key && one.answered.Sub(was.answered) >= ObserveInterval
	}
	s := o.section(key)
	_, may := o.serving(key, s, knows, now)
	switch {
	case !observed:
		return "is not observed"
	case was.unanswered < minUnanswered || was.readings < 4: // two until it is suspected, and two more
		return "its clients got answers"
	case !compared:
		return "the clients of no other server got answers"
	case o.since(o.troubled) > guardQuiet && may < o.neededBy(key, s):
		return "too few others serve"
	}
	return ""
}

// isEarly reports whether a left-out server is back before its time, though nothing else happened and enough others
// serve.
func (o *oracle) isEarly(key lvs.Key, knows *judge.Case, now *judge.Server, was seen) bool {
	s := o.section(key)
	hold, _, _ := strings.Cut(s.HoldDown, ",")
	seconds, _ := strconv.Atoi(hold)
	sure, _ := o.serving(key, s, knows, now)
	early := was.times > 2 || o.since(was.since) < time.Duration(seconds)*time.Second
	// otherwise it may have been left out before that was seen
	quiet := o.refusal == nothing && was.since.Sub(o.troubled) > ObserveInterval
	e, in := entryAt(s.places(), now.Dest.Addr)
	ordered := o.orderFor(key, e, 0) != o.orderFor(key, e, o.since(was.since)) // an order has ended
	return early && quiet && in && !ordered && s.Observe == "out" && sure >= o.neededBy(key, s)
}

// neededBy is how many other servers must serve for a server to be left out.
func (o *oracle) neededBy(key lvs.Key, s section) int {
	return max(o.quota(key, s), (o.weighted(key, s)+1)/2)
}

// serving is how many other servers of a section certainly serve, and how many may serve.
func (o *oracle) serving(key lvs.Key, s section, knows *judge.Case, but *judge.Server) (sure, may int) {
	for _, e := range s.places() {
		other := serverAt(knows, e.addr)
		if other == nil || other == but || e.backup || o.weightOf(key, e, 0) == 0 {
			continue
		}
		switch o.known(key, s, e) {
		case up:
			may++
			if knows.Serves(other) {
				sure++
			}
		case uncertain:
			may++
		}
	}
	return sure, may
}
