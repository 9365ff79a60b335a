package director

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"ldirectord/checker"
	"ldirectord/ipvsctl"
	"ldirectord/lvs"
)

// oracle knows, from the file, the servers' conditions and the results of their checks alone, what the
// table must be at rest, and which changes no daemon may ever make. It holds the servers and is
// between the director and the table.
type oracle struct {
	complain func(format string, args ...any)
	on       func(netip.Addr) string // the device that an address is on

	mu         sync.Mutex // guards what follows
	files      []file     // the current one; two while a reload is under way
	conditions map[netip.AddrPort]condition
	results    map[probe]*[]outcome // since this daemon started or began to make this check
	found      map[spot][]probe     // checks of those in service when this daemon started
	changed    map[spot]bool        // a reload gave it other rules or another check
	sorryIn    map[lvs.Key]bool     // the fallback server is in, as the daemon left it
	byHand     map[spot]rest        // changed without repair: may stay while it rests like this
	unseen     map[spot]bool        // changed by hand, with repair or without: the daemon may not know until a quiet time
	orders     Orders               // also those that are over
	maintained map[netip.AddrPort]bool
	disturbed  map[netip.AddrPort]time.Time // when an order or a maintenance file came or went
	foreign    bool                         // somebody else's virtual service is there
	refusal    refusal
	changes    int
	left       int // changes until the daemon dies, negative for never
	ending     bool
	role       part
	claims     []lvs.Key // what the daemon says may be in the table by it
	leaveOracle
	guardOracle
	movedOracle
	lines []string
}

// condition of a server.
type condition int

const (
	healthy condition = iota
	slow
	wrongPage // bad for a negotiate check only
	refusing
	hanging
	short     // the check fails by our own shortage
	unreached // fails through the virtual address alone
	voided    // the way through it can't be judged
	conditions
)

func (c condition) String() string {
	return []string{"healthy", "slow", "wrongPage", "refusing", "hanging", "short", "unreached", "voided"}[c]
}

// refusal is what the table refuses.
type refusal int

const (
	nothing refusal = iota
	everyChange
	someChanges
	everything
	refusals
)

func (r refusal) String() string {
	return "refuses " + []string{"nothing", "every change", "some changes", "everything"}[r]
}

// part is what the daemon plays.
type part int

const (
	inService part = iota
	leaving
	resting
	returning
)

// probe is one check as the oracle tells them apart.
type probe struct {
	check    string
	addr     netip.AddrPort
	interval int
	through  netip.Addr // the virtual address; not valid: its own is asked
	onLink   bool       // without a router: announced, and not by masq
}

// probes are the checks of a server.
func (s section) probes(e entry) []probe {
	through := netip.Addr{}
	if s.vip && !e.masq {
		through = s.at
	}
	onLink := s.announce != "" && !e.masq
	list := []probe{{s.check, e.addr, s.interval, through, onLink}}
	for _, f := range s.also {
		if p := (probe{f.check, netip.AddrPortFrom(e.addr.Addr(), f.port), s.interval, through, onLink}); !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	return list
}

// spot is a place in the table.
type spot struct {
	key  lvs.Key
	addr netip.AddrPort
}

type outcome struct {
	ok    bool
	only  bool // a failure through the virtual address alone
	at    time.Time
	began time.Time
}

const (
	maxResults = 3                       // failurecount and risecount at most
	grace      = 1200 * time.Millisecond // until results and maintenance files are known to the director
)

func newOracle(complain func(string, ...any)) *oracle {
	return &oracle{
		complain:   complain,
		conditions: map[netip.AddrPort]condition{},
		results:    map[probe]*[]outcome{},
		found:      map[spot][]probe{},
		changed:    map[spot]bool{},
		sorryIn:    map[lvs.Key]bool{},
		byHand:     map[spot]rest{},
		unseen:     map[spot]bool{},
		orders:     Orders{},
		maintained: map[netip.AddrPort]bool{},
		disturbed:  map[netip.AddrPort]time.Time{},
		left:       -1,

		leaveOracle: newLeaveOracle(),
		guardOracle: newGuardOracle(),
		movedOracle: newMovedOracle(),
	}
}

// file is the current configuration.
func (o *oracle) file() file {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.files[len(o.files)-1]
}

// offer: from now on either file may hold. take: only this one does.
func (o *oracle) offer(f file) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.troubled = time.Now()
	for addr, s := range f {
		for _, e := range s.servers {
			at := spot{keyFor(addr), e.addr}
			_, was := o.files[0][addr].entry(e.addr)
			o.rechecked[at] = o.rechecked[at] || was && !o.asBefore(addr, s, e)
			o.changed[at] = o.changed[at] || !o.asBefore(addr, s, e)
		}
	}
	o.files = append(o.files, f)
}

func (o *oracle) take(f file) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.troubled = time.Now()
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

// asBefore reports whether the file before had the same rules and check for a server.
func (o *oracle) asBefore(virtual netip.AddrPort, s section, e entry) bool {
	was := o.files[0][virtual]
	old, in := was.entry(e.addr)
	return in && slices.Equal(was.probes(old), s.probes(e)) && was.fall == s.fall && was.rise == s.rise
}

func (o *oracle) set(a netip.AddrPort, c condition) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.conditions[a] = c
}

func (o *oracle) condition(a netip.AddrPort) condition {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.conditions[a]
}

// maintain notes that maintenance of a server begins or ends, and tells which.
func (o *oracle) maintain(a netip.AddrPort) (begins bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.troubled = time.Now()
	o.maintained[a] = !o.maintained[a]
	o.disturbed[a] = time.Now()
	return o.maintained[a]
}

// order gives an order, or takes back the one that there is.
func (o *oracle) order(at Backend, order Order) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.troubled = time.Now()
	if _, given := o.orders[at]; given {
		delete(o.orders, at)
	} else {
		o.orders[at] = order
	}
	if real, err := netip.ParseAddrPort(at.Real); err == nil {
		o.disturbed[real] = time.Now()
	}
	for _, a := range homes[strings.TrimSuffix(at.Real, ":80")] {
		o.disturbed[a] = time.Now()
	}
}

// given are the orders of which no end was seen.
func (o *oracle) given() Orders {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := maps.Clone(o.orders)
	maps.Copy(all, o.obeyed)
	return all
}

// orderFor is the order for a server that holds, some time ago.
func (o *oracle) orderFor(key lvs.Key, e entry, ago time.Duration) Order {
	called := []string{e.addr.String()}
	if e.name != "" {
		called = append(called, e.name+":80")
	}
	if !e.elsewhere {
		slices.Reverse(called)
	}
	for _, name := range called {
		if order, given := o.orders[Backend{Virtual: "tcp:" + key.Addr.String(), Real: name}]; given && !order.IsOver(time.Now().Add(-ago)) {
			return order
		}
	}
	return Order{}
}

// weightOf is the weight that a server has when it is up.
func (o *oracle) weightOf(key lvs.Key, e entry, ago time.Duration) uint32 {
	if order := o.orderFor(key, e, ago); order.Kind == Weigh {
		return uint32(order.Weight)
	}
	return e.weight
}

func (o *oracle) hand(op ipvsctl.Op, before ipvsctl.Service) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.troubled = time.Now()
	o.notePutIn(op, before)
	o.unseen[spot{op.Key, op.Dest.Addr}] = true
	o.foreign = o.foreign || op.Key.Addr == foreign
	o.touch(op)
	if s := o.files[0][op.Key.Addr]; !s.repair && op.Kind >= ipvsctl.AddDest {
		o.byHand[spot{op.Key, op.Dest.Addr}] = anyRest
	}
}

// rest is what a server, or the fallback server, is after a quiet time. Whoever comes from one to another is
// the daemon's again, whatever was done to it by hand.
type rest string

const (
	anyRest  rest = "" // not known yet
	nowhere  rest = "not configured"
	inUse    rest = "in"
	outOfUse rest = "out"
	draining rest = "draining"
)

// settle finds, after a quiet time, what was done by hand and may not stay any more: all of it with a file in
// maintenancedir, but that a server that is out was removed.
func (o *oracle) settle(table ipvsctl.Table) {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.unseen)
	for at, was := range o.byHand {
		if s := o.files[0][at.key.Addr]; o.quota(at.key, s) > 0 || isHome(at.addr) || s.vip {
			continue // who is held did not come to another rest: it may stay until a reload
		}
		now := o.restOf(at)
		o.byHand[at] = now
		_, in := table[at.key].Dests[at.addr]
		moved := was != anyRest && was != now
		e, _ := o.files[0][at.key.Addr].entry(at.addr)
		if (moved || o.isMaintained(at.key, e) && now == outOfUse) && (in || now != outOfUse) {
			delete(o.byHand, at)
		}
	}
}

func (o *oracle) restOf(at spot) rest {
	s := o.files[0][at.key.Addr]
	if _, in := o.dests(at.key, s, nil)[sorry]; at.addr == sorry && in {
		return inUse
	}
	e, configured := s.entry(at.addr)
	switch {
	case !configured || s.check == "off":
		return nowhere
	case !o.passesAll(s, e) || o.isMaintained(at.key, e):
		return outOfUse
	case o.orderFor(at.key, e, 0).Kind == Drain:
		return draining
	default:
		return inUse
	}
}

func (o *oracle) refuse(r refusal) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.troubled = time.Now()
	o.refusal = r
}

// dieAfter lets the daemon make n more changes.
func (o *oracle) dieAfter(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.troubled = time.Now()
	if o.left < 0 || n < o.left {
		o.left = n
	}
}

func (o *oracle) stopping(clean bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ending = clean
	if clean {
		maps.DeleteFunc(o.mustStay, func(at spot, _ time.Time) bool { return o.files[0][at.key.Addr].cleanStop })
	}
}

// claim is what a daemon records for the next one, as long as it lives.
func (o *oracle) claim(keys []lvs.Key) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.left != 0 {
		o.claims = keys
	}
}

// claimed is what the daemon before left behind; one that stopped left nothing that it must remember.
func (o *oracle) claimed() []lvs.Key {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.claims
}

// rest notes which part the daemon plays from now on. What was done by hand a promotion sets right.
func (o *oracle) rest(p part) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.troubled = time.Now()
	o.role = p
	if p == leaving { // nobody waits for those who drain
		clear(o.mustStay)
	}
	if p == leaving && o.refusal == nothing { // else it may serve again before the table let them go
		clear(o.mayStay)
	}
	if p == returning {
		clear(o.gone)
		clear(o.byHand)
		clear(o.putIn)
	}
}

func (o *oracle) rests() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.role == resting
}

func (o *oracle) story(line string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.note(line)
}

func (o *oracle) note(line string) {
	const kept = 150
	if o.lines = append(o.lines, line); len(o.lines) > 2*kept {
		o.lines = slices.Delete(o.lines, 0, len(o.lines)-kept)
	}
}

func (o *oracle) told() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Join(o.lines, "\n")
}

// checker makes the check of a real server.
func (o *oracle) checker(s checker.Spec) (checker.Checker, error) {
	timeout := max(s.Timeout, s.NegotiateTimeout)
	return asking{o, probe{s.Type, s.Target, int(timeout/time.Second) - 10, s.Through.Virtual, s.OnLink}}, nil
}

type asking struct {
	o *oracle
	probe
}

// Check answers after a time that is the server's own, so that results come in the same order in each run.
func (a asking) Check(ctx context.Context) checker.Result {
	history, began := a.o.history(a.probe), time.Now()
	octets := a.addr.Addr().As4()
	wait := time.Duration(octets[3])*time.Millisecond + time.Duration(a.addr.Port()-80+uint16(len(a.check)))*10*time.Microsecond
	switch a.o.condition(a.addr) {
	case slow:
		wait += 700 * time.Millisecond
	case hanging:
		wait += 1500 * time.Millisecond
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		return checker.Result{Detail: "ended"}
	}
	return a.o.answer(a.probe, history, began)
}

func (o *oracle) history(p probe) *[]outcome {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.results[p] == nil {
		o.results[p] = new([]outcome)
	}
	return o.results[p]
}

func (o *oracle) answer(p probe, history *[]outcome, began time.Time) checker.Result {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.conditions[p.addr] == short {
		return checker.Result{Cause: checker.Shortage, Detail: "too many open files"}
	}
	ok := o.passes(p)
	r := checker.Result{OK: ok, Detail: o.conditions[p.addr].String(), OwnAnswers: o.failsOnlyThrough(p)}
	if p.through.IsValid() {
		r.Way = map[bool]checker.Way{true: checker.WayVoid, false: checker.WayThrough}[o.conditions[p.addr] == voided]
	}
	*history = append(*history, outcome{ok, r.OwnAnswers, time.Now(), began})
	return r
}

func (o *oracle) passesAll(s section, e entry) bool {
	return !slices.ContainsFunc(s.probes(e), func(p probe) bool { return !o.passes(p) })
}

func (o *oracle) passes(p probe) bool {
	switch o.conditions[p.addr] {
	case healthy, slow, voided:
		return true
	case unreached:
		return !p.through.IsValid()
	case wrongPage:
		return p.check == "connect"
	default:
		return false
	}
}

// expected is the table at rest, but for what was changed by hand and may stay.
func (o *oracle) expected(have ipvsctl.Table, now *Snapshot) ipvsctl.Table {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.findHeld(have, now)
	o.findMoved(have)
	table := ipvsctl.Table{}
	if o.foreign {
		table[keyFor(foreign)] = ipvsctl.Service{Key: keyFor(foreign), Settings: ipvsctl.Settings{Scheduler: "rr"}}
	}
	for addr, s := range o.files[0] {
		dests := o.dests(keyFor(addr), s, have[keyFor(addr)].Dests)
		o.keptRoutes(s, dests, have[keyFor(addr)].Dests)
		table[keyFor(addr)] = ipvsctl.Service{Key: keyFor(addr), Settings: ipvsctl.Settings{Scheduler: s.scheduler}, Dests: dests}
	}
	o.forget(table)
	return table
}

func (o *oracle) dests(key lvs.Key, s section, found dests) map[netip.AddrPort]lvs.Dest {
	have := map[netip.AddrPort]lvs.Dest{}
	available := false
	for _, e := range s.servers {
		up := s.check != "off" && (o.passesAll(s, e) || o.isBraked(key, s, e, found[e.addr])) && !o.isMaintained(key, e)
		switch {
		case s.check == "off":
		case up && o.orderFor(key, e, 0).Kind == Drain, o.heldAndDrained[spot{key, e.addr}]:
			have[e.addr] = e.dest(0)
		case up, o.held[spot{key, e.addr}]:
			available = true
			have[e.addr] = e.dest(o.weightOf(key, e, 0))
		case s.quiescent:
			have[e.addr] = e.dest(0)
		}
	}
	for _, e := range s.places() {
		if o.servesOn[spot{key, e.addr}] {
			out := o.orderFor(key, e, 0).Kind == Drain || o.isMaintained(key, e)
			available = available || !out
			have[e.addr] = e.dest(map[bool]uint32{false: o.weightOf(key, e, 0)}[out])
		}
	}
	if s.fallback && !available {
		have[sorry] = lvs.Dest{Addr: sorry, Forward: lvs.Route, Weight: 1}
	}
	return have
}

func (e entry) dest(weight uint32) lvs.Dest {
	d := lvs.Dest{Addr: e.addr, Forward: lvs.Route, Weight: weight}
	if e.masq {
		d.Forward = lvs.Masq
	}
	return d
}

func (o *oracle) isMaintained(key lvs.Key, e entry) bool {
	return o.maintained[e.addr] || o.orderFor(key, e, 0).Kind == Maint
}

// judged is a table without what was changed by hand and may stay.
func (o *oracle) judged(table ipvsctl.Table) ipvsctl.Table {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.forget(table)
	return table
}

func (o *oracle) forget(table ipvsctl.Table) {
	for s := range o.byHand {
		delete(table[s.key].Dests, s.addr)
	}
}

// leftover takes out of a table what a stop removes: what cleanstop says, and what is not configured.
func (o *oracle) leftover(table ipvsctl.Table) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, addr := range virtuals {
		if s, in := o.files[0][addr]; !in || s.cleanStop {
			delete(table, keyFor(addr))
		}
	}
}

// live is the table as a new daemon has it.
func (o *oracle) live(m *ipvsctl.Memory) ipvsctl.Client {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.troubled = time.Now()
	clear(o.results)
	clear(o.byHand)
	clear(o.putIn)
	clear(o.gone)
	clear(o.found)
	clear(o.changed)
	clear(o.rechecked)
	clear(o.moved)
	clear(o.sorryIn)
	o.left, o.ending = -1, false
	if o.refusal == everything {
		o.refusal = everyChange // a daemon that can't read the table does not start
	}
	table, _ := m.Read(context.Background())
	for addr, s := range o.files[0] {
		dests := table[keyFor(addr)].Dests
		o.sorryIn[keyFor(addr)] = dests[sorry].Weight > 0
		for _, e := range s.servers {
			if dests[e.addr].Weight > 0 && o.role != resting {
				o.found[spot{keyFor(addr), e.addr}] = s.probes(e)
			}
		}
	}
	return &watched{Memory: m, o: o}
}

// watched is a table of which the oracle sees every change.
type watched struct {
	*ipvsctl.Memory
	o *oracle
}

var errRefused = errors.New("refused")

func (w *watched) Read(ctx context.Context) (ipvsctl.Table, error) {
	if err := w.o.refuses(false); err != nil {
		return nil, err
	}
	return w.Memory.Read(ctx)
}

func (w *watched) Do(ctx context.Context, ops ...ipvsctl.Op) []error {
	return each(ops, func(op ipvsctl.Op) error { return w.do(ctx, op) })
}

func (w *watched) do(ctx context.Context, op ipvsctl.Op) error {
	if err := w.o.refuses(true); err != nil {
		return err
	}
	if on := w.o.on(op.Key.Addr.Addr()); op.Kind == ipvsctl.DelService && on != "" {
		w.o.complain("%v: it is announced on %s", op, on)
	}
	before, _ := w.Memory.Read(ctx)
	if err := w.Memory.Do(ctx, op)[0]; err != nil {
		return err
	}
	after, _ := w.Memory.Read(ctx)
	if wrong := w.o.judge(op, before[op.Key], after[op.Key]); wrong != "" {
		w.o.complain("%v: %s", op, wrong)
	}
	return nil
}

func (o *oracle) refuses(change bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.left == 0 || o.refusal == everything {
		return errRefused
	}
	if !change {
		return nil
	}
	o.changes++
	if o.refusal == everyChange || o.refusal == someChanges && o.changes%3 == 0 {
		return errRefused
	}
	if o.left > 0 {
		o.left--
	}
	return nil
}
