package core

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"ldirectord/internal/history"
	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
	"ldirectord/internal/plan"
	"ldirectord/internal/testkit"
	"ldirectord/internal/view"
	"ldirectord/ipvsctl"
	"ldirectord/parser"
)

const (
	chaosSeeds  = 12 // in go test
	chaosRounds = 12 // rounds of trouble and quiet, for each seed
	roundEvents = 24
	eventGap    = 1500 * time.Millisecond // the longest time between two events
	quietTime   = 25 * time.Second        // the largest checkinterval × failurecount, a hanging check, a retry
)

// TestChaos plays random trouble from a seed against the core: servers that fail, hang, flap, and don't answer clients;
// reloads, maintenance, orders, changes by hand, handovers, crashes, standby, names that move, and a table that refuses
// changes. Orders for addresses and mark rules are slow, or fail; another daemon claims virtual services. One goroutine
// plays all of it, so a seed is always the same story. The oracle checks every change of the table. After each quiet
// period it checks the whole table. CHAOS_SEED plays one seed again. CHAOS_SEEDS is the number of seeds to play, which
// share nothing and run in parallel.
func TestChaos(t *testing.T) {
	var all []*chaos
	for _, seed := range seeds(t) {
		c := newChaos(nil, seed)
		all = append(all, c)
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			c.t = t
			c.play()
			if t.Failed() {
				t.Logf("again: CHAOS_SEED=%d go test -run TestChaos ./internal/core", seed)
			}
		})
	}
	if len(all) >= chaosSeeds {
		t.Cleanup(func() { compareKinds(t, all) }) // when they have played
	}
}

// Whoever looks for the reason of a failure plays its seed again.
func TestASeedIsAlwaysTheSameStory(t *testing.T) {
	var stories [2]string
	for i := range stories {
		c := newChaos(t, 1)
		c.play()
		stories[i] = c.oracle.reported()
	}
	testkit.Equal(t, stories[0], stories[1])
}

func seeds(t *testing.T) (list []uint64) {
	if seed := fromEnvironment(t, "CHAOS_SEED"); seed > 0 {
		return []uint64{seed}
	}
	for seed := range cmp.Or(fromEnvironment(t, "CHAOS_SEEDS"), chaosSeeds) {
		list = append(list, seed+1)
	}
	return list
}

// fromEnvironment is a number above 0, or 0 if the variable is not set.
func fromEnvironment(t *testing.T, variable string) uint64 {
	text := os.Getenv(variable)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n == 0 {
		t.Fatalf("%s = %q, want a number above 0", variable, text)
	}
	return n
}

// chaos is the world of one seed: the servers, the file, the operator, and one daemon after another.
type chaos struct {
	*timeline
	t       *testing.T
	rand    *rand.Rand
	looks   *rand.Rand // of what looks at this machine find
	oracle  *oracle
	table   *ipvsctl.Memory
	names   names
	devices *devices
	daemon  *driver
	ills    []view.Condition // of this machine
}

func newChaos(t *testing.T, seed uint64) *chaos {
	c := &chaos{timeline: &timeline{now: newYear, played: newYear}, t: t, rand: rand.New(rand.NewPCG(seed, 0)),
		looks: rand.New(rand.NewPCG(seed, 1)),
		table: ipvsctl.NewMemory(nil), names: newNames()}
	c.devices = &devices{chaos: c, on: map[netip.Addr]string{}, local: map[netip.Addr]bool{}}
	c.oracle = newOracle(c.timeline, c.complain)
	c.oracle.on = c.devices.on
	return c
}

func (c *chaos) play() {
	c.oracle.take(c.newFile(file{}))
	c.start()
	for range chaosRounds {
		for range roundEvents {
			c.passUpTo(eventGap)
			if c.t.Failed() {
				break
			}
			c.ail()
			c.event()
		}
		c.fix()
		if c.rand.IntN(3) == 0 { // a reload restores what was changed by hand without repair
			c.edit()
		}
		c.settle()
		if c.rand.IntN(chaosRounds) == 0 { // until no server flaps any more
			c.pass(flapsIn)
			c.settle()
		}
		if c.t.Failed() {
			break
		}
	}
	c.stop()
}

// event plays a random event.
func (c *chaos) event() {
	kinds := []struct {
		share int
		play  func()
	}{
		{10, c.turn},
		{5, c.speak},
		{3, c.flap},
		{4, c.ends},
		{2, c.blackout},
		{2, c.cutOff},
		{5, c.edit},
		{4, c.maintenance},
		{4, c.order},
		{6, func() { c.byHand() }},
		{1, c.byHandInAnOutage},
		{4, c.refuse},
		{2, c.hinder},
		{3, c.meet},
		{1, func() { c.handOver(); c.pause(); c.start() }},
		{2, c.crash},
		{2, c.standBy},
		{4, c.traffic},
		{3, c.silence},
		{1, c.obey},
		{1, c.withdraw},
		{3, c.ready},
		{3, c.move},
		{1, func() { c.fix(); c.stop(); c.pause(); c.start() }},
	}
	total := 0
	for _, k := range kinds {
		total += k.share
	}
	at := c.rand.IntN(total)
	for _, k := range kinds {
		if at -= k.share; at < 0 {
			k.play()
			return
		}
	}
}

func (c *chaos) pause() { c.passUpTo(2 * time.Second) }

// passUpTo lets a random time pass.
func (c *chaos) passUpTo(longest time.Duration) { c.pass(time.Duration(c.rand.Int64N(int64(longest)))) }

// turn changes the condition of a server or of its other port.
func (c *chaos) turn() {
	s := c.server()
	if c.rand.IntN(3) == 0 {
		s = netip.AddrPortFrom(s.Addr(), 81)
	}
	now := healthy
	if c.coin() {
		now = condition(c.rand.IntN(int(conditions) + 1)) // conditions itself is saysDrain
	}
	c.say("%s is %v", s, now)
	if c.oracle.conditions[s] = now; now == refusing && c.coin() {
		c.daemon.idle.end(s)
	}
}

func (c *chaos) flap() {
	s := c.server()
	c.say("%s flaps", s)
	for range 2 + c.rand.IntN(6) {
		c.oracle.conditions[s] = refusing
		c.passUpTo(eventGap)
		c.oracle.conditions[s] = healthy
		c.passUpTo(eventGap)
	}
}

// blackout makes all servers fail. They come back one by one.
func (c *chaos) blackout() {
	c.say("all servers fail")
	for _, s := range everyone {
		c.oracle.conditions[s] = refusing
	}
	c.comeBack(1, refusing)
}

// cutOff makes the path through the virtual addresses fail for all servers at once, or be void for some. They come
// back one by one.
func (c *chaos) cutOff() {
	c.say("all fail through the virtual addresses")
	for _, s := range slices.Concat(everyone, otherPorts) {
		if c.oracle.conditions[s] == healthy {
			c.oracle.conditions[s] = unreached
			if c.rand.IntN(6) == 0 {
				c.oracle.conditions[s] = voided
			}
		}
	}
	c.pause()
	c.passUpTo(quietTime)
	c.comeBack(8, unreached, voided)
}

// comeBack heals servers in these conditions one by one, or about this number at once.
func (c *chaos) comeBack(atOnce int, from ...condition) {
	for _, i := range c.rand.Perm(len(everyone)) {
		if c.rand.IntN(atOnce) == 0 {
			c.pause()
		}
		for _, a := range []netip.AddrPort{everyone[i], otherPorts[i]} {
			if slices.Contains(from, c.oracle.conditions[a]) {
				c.oracle.conditions[a] = healthy
			}
		}
	}
}

// edit changes the file and makes the daemon read it.
func (c *chaos) edit() {
	next := c.newFile(c.oracle.file())
	c.say("reload")
	c.load(next, false)
	c.oracle.take(next)
}

// load makes the daemon read another file, or the same one with other addresses of names.
func (c *chaos) load(next file, refines bool) {
	p := c.plan(next)
	c.oracle.offer(next)
	before, began := c.read(), c.now
	c.daemon.replace(p, refines)
	c.oracle.leave(next, before, began)
}

// traffic begins or ends the connections of a server.
func (c *chaos) traffic() {
	s := c.server()
	c.say("%s has connections: %v", s, c.oracle.carry(s))
}

func (c *chaos) maintenance() {
	s := c.server()
	c.say("maintenance of %s: %t", s, c.oracle.maintain(s))
}

// obey gives the order to obey the checks of some virtual services.
func (c *chaos) obey() {
	all := orders.All{}
	for _, v := range virtuals {
		o := orders.Order{Kind: orders.Obey, Since: c.now.Truncate(time.Second)}
		c.drawEnd(&o)
		if c.rand.IntN(3) == 0 {
			all[lvs.Backend{Virtual: keyFor(v).ID()}] = o
		}
	}
	c.oracle.obeyed = all
	c.command(nil)
}

// drawEnd decides at random whether an order ends by itself, and when.
func (c *chaos) drawEnd(o *orders.Order) {
	if c.coin() {
		o.Until = o.Since.Add(time.Duration(1+c.rand.IntN(60)) * time.Second)
	}
}

// order gives an order for a server, or ends it.
func (c *chaos) order() {
	at := lvs.Backend{Virtual: keyFor(c.virtual()).ID(), Real: c.server().String()}
	o := orders.Order{Kind: []orders.Kind{orders.Drain, orders.Maint, orders.Weigh}[c.rand.IntN(3)],
		Since: c.now.Truncate(time.Second)}
	if o.Kind == orders.Weigh {
		o.Weight = 1 + c.rand.IntN(5)
	}
	c.drawEnd(&o)
	for _, host := range hosts {
		if c.names.at[host].String() == at.Real {
			at.Real = host + ":80"
		}
	}
	c.oracle.order(at, o)
	c.command(nil)
}

// ready lets some servers back that wait to come back.
func (c *chaos) ready() {
	some := orders.All{}
	for _, v := range virtuals {
		for _, s := range servers {
			if c.coin() {
				at := lvs.Backend{Virtual: keyFor(v).ID(), Real: s.String()}
				some[at] = orders.Order{Kind: orders.Ready}
			}
		}
	}
	c.oracle.troubled = c.now
	c.command(some)
}

// command gives the daemon the orders.
func (c *chaos) command(ready orders.All) {
	all := c.oracle.given()
	c.say("orders: %v, ready: %v", all, ready)
	c.daemon.event(func() { c.daemon.Order(c.now, all, ready) })
}

// byHand changes the table as an operator may do with ipvsadm. It returns the changed address.
func (c *chaos) byHand() (touched netip.AddrPort) {
	key := keyFor(c.virtual())
	v, there := c.read()[key]
	op := lvs.Op{Key: key, Settings: v.Settings,
		Dest: lvs.Dest{Addr: c.touchedServer(), Forward: lvs.Route, Weight: uint32(c.rand.IntN(4))}}
	if c.oracle.taken[key] {
		return touched
	}
	if d, in := v.Dests.At(op.Dest.Addr); in {
		op.Dest.Forward, op.Dest.Upper = d.Forward, d.Upper
	}
	switch c.rand.IntN(8) {
	case 0:
		op.Kind = lvs.DelService
	case 1:
		op.Kind, op.Settings.Scheduler = lvs.EditService, schedulers[c.rand.IntN(len(schedulers))]
	case 2:
		op.Kind, op.Key = lvs.AddService, keyFor(foreign)
		op.Settings.Scheduler, there = "rr", true
	case 3, 4:
		op.Kind = lvs.DelDest
	default:
		op.Kind = lvs.AddDest
	}
	if !there {
		return touched
	}
	c.say("by hand: %v", op)
	c.oracle.hand(op, v)
	if err := c.table.Do(c.t.Context(), op)[0]; err != nil && !ipvsctl.IsMissing(err) {
		c.t.Fatal(err)
	}
	return op.Dest.Addr
}

// touchedServer is the address of a change by hand: sometimes that of the fallback server.
func (c *chaos) touchedServer() netip.AddrPort {
	if c.rand.IntN(4) == 0 {
		return sorry
	}
	return c.server()
}

// refuse makes the table refuse changes, or answer late, or as it should again.
func (c *chaos) refuse() {
	how := refusal(c.rand.IntN(int(refusals)))
	c.say("the table %v", how)
	c.oracle.refuse(how)
}

func (c *chaos) fix() {
	c.oracle.refuse(nothing)
	c.oracle.takes, c.oracle.fails = 0, false
	c.look()
}

// hinder makes orders for addresses and mark rules slow, or fail.
func (c *chaos) hinder() {
	c.oracle.takes = time.Duration(c.rand.IntN(8)) * 500 * time.Millisecond
	c.oracle.fails = c.rand.IntN(3) == 0
	c.say("orders for addresses and rules take %v, and fail: %t", c.oracle.takes, c.oracle.fails)
}

// crash ends the daemon while it works. The next one may find another file.
func (c *chaos) crash() {
	c.oracle.dieAfter(c.rand.IntN(4))
	if c.rand.IntN(2) == 0 {
		c.edit()
	}
	c.pause()
	c.say("crash")
	c.oracle.dieAfter(0)
	c.daemon.drop()
	c.pause()
	c.start()
}

// standBy makes the daemon a standby for a while, in which other events happen.
func (c *chaos) standBy() {
	c.say("standby")
	c.oracle.rest(leaving)
	c.setStandby(true)
	before, undone := c.read(), c.oracle.refusal != nothing
	undone = undone || c.oracle.failed || c.oracle.takes > 0 // an address that may be announced keeps its services
	if c.oracle.leftover(before); !undone && lvs.Format(c.read()) != lvs.Format(before) {
		c.complain("a standby left\n%sand should have left\n%s", lvs.Format(c.read()), lvs.Format(before))
	}
	c.oracle.rest(resting)
	for range c.rand.IntN(6) {
		c.pause()
		[]func(){c.turn, c.flap, c.edit, c.maintenance, c.order, func() { c.byHand() }, c.refuse, c.crash,
			c.move}[c.rand.IntN(9)]()
	}
	c.say("promotion")
	c.oracle.rest(returning)
	c.setStandby(false)
	c.oracle.rest(inService)
}

func (c *chaos) setStandby(standby bool) {
	c.daemon.event(func() { c.daemon.SetStandby(c.now, standby) })
	c.daemon.settle()
}

func (c *chaos) start() {
	c.say("start")
	c.daemon = c.begin(c.plan(c.oracle.file()))
}

func (c *chaos) handOver() {
	c.say("handover")
	c.oracle.stopping(false)
	c.daemon.drop()
	c.daemon.End(c.now)
}

func (c *chaos) stop() {
	c.say("stop")
	c.oracle.stopping(true)
	before := c.read()
	c.daemon.stop()
	c.oracle.ours = nil
	c.oracle.pass(func() bool { return true })
	c.oracle.leftover(before)
	if left := c.read(); lvs.Format(left) != lvs.Format(before) {
		c.complain("stop left\n%sand should have left\n%s", lvs.Format(left), lvs.Format(before))
	}
}

// byHandInAnOutage changes a server, or the fallback server, before or in an outage of all servers. The change is no
// longer kept if the outage moved that server. Sometimes the outage begins before the daemon noticed the change, and
// spares that server.
func (c *chaos) byHandInAnOutage() {
	c.settle()
	before, unnoticed := c.coin(), c.coin()
	var spared netip.AddrPort
	if before {
		touched := c.byHand()
		if unnoticed {
			spared = touched
		} else {
			c.settle()
		}
	}
	c.say("all servers fail, but for %v", spared)
	for _, s := range everyone {
		if s != spared {
			c.oracle.conditions[s] = refusing
		}
	}
	c.settle()
	if !before {
		c.byHand()
	}
	c.settle()
	c.say("all servers are back")
	for _, s := range everyone {
		c.oracle.conditions[s] = healthy
	}
	c.settle()
}

// settle ends the trouble that has no defined outcome, waits until nothing happens, and compares the table.
func (c *chaos) settle() {
	c.fix()
	for _, s := range slices.Concat(everyone, otherPorts, agents) {
		if now := c.oracle.conditions[s]; now == short || now == saysNothing {
			c.oracle.conditions[s] = healthy
		}
	}
	c.pass(quietTime)
	c.compare()
}

func (c *chaos) read() lvs.Table {
	c.t.Helper()
	return testkit.Must(c.table.Read(c.t.Context()))(c.t)
}

func (c *chaos) compare() {
	c.t.Helper()
	knows := c.beliefs()
	c.oracle.settle(c.read(), knows)
	now := testkit.Must(c.daemon.Why(c.now, "", ""))(c.t)
	for _, wrong := range slices.Concat(forgotten(now), c.oracle.untold(now, c.read()),
		c.oracle.atRest(c.read(), knows)) {
		c.complain("at rest: %s, in\n%s", wrong, lvs.Format(c.read()))
	}
	c.compareAddresses(c.read())
}

// untold are virtual services of which the snapshot does not say what the table says: whether clients get anything.
func (o *oracle) untold(now *view.Snapshot, table lvs.Table) (wrong []string) {
	for _, v := range now.Virtuals {
		serves, isOff := table[v.Key].Dests.Serve(), o.section(v.Key).CheckType == "off"
		if v.Owner == "" && (!isOff && v.Nothing == serves || v.Serving > 0 && !serves) {
			wrong = append(wrong,
				fmt.Sprintf("%s: the table serves: %t; the snapshot: nothing %t, %d serving", v.ID,
					serves, v.Nothing, v.Serving))
		}
	}
	return wrong
}

// forgotten returns where the history contradicts the rest of a snapshot, or is too large.
func forgotten(now *view.Snapshot) (wrong []string) {
	for _, v := range now.Virtuals {
		for _, s := range v.Servers {
			if s.Past == nil || v.Owner != "" {
				continue
			}
			add := func(format string, args ...any) {
				wrong = append(wrong,
					fmt.Sprintf("why of %s of %s: ", s.Real, v.ID)+fmt.Sprintf(format, args...))
			}
			if s.Past.Size() > history.Limit {
				add("the history has %d bytes", s.Past.Size())
			}
			var last history.Record
			for _, r := range s.Past.Records() {
				if r.Kind <= history.Failed && r.Last >= last.Last {
					last = r
				}
			}
			if len(s.Checks) == 0 && last.Times > 0 && !s.Checked.IsZero() &&
				last.Check != history.Former && (last.Kind == history.Passed) != s.Last.OK {
				add("the last result is %s, and was %v", last.Kind, s.Last)
			}
			held, state := false, ""
			for _, d := range s.Past.Records() {
				switch d.Kind {
				case history.Held, history.LetGo:
					held = d.Kind == history.Held
				case history.Up, history.Down:
					state = d.Kind.String()
				}
			}
			if held != (s.Held || s.Drained && held) && !now.Standby {
				add("held is %v in the history, and %v in the snapshot", held, s.Held)
			}
			if state == "up" && s.State == "down" || state == "down" && s.State == "up" {
				add("the last state is %s in the history, and %s in the snapshot", state, s.State)
			}
		}
	}
	return wrong
}

func (c *chaos) server() netip.AddrPort  { return everyone[c.rand.IntN(len(everyone))] }
func (c *chaos) virtual() netip.AddrPort { return virtuals[c.rand.IntN(len(virtuals))] }

func (c *chaos) plan(f file) *plan.Plan {
	p := plannedWith(c.t, f.text(), c.oracle.checker,
		parser.Options{Resolver: c.names, Last: c.names.last, Wait: true})
	c.names.remember(p.Config.Names)
	return p
}

// say adds a line to the story that a failure prints.
func (c *chaos) say(format string, args ...any) {
	c.oracle.note(fmt.Sprintf("%8.3f ", c.since(newYear).Seconds()) + fmt.Sprintf(format, args...))
}

func (c *chaos) complain(format string, args ...any) {
	c.t.Helper()
	c.t.Errorf("%v: %s\nthe story:\n%s\nthe file:\n%s", c.since(newYear), fmt.Sprintf(format, args...),
		c.oracle.reported(), c.oracle.file().text())
}
