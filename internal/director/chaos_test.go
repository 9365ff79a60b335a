package director

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/core"
	"ldirectord/internal/lvs"
	"ldirectord/internal/maintenance"
	"ldirectord/internal/notify"
	"ldirectord/internal/orders"
	"ldirectord/internal/plan"
	"ldirectord/internal/view"
	"ldirectord/ipvsctl"
	"ldirectord/parser"
)

const (
	chaosSeeds  = 8  // in go test
	chaosRounds = 12 // rounds of trouble and quiet, for each seed
	roundEvents = 24
	eventGap    = 1500 * time.Millisecond // the longest time between two events
	quietTime   = 25 * time.Second        // the largest checkinterval × failurecount, a hanging check, a retry
)

// TestChaos plays random trouble from a seed against the director: servers that fail, hang, flap, and don't answer
// clients; reloads, maintenance, orders, changes by hand, handovers, crashes, standby, names that move, and a table
// that refuses changes. The oracle checks every change of the table. After each quiet period it checks the whole
// table. CHAOS_SEED plays one seed again. CHAOS_SEEDS is the number of seeds to play, which share nothing and run in
// parallel.
func TestChaos(t *testing.T) {
	for _, seed := range seeds(t) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) { newChaos(t, seed, dir).play() })
			if t.Failed() {
				t.Logf("again: CHAOS_SEED=%d go test -run TestChaos ./director", seed)
			}
		})
	}
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
	t       *testing.T
	rand    *rand.Rand
	dir     string // maintenancedir
	oracle  *oracle
	table   *ipvsctl.Memory
	begun   time.Time
	names   names
	devices *devices
	idle    *idle

	director *Director
	journal  *notify.Journal
	end      context.CancelCauseFunc
	ended    chan error
}

func newChaos(t *testing.T, seed uint64, dir string) *chaos {
	c := &chaos{
		t: t, rand: rand.New(rand.NewPCG(seed, 0)), dir: dir,
		table: ipvsctl.NewMemory(nil), begun: time.Now(), names: newNames(),
	}
	c.oracle = newOracle(c.complain)
	c.devices = newDevices(func(what string) { c.say("address: %s", what) })
	c.oracle.on = c.devices.where
	return c
}

func (c *chaos) play() {
	c.oracle.take(c.newFile(file{}))
	c.start()
	for range chaosRounds {
		for range roundEvents {
			time.Sleep(time.Duration(c.rand.Int64N(int64(eventGap))))
			if c.t.Failed() {
				break
			}
			c.event()
		}
		c.fix()
		if c.rand.IntN(3) == 0 { // a reload restores what was changed by hand without repair
			c.edit()
		}
		c.settle()
		if c.t.Failed() {
			break
		}
	}
	c.stop(nil)
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
		{1, func() { c.stop(ErrHandover); c.pause(); c.start() }},
		{2, c.crash},
		{2, c.standBy},
		{4, c.traffic},
		{3, c.silence},
		{1, c.obey},
		{1, c.withdraw},
		{3, c.move},
		{1, func() { c.fix(); c.stop(nil); c.pause(); c.start() }},
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

func (c *chaos) pause() { time.Sleep(time.Duration(c.rand.Int64N(int64(2 * time.Second)))) }

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
	if c.oracle.set(s, now); now == refusing && c.coin() {
		c.idle.end(s)
	}
}

func (c *chaos) flap() {
	s := c.server()
	c.say("%s flaps", s)
	for range 2 + c.rand.IntN(6) {
		c.oracle.set(s, refusing)
		time.Sleep(time.Duration(c.rand.Int64N(int64(eventGap))))
		c.oracle.set(s, healthy)
		time.Sleep(time.Duration(c.rand.Int64N(int64(eventGap))))
	}
}

// blackout makes all servers fail. They come back one by one.
func (c *chaos) blackout() {
	c.say("all servers fail")
	for _, s := range everyone {
		c.oracle.set(s, refusing)
	}
	for _, i := range c.rand.Perm(len(everyone)) {
		c.pause()
		c.oracle.set(everyone[i], healthy)
	}
}

// cutOff makes the path through the virtual addresses fail for all servers at once, or be void for some. They come
// back one by one.
func (c *chaos) cutOff() {
	c.say("all fail through the virtual addresses")
	for _, s := range slices.Concat(everyone, otherPorts) {
		if c.oracle.condition(s) == healthy {
			c.oracle.set(s, []condition{unreached, unreached, unreached, unreached, unreached,
				voided}[c.rand.IntN(6)])
		}
	}
	c.pause()
	time.Sleep(time.Duration(c.rand.Int64N(int64(quietTime))))
	for _, i := range c.rand.Perm(len(everyone)) {
		if c.rand.IntN(8) == 0 {
			c.pause()
		}
		for _, a := range []netip.AddrPort{everyone[i], otherPorts[i]} {
			if now := c.oracle.condition(a); now == unreached || now == voided {
				c.oracle.set(a, healthy)
			}
		}
	}
}

// edit changes the file and makes the daemon read it.
func (c *chaos) edit() {
	next := c.newFile(c.oracle.file())
	c.say("reload")
	p := c.plan(next)
	c.oracle.offer(next)
	before, began := c.read(), time.Now()
	if err := c.director.Reload(c.t.Context(), p); err != nil {
		c.t.Error(err)
	}
	c.oracle.leave(next, before, began)
	c.oracle.take(next)
}

// traffic begins or ends the connections of a server.
func (c *chaos) traffic() {
	s := c.server()
	c.say("%s has connections: %v", s, c.oracle.carry(s))
}

func (c *chaos) maintenance() {
	s := c.server()
	name := filepath.Join(c.dir, s.String())
	if c.oracle.maintain(s) {
		c.say("maintenance of %s begins", s)
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			c.t.Fatal(err)
		}
		return
	}
	c.say("maintenance of %s ends", s)
	if err := os.Remove(name); err != nil {
		c.t.Fatal(err)
	}
}

// obey gives the order to obey the checks of some virtual services.
func (c *chaos) obey() {
	all := orders.All{}
	for _, v := range virtuals {
		o := orders.Order{Kind: orders.Obey, Since: time.Unix(time.Now().Unix(), 0).UTC()}
		if c.coin() {
			o.Until = o.Since.Add(time.Duration(1+c.rand.IntN(60)) * time.Second)
		}
		if c.rand.IntN(3) == 0 {
			all[lvs.Backend{Virtual: "tcp:" + v.String()}] = o
		}
	}
	c.say("obey: %v", all)
	c.oracle.obey(all)
	c.director.Order(c.t.Context(), c.oracle.given())
}

// order gives an order for a server, or ends it.
func (c *chaos) order() {
	at := lvs.Backend{Virtual: "tcp:" + c.virtual().String(), Real: c.server().String()}
	o := orders.Order{Kind: []orders.Kind{orders.Drain, orders.Maint, orders.Weigh}[c.rand.IntN(3)], Since: time.Unix(time.Now().Unix(), 0).UTC()}
	if o.Kind == orders.Weigh {
		o.Weight = 1 + c.rand.IntN(5)
	}
	if c.coin() {
		o.Until = o.Since.Add(time.Duration(1+c.rand.IntN(60)) * time.Second)
	}
	for _, host := range hosts {
		if c.names.at[host].String() == at.Real {
			at.Real = host + ":80"
		}
	}
	c.oracle.order(at, o)
	all := c.oracle.given()
	c.say("orders: %v", all)
	c.director.Order(c.t.Context(), all)
}

// byHand changes the table as an operator may do with ipvsadm. It returns the changed address.
func (c *chaos) byHand() (touched netip.AddrPort) {
	key := keyFor(c.virtual())
	v, there := c.read()[key]
	op := lvs.Op{Key: key, Settings: v.Settings,
		Dest: lvs.Dest{Addr: c.touchedServer(), Forward: lvs.Route, Weight: uint32(c.rand.IntN(4))}}
	if d, in := v.Dests.At(op.Dest.Addr); in {
		op.Dest.Forward = d.Forward
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

// refuse makes the table refuse changes, or accept them again.
func (c *chaos) refuse() {
	how := refusal(c.rand.IntN(int(refusals)))
	c.say("the table %v", how)
	c.oracle.refuse(how)
}

func (c *chaos) fix() { c.oracle.refuse(nothing) }

// crash ends the daemon while it works. The next one may find another file.
func (c *chaos) crash() {
	c.oracle.dieAfter(c.rand.IntN(4))
	if c.rand.IntN(2) == 0 {
		c.edit()
	}
	c.pause()
	c.say("crash")
	c.oracle.dieAfter(0)
	c.devices.broken.Store(true)
	c.stop(ErrHandover)
	c.pause()
	c.start()
}

// standBy makes the director a standby for a while, in which other events happen.
func (c *chaos) standBy() {
	c.say("standby")
	c.oracle.rest(leaving)
	c.setStandby(true)
	c.oracle.rest(resting)
	for range c.rand.IntN(6) {
		c.pause()
		[]func(){c.turn, c.flap, c.edit, c.maintenance, c.order, func() { c.byHand() }, c.refuse, c.crash, c.move}[c.rand.IntN(9)]()
	}
	c.say("promotion")
	c.oracle.rest(returning)
	c.setStandby(false)
	c.oracle.rest(inService)
}

func (c *chaos) setStandby(standby bool) {
	if err := c.director.SetStandby(c.t.Context(), standby); err != nil {
		c.t.Error(err)
	}
}

func (c *chaos) start() {
	c.say("start")
	p := c.plan(c.oracle.file())
	c.journal = notify.NewJournal(func(e notify.Event) { c.say("log: %s", e.Text) })
	c.devices.broken.Store(false)
	c.director = New(Deps{
		Announcer: c.devices, Table: c.oracle.live(c.table), Maintenance: maintenance.New(nil).Watch, Claims: claimer(c.oracle.claim), World: core.World{
			Withdraw: true, Tell: []core.Receiver{core.Words(c.journal.Emit), core.Posts(slowHooks{}.Post), core.Commands(slowHooks{}.Run)}, Orders: c.oracle.given(), Former: c.oracle.claimed(), Standby: c.oracle.rests(), Leavers: c.oracle.recordedLeavers(), Leave: c.oracle.recordLeavers, Moving: c.oracle.recordedMoving(), Move: c.oracle.recordMoving,
		},
	})
	c.idle = newIdle(c.director, func(what string) { c.say("%s", what) })
	c.oracle.director = c.director // before the new director runs, after the end of the old one
	ctx, end := context.WithCancelCause(context.Background())
	c.end, c.ended = end, make(chan error, 1)
	go func(d *Director) { c.ended <- d.Run(ctx, p) }(c.director)
	<-c.director.Started()
}

func (c *chaos) stop(cause error) {
	c.say("stop: %v", cause)
	c.oracle.stopping(cause == nil)
	before := c.read()
	c.end(cause)
	if err := <-c.ended; err != nil {
		c.t.Error(err)
	}
	if cause == nil {
		c.oracle.claim(nil)
		c.oracle.leftover(before)
		if left := c.read(); lvs.Format(left) != lvs.Format(before) {
			c.complain("stop left\n%sand should have left\n%s", lvs.Format(left),
				lvs.Format(before))
		}
	}
	if err := c.journal.Close(context.Background()); err != nil {
		c.t.Error(err)
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
			c.oracle.set(s, refusing)
		}
	}
	c.settle()
	if !before {
		c.byHand()
	}
	c.settle()
	c.say("all servers are back")
	for _, s := range everyone {
		c.oracle.set(s, healthy)
	}
	c.settle()
}

// settle ends the trouble that has no defined outcome, waits until nothing happens, and compares the table.
func (c *chaos) settle() {
	c.fix()
	for _, s := range slices.Concat(everyone, otherPorts, agents) {
		if now := c.oracle.condition(s); now == short || now == saysNothing {
			c.oracle.set(s, healthy)
		}
	}
	time.Sleep(quietTime)
	synctest.Wait()
	c.compare()
}

func (c *chaos) read() lvs.Table {
	c.t.Helper()
	table, err := c.table.Read(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	return table
}

func (c *chaos) compare() {
	c.t.Helper()
	knows := c.beliefs()
	c.oracle.settle(c.read(), knows)
	now, err := c.director.Why(c.t.Context(), "", "")
	if err != nil {
		c.t.Fatal(err)
	}
	for _, wrong := range slices.Concat(forgotten(now), untold(now, c.read()), c.oracle.atRest(c.read(), knows)) {
		c.complain("at rest: %s, in\n%s", wrong, lvs.Format(c.read()))
	}
	c.compareAddresses(c.read())
}

// untold are virtual services of which the snapshot does not say what the table says: whether clients get anything.
func untold(now *view.Snapshot, table lvs.Table) (wrong []string) {
	for _, v := range now.Virtuals {
		serves := table[v.Key].Dests.Serve()
		isOff := slices.ContainsFunc(v.Servers, func(s view.Server) bool { return s.State == "off" })
		if !isOff && v.Nothing == serves || v.Serving > 0 && !serves {
			wrong = append(wrong, fmt.Sprintf("%s: the table serves: %t; the snapshot: nothing %t, %d serving", v.ID, serves, v.Nothing, v.Serving))
		}
	}
	return wrong
}

func (c *chaos) server() netip.AddrPort  { return everyone[c.rand.IntN(len(everyone))] }
func (c *chaos) virtual() netip.AddrPort { return virtuals[c.rand.IntN(len(virtuals))] }

func (c *chaos) plan(f file) *plan.Plan {
	cfg, found := parser.Parse(c.t.Context(), "chaos.cf", []byte(f.text(c.dir)),
		parser.Options{Resolver: c.names, Last: c.names.last, Wait: true})
	if found.HasErrors() {
		c.t.Fatal(found)
	}
	c.names.remember(cfg.Names)
	p, found := plan.New(cfg, c.oracle.checker)
	if found.HasErrors() {
		c.t.Fatal(found)
	}
	return p
}

// say adds a line to the story that a failure prints.
func (c *chaos) say(format string, args ...any) {
	c.oracle.story(fmt.Sprintf("%8.3f ", time.Since(c.begun).Seconds()) + fmt.Sprintf(format, args...))
}

func (c *chaos) complain(format string, args ...any) {
	c.t.Helper()
	c.t.Errorf("%v: %s\nthe story:\n%s\nthe file:\n%s", time.Since(c.begun), fmt.Sprintf(format, args...),
		c.oracle.told(), c.oracle.file().text(c.dir))
}

// slowHooks are commands that take two seconds. For one virtual service they never end.
type slowHooks struct{}

func (slowHooks) Run(h notify.Hook) { slowHooks{}.Post(h.Key, h.Stdin, h.Ended) }

func (slowHooks) Post(virtual string, _ []byte, tried func()) {
	if tried != nil && virtual != "tcp:"+virtuals[2].String() {
		time.AfterFunc(2*time.Second, tried)
	}
}
