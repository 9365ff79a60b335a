package core

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
)

// This file is the world of chaos: servers with their conditions, the checks of them, and a table that may refuse
// changes.

// world is the true state, whatever the daemon knows: the file, the servers, what the operator did, and what daemons
// recorded.
type truth struct {
	*timeline
	files      []file // the current one; two while a reload is under way
	conditions map[netip.AddrPort]condition
	results    map[probe]*[]outcome // since this daemon started, or began to make this check
	orders     orders.All           // including those that have ended
	obeyed     orders.All           // without those whose end was seen
	maintained map[netip.AddrPort]bool
	busy       map[netip.AddrPort]bool      // servers with connections
	disturbed  map[netip.AddrPort]time.Time // when an order or a maintenance file last came or went
	troubled   time.Time                    // when something other than a check last changed what serves
	foreign    bool                         // there is a virtual service outside the file
	refusal    refusal
	changes    int
	requests   int
	takes      time.Duration // that orders for addresses and mark rules take
	fails      bool          // they fail
	failed     bool          // one did, of this daemon
	delayed    time.Time     // when the table, or who sets addresses and rules, was last late
	left       int           // changes until the daemon crashes; negative: it doesn't
	role       part
	recorded   []judge.Record // leaving servers, for the next daemon
	moving     []judge.Record // moving weights, for the next daemon
	lines      []string       // the story
	clients
	claims
}

func newTruth(t *timeline) truth {
	return truth{timeline: t, conditions: map[netip.AddrPort]condition{}, results: map[probe]*[]outcome{},
		orders: orders.All{},
		obeyed: orders.All{}, maintained: map[netip.AddrPort]bool{}, busy: map[netip.AddrPort]bool{},
		disturbed: map[netip.AddrPort]time.Time{}, left: -1, clients: clients{map[netip.AddrPort]bool{},
			map[spot]*seen{}},
		claims: claims{taken: map[lvs.Key]bool{}, waits: map[lvs.Key]bool{}}}
}

// spot is an entry of the table.
type spot struct {
	key  lvs.Key
	addr netip.AddrPort
}

// spots are entries of which something is so, times have a time for each.
type (
	spots = map[spot]bool
	times = map[spot]time.Time
)

type outcome struct {
	ok    bool
	only  bool // a failure through the virtual address alone
	at    time.Time
	began time.Time
	says  condition // the agent's answer
}

// condition is the condition of a server.
type condition int

const (
	healthy condition = iota
	slow
	wrongPage // fails only for a negotiate check
	refusing
	hanging
	short     // the check fails because this machine lacks resources
	unreached // fails through the virtual address alone
	voided    // the path through the virtual address can't be judged
	conditions
)

func (c condition) String() string {
	return []string{"healthy", "slow", "wrongPage", "refusing", "hanging", "short", "unreached", "voided", "drain",
		"maint",
		"50%", "silent"}[c]
}

// refusal is what the table refuses.
type refusal int

const (
	nothing refusal = iota
	everyChange
	someChanges
	everything
	itsOwn // changes that it makes
	inTime // to answer at once
	refusals
)

func (r refusal) String() string {
	return "refuses " + []string{"nothing", "every change", "some changes", "everything", "changes that it makes",
		"to answer in time"}[r]
}

// part is the role of the daemon.
type part int

const (
	inService part = iota
	leaving
	resting
	returning
)

// probe is a check, with the facts by which the oracle distinguishes checks.
type probe struct {
	check    string
	addr     netip.AddrPort
	interval int
	through  netip.Addr // the virtual address; invalid if the check goes to the server's own address
	onLink   bool       // without a router: the address is announced, and the method is not masq
	marked   bool       // for the virtual service with a mark
}

// probes are the checks of a server.
func (s section) probes(e entry) []probe {
	through := netip.Addr{}
	if s.CheckVIP && !e.masq {
		through = s.At
	}
	onLink := s.Announce != "" && !e.masq
	own, marked := s.CheckType, s.At == virtuals[3].Addr()
	if s.DrainStatus > 0 {
		own = "drains"
	}
	at := func(check string, port uint16, through netip.Addr) probe {
		to := netip.AddrPortFrom(e.addr.Addr(), port)
		return probe{check, to, s.CheckInterval, through, onLink, marked}
	}
	list := []probe{at(own, e.addr.Port(), through)}
	for _, f := range s.Also {
		if p := at(f.check, f.port, through); !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	if s.AgentPort > 0 {
		list = append(list, at("agent", agentPort, netip.Addr{}))
	}
	if s.Weighs {
		list = append(list, at("negotiate", otherPort, netip.Addr{}))
	}
	return list
}

// weighs reports whether a check only lowers the weight.
func (p probe) weighs() bool { return p.check == "negotiate" && p.addr.Port() == otherPort }

// deciding are the checks that can take a server out.
func (s section) deciding(e entry) []probe { return slices.DeleteFunc(s.probes(e), probe.weighs) }

// judged is a table whose changes the oracle checks.
type judged struct {
	memory
	o *oracle
}

func (w *judged) Now() time.Time { return w.o.now }

func (w *judged) Read(limit time.Duration) (lvs.Table, judge.Outcome) {
	if err := w.o.refuses(false); err != nil {
		return nil, outcomeOf(err)
	}
	have, o := w.memory.Read(limit)
	return w.count(have, w.o.clientsOf), w.late(limit, o)[0]
}

// count adds the connections of busy servers to a table, and what clients send.
func (w *judged) count(have lvs.Table, traffic func(lvs.Key, lvs.Dest) lvs.Traffic) lvs.Table {
	return withCounters(have, func(key lvs.Key, d lvs.Dest) (c lvs.Counters) {
		if c.Traffic = traffic(key, d); w.o.busy[d.Addr] {
			c.Active = 1
		}
		return c
	})
}

func (w *judged) Do(limit time.Duration, ops ...lvs.Op) (all []judge.Outcome) {
	for _, op := range ops {
		all = append(all, w.do(limit, op))
	}
	return w.late(limit, all...)
}

// late has a request take its time. One that takes too long was carried out all the same.
func (w *judged) late(limit time.Duration, all ...judge.Outcome) []judge.Outcome {
	if w.o.refusal != inTime {
		return all
	}
	w.o.requests, w.o.delayed = w.o.requests+1, w.o.now
	took := []time.Duration{0, 100, 3000, 20, 500, 60_000, 1000}[w.o.requests%7] * time.Millisecond
	if w.o.now = w.o.now.Add(min(took, limit)); took > limit {
		for i := range all {
			all[i] = unanswered
		}
	}
	return all
}

func (w *judged) do(limit time.Duration, op lvs.Op) judge.Outcome {
	w.o.noteLeftOut(op.Key)
	if err := w.o.refuses(true); err != nil {
		return outcomeOf(err)
	}
	if on := w.o.on[addrOf(op.Key).Addr()]; op.Kind == lvs.DelService && on != "" && !w.o.mayLinger(op.Key) {
		w.o.complain("%v: it is announced on %s", op, on)
	}
	before, _ := w.memory.Read(limit)
	if o := w.memory.Do(limit, op)[0]; o.Err != nil {
		return o
	}
	after, _ := w.memory.Read(limit)
	if wrong := w.o.judge(op, before[op.Key], after[op.Key]); wrong != "" {
		w.o.complain("%v: %s", op, wrong)
	}
	for _, l := range w.o.believes(op.Key).Departing {
		of := func(r judge.Record) bool { return r.Key == op.Key && r.Addr == l.Addr }
		if !l.Until.IsZero() && !slices.ContainsFunc(w.o.recorded, of) {
			w.o.complain("%v: it is not recorded that %v leaves", op, l.Addr)
		}
	}
	if w.o.refusal == itsOwn {
		return outcomeOf(errRefused)
	}
	return judge.Outcome{}
}

func (w *judged) Services(limit time.Duration, keys ...lvs.Key) (lvs.Table, judge.Outcome) {
	if err := w.o.refuses(false); err != nil {
		return nil, outcomeOf(err)
	}
	for _, key := range keys {
		w.o.noteLeftOut(key)
	}
	table, o := w.memory.Services(limit, keys...)
	return w.count(table, w.o.packets), w.late(limit, o)[0]
}

func (w *truth) passesAll(s section, e entry) bool {
	return !slices.ContainsFunc(s.deciding(e), func(p probe) bool { return !w.passes(p) })
}

func (w *truth) passes(p probe) bool {
	switch w.conditions[p.addr] {
	case healthy, slow, voided:
		return true
	case saysDrain, saysMaint, saysHalf, saysNothing:
		return p.check != "negotiate" // its status is 503
	case unreached:
		return !p.through.IsValid()
	case wrongPage:
		return p.check == "connect"
	default:
		return false
	}
}

func (w *truth) refuses(change bool) error {
	if w.left == 0 || w.refusal == everything {
		return errRefused
	}
	if !change {
		return nil
	}
	w.changes++
	if w.refusal == everyChange || w.refusal == someChanges && w.changes%3 == 0 {
		return errRefused
	}
	if w.left > 0 {
		w.left--
	}
	return nil
}

// failsOnlyThrough reports whether a check fails through the virtual address alone.
func (w *truth) failsOnlyThrough(p probe) bool {
	return p.through.IsValid() && w.conditions[p.addr] == unreached
}

// file is the current configuration.
func (w *truth) file() file {
	return w.files[len(w.files)-1]
}

// section is a virtual service in the file that a reload replaces, or in the only one.
func (w *truth) section(key lvs.Key) section { return w.files[0][addrOf(key)] }

// maintain begins or ends maintenance of a server, and reports which.
func (w *truth) maintain(a netip.AddrPort) (begins bool) {
	w.troubled = w.now
	w.maintained[a] = !w.maintained[a]
	w.disturbed[a] = w.now
	return w.maintained[a]
}

// order gives an order, or ends the existing one.
func (w *truth) order(at lvs.Backend, order orders.Order) {
	w.troubled = w.now
	if _, given := w.orders[at]; given {
		delete(w.orders, at)
	} else {
		w.orders[at] = order
	}
	if real, err := netip.ParseAddrPort(at.Real); err == nil {
		w.disturbed[real] = w.now
	}
	for _, a := range homes[strings.TrimSuffix(at.Real, ":80")] {
		w.disturbed[a] = w.now
	}
}

// given are the orders without those whose end was seen.
func (w *truth) given() orders.All {
	all := maps.Clone(w.orders)
	maps.Copy(all, w.obeyed)
	return all
}

// orderFor is the order that was in force for a server a time ago.
func (w *truth) orderFor(key lvs.Key, e entry, ago time.Duration) orders.Order {
	called := []string{e.addr.String()}
	if e.name != "" {
		called = append(called, e.name+":80")
	}
	if !e.elsewhere {
		slices.Reverse(called)
	}
	for _, name := range called {
		if order, given := w.orders[lvs.Backend{Virtual: key.ID(), Real: name}]; given &&
			!order.IsOver(w.now.Add(-ago)) {
			return order
		}
	}
	return orders.Order{}
}

// weightOf is the weight that a server has when it is up.
func (w *truth) weightOf(key lvs.Key, e entry, ago time.Duration) uint32 {
	if order := w.orderFor(key, e, ago); order.Kind == orders.Weigh {
		return uint32(order.Weight)
	}
	return e.weight
}

func (w *truth) isMaintained(key lvs.Key, e entry) bool {
	return w.maintained[e.addr] || w.orderFor(key, e, 0).Kind == orders.Maint
}

func (w *truth) refuse(r refusal) {
	w.troubled = w.now
	w.refusal = r
}

// dieAfter lets the daemon make n more changes, then it has crashed.
func (w *truth) dieAfter(n int) {
	w.troubled = w.now
	if w.left < 0 || n < w.left {
		w.left = n
	}
}

func (w *truth) note(line string) {
	const kept = 150
	if w.lines = append(w.lines, line); len(w.lines) > 2*kept {
		w.lines = slices.Delete(w.lines, 0, len(w.lines)-kept)
	}
}

func (w *truth) reported() string {
	return strings.Join(w.lines, "\n")
}

func (s section) dest(e entry) lvs.Dest {
	d := lvs.Dest{Addr: e.addr, Forward: lvs.Route, Weight: e.weight}
	if s.Limited {
		d.Upper = 1
	}
	if e.masq {
		d.Forward = lvs.Masq
	}
	return d
}

// checker makes the check of a real server.
func (w *truth) checker(s checker.Spec) (checker.Checker, error) {
	timeout, check := max(s.Timeout, s.NegotiateTimeout), s.Type
	if s.DrainStatus != "" {
		check = "drains"
	}
	return asking{w, probe{check, s.Target, int(timeout/time.Second) - 10, s.Through.Virtual, s.OnLink,
		s.Protocol == "fwm"}}, nil
}

func (w *truth) history(p probe) *[]outcome {
	if w.results[p] == nil {
		w.results[p] = new([]outcome)
	}
	return w.results[p]
}

func (w *truth) answer(p probe, history *[]outcome, began time.Time) checker.Result {
	now := w.conditions[p.addr]
	if p.addr == sorry { // its check decides nothing
		return checker.Result{OK: w.now.Second() < 30, Detail: "sorry"}
	}
	if now == short {
		return checker.Result{Cause: checker.Shortage, Detail: "too many open files"}
	}
	ok := w.passes(p)
	r := checker.Result{OK: ok, Detail: w.conditions[p.addr].String(), OwnAnswers: w.failsOnlyThrough(p)}
	if p.through.IsValid() {
		r.Way = map[bool]checker.Way{true: checker.WayVoid,
			false: checker.WayThrough}[w.conditions[p.addr] == voided]
	}
	says := now
	switch {
	case p.check == "agent":
		r = now.said()
	case p.check == "drains" && ok:
		r.Report.Admin = now.said().Report.Admin
	default:
		says = wordless
	}
	*history = append(*history, outcome{ok, r.OwnAnswers, w.now, began, says})
	w.show(&r, p.addr)
	return r
}

// clientsOf is how many connections a server got: 20 a second, and one server after the other 200 for two minutes.
func (w *truth) clientsOf(_ lvs.Key, d lvs.Dest) lvs.Traffic {
	octets, now := d.Addr.Addr().As4(), w.now.Unix()
	const turn, round = 120, 480
	busy := now/round*turn + max(0, min(now%round-int64(octets[3])%4*turn, turn))
	return lvs.Traffic{Connections: uint64(20*now + 200*busy)}
}

// show adds what a check sees of a server. One after the other they differ for a minute.
func (w *truth) show(r *checker.Result, a netip.AddrPort) {
	octets := a.Addr().As4()
	if r.Cert, r.Shows = 1, "one"; int64(octets[3])%9 == w.now.Unix()/60%9 {
		r.Cert = 2
	} else if int64(octets[3])%5 == w.now.Unix()/60%5 {
		r.Shows = "two"
	}
	if r.Took = time.Millisecond; int64(octets[3])%7 == w.now.Unix()/120%7 {
		r.Took = time.Second
	}
}

// keep stores what a daemon records for the next one, unless it has crashed.
func (w *truth) keep(records *[]judge.Record) func([]judge.Record) {
	return func(all []judge.Record) {
		if w.left != 0 {
			*records = slices.Clone(all)
		}
	}
}

// mayObey reports whether the checks of a virtual service may be obeyed by order.
func (w *truth) mayObey(key lvs.Key) bool {
	_, may := w.obeyed[lvs.Backend{Virtual: key.ID()}]
	return may
}

func (w *truth) disturbedLately(a netip.AddrPort) bool {
	at, ever := w.disturbed[a]
	return ever && w.since(at) < w.grace()
}
