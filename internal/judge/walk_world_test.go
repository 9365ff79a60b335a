package judge

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

// A world is one section with all that its decisions depend on: the known facts, the real table, the configuration
// file and the state files. All steps happen at the same instant. A tick moves all times into the past.

const tick = time.Second

var instant = testkit.Time("2026-11-22T00:00:00Z")

// The addresses that a table may have.
const (
	atA     = iota // of the first server
	atA2           // of the first server, after its name has moved
	atB            // of the second server
	sorry          // of the fallback server
	foreign        // of no configured server
	slots
)

var addrs = func() (all [slots]netip.AddrPort) {
	for i := range all {
		all[i] = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, 0, byte(1 + i)}), 80)
	}
	return all
}()

var slotNames = [slots]string{"A", "A'", "B", "fallback", "X"}

func slotOf(addr netip.AddrPort) int { return slices.Index(addrs[:], addr) }

// line is a server's line in the file.
type line struct {
	in     bool
	waits  bool  // its name has no address yet
	at     uint8 // 0: the first address, 1: its name has moved to the second one
	weight uint8
	gate   bool
	backup bool
}

// shape determines a section: the file, and the address from which the first server moved (1: A, 2: A').
type shape struct {
	lines   [2]line
	earlier uint8
	plain   bool // the file has none of the slice's policies
}

// config is a section, with the line of the file for each member.
type config struct {
	*Section
	server []int
}

func (l *line) slot(server int) int {
	if server == 1 {
		return atB
	}
	return atA + int(l.at)
}

func destAt(slot int, gate bool, weight uint32) lvs.Dest {
	d := lvs.Dest{Addr: addrs[slot], Forward: lvs.Masq, Weight: weight}
	if gate {
		d.Forward = lvs.Route
	}
	return d
}

// configOf is the section of a shape. It is made once.
func (sl *slice) configOf(s shape) *config {
	if c := sl.configs[s]; c != nil {
		return c
	}
	c := &config{Section: sl.section(s.plain)}
	add := func(server, slot, movedTo int) {
		l := &s.lines[server]
		c.server = append(c.server, server)
		c.Members = append(c.Members, &Member{At: int32(len(c.Members)),
			Dest: destAt(slot, l.gate, uint32(l.weight)), Unchecked: sl.has(off_), Backup: l.backup,
			MovedTo: int32(movedTo)})
	}
	for server := range s.lines {
		switch l := &s.lines[server]; {
		case l.in && l.waits:
			c.Waiting = append(c.Waiting, uint32(l.weight)*uint32(1-bit(l.backup)))
		case l.in:
			add(server, l.slot(server), -1)
		}
	}
	if s.earlier > 0 {
		add(0, int(s.earlier)-1, 0)
	}
	c.Index()
	sl.configs[s] = c
	return c
}

// record is an entry of the file of leaving servers.
type record struct {
	listed bool
	stays  bool
	until  int8 // ticks from now
}

type world struct {
	Case
	sl *slice
	shape
	cfg *config

	table lvs.Dests // the kernel's table
	there bool      // the virtual service is in the kernel's table
	conns [slots]bool

	orders [2]Order // the files of state
	obey   bool
	files  [2]bool
	left   [slots]record
	moving [slots]Record

	dead   bool // no daemon is running
	failed bool // the last change failed, and waits for another try
	placed bool // this director has set up the section

	reported Decision // the last decision, and what was done for it; not part of the key
	did      []string
}

// fork is a copy that shares nothing that changes.
func (w *world) fork() *world {
	c := *w
	c.State, c.table = w.Clone(), slices.Clone(w.table)
	c.Have, c.Last = w.Have, w.Last // they are only replaced, never changed
	c.did = nil
	return &c
}

// has reports whether the file has a capability of the slice now.
func (w *world) has(c capability) bool { return w.sl.has(c) && !(w.plain && c&^policies == 0) }

// use sets the world's section to that of its shape.
func (w *world) use() {
	w.cfg = w.sl.configOf(w.shape)
	w.Section = w.cfg.Section
}

// unknownServers are the servers of a section before anything is known of them.
func (w *world) unknownServers() []Server {
	all := make([]Server, len(w.Members))
	for i := range all {
		all[i].Member = w.Members[i]
		all[i].First.Pending = !w.Members[i].Unchecked
		if w.sl.checks > 1 {
			all[i].More = []Check{{Pending: !w.Members[i].Unchecked, Line: 1,
				Part: uint8(50 * bit(w.sl.has(tells)))}}
		}
		for _, check := range all[i].Checks() {
			if w.sl.has(strength | brake) {
				check.Way = &Way{Tells: w.sl.has(brake)}
			}
		}
	}
	return all
}

// unknown is the state of a section before anything is known of it.
func (w *world) unknown() (s State) {
	if s.Servers = w.unknownServers(); w.sl.has(brake) {
		s.Paths = make([]Path, w.sl.checks)
	}
	return s
}

// mishap is what goes wrong with one operation of a step.
type mishap struct {
	kind mishapKind
	at   int
}

type mishapKind uint8

const (
	allWell mishapKind = iota
	refused            // it is not made, and an error is returned
	lost               // it is made, but an error is returned
	crash              // the daemon ends before it
	mishapKinds
)

// decide applies the rules, as the director does.
func (w *world) decide() Decision {
	w.count()
	d := Decide(w.Case, instant)
	moved := false
	for i := range w.Servers {
		moved = moved || d.State.Servers[i].Gone != w.Servers[i].Gone
	}
	if w.Adopt(d.State); moved {
		w.record()
	}
	w.obey = w.Obeys
	w.noteMoving()
	w.reported = d
	return d
}

// count reads the connections of the servers, if one is to change to gate.
func (w *world) count() {
	reroutes := false
	for i := range w.Members {
		d, in := w.Have.At(w.Members[i].Dest.Addr)
		reroutes = reroutes || in && w.Members[i].Reroutes(d)
	}
	for i := range w.Members {
		if reroutes {
			w.Servers[i].Counted(uint32(bit(w.conns[slotOf(w.Members[i].Dest.Addr)])))
		}
	}
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// wanted are the places of a decision, ordered as in a table.
func (d *Decision) wanted() lvs.Dests {
	all := make(lvs.Dests, 0, slots)
	for i := range addrs {
		if p, in := d.Places[addrs[i]]; in {
			all = append(all, p)
		}
	}
	if len(all) != len(d.Places) {
		panic(fmt.Sprint("a place at an unknown address: ", d.Places))
	}
	return all
}

// sync updates the table after an event, as the director does.
func (w *world) sync(m mishap) {
	defer w.conclude()
	w.Away = w.sl.has(strength) && w.IsOurs()
	d := w.decide()
	switch {
	case !w.IsOurs(), w.failed:
	case w.Known:
		w.write(&d, m)
	default:
		w.readAndWrite(m)
	}
}

// conclude evaluates what was done. That may end a wait.
func (w *world) conclude() {
	w.weigh()
	if !w.dead && w.HasGathered() {
		w.sync(mishap{})
	}
}

func (w *world) readAndWrite(m mishap) {
	w.Read(slices.Clone(w.tableAsRead()))
	d := w.decide()
	w.write(&d, m)
}

func (w *world) tableAsRead() lvs.Dests {
	if w.table == nil {
		return lvs.Dests{}
	}
	return w.table
}

var key = lvs.Key{Protocol: lvs.TCP, Addr: netip.MustParseAddrPort("10.1.0.1:80")}
var settings = lvs.Settings{Scheduler: "wrr", Netmask: lvs.EachClient(false)}

func serviceOf(dests lvs.Dests, there bool) lvs.VirtualService {
	if !there {
		return lvs.VirtualService{}
	}
	s := lvs.VirtualService{Key: key, Settings: settings}
	for _, d := range dests {
		s.Dests.Put(d)
	}
	return s
}

// write makes the changes from the known contents of the table to the wanted ones, in the order of the director.
func (w *world) write(d *Decision, m mishap) {
	want, exists := d.wanted(), w.Known || w.there
	if exists && slices.Equal(want, w.Have) {
		w.Wrote(want)
		w.placed, w.failed = true, false
		return
	}
	missing, n := false, 0
	w.Have = slices.Clone(w.Have) // other worlds have it, too
	one := NewWrite(&w.Case, serviceOf(w.Have, exists), serviceOf(want, true))
	writes := NewWrites([]*Write{one})
	for ops := writes.Next(); len(ops) > 0; ops = writes.Next() {
		for i := range ops {
			hit := m.kind != allWell && n == m.at
			if n++; hit && m.kind == crash {
				w.did = append(w.did, "the daemon ends before: "+describe(ops[i]))
				w.end()
				return
			}
			var o Outcome
			switch made := hit && m.kind == refused || w.carryOut(&ops[i]); {
			case !made:
				o, missing = Outcome{Missing, errMishap}, true
			case hit:
				o = Outcome{[...]Answer{refused: Refused, lost: Unanswered}[m.kind], errMishap}
			}
			writes.Answered(i, o)
			w.did = append(w.did, describe(ops[i])+
				[...]string{"", ": refused", ": made, but an error is returned",
					""}[bit(hit)*int(m.kind)])
		}
	}
	switch {
	case missing && w.Known: // the table was changed by hand: it is read at once
		w.notice()
		again := w.decide()
		w.write(&again, mishap{})
	case one.Err != nil:
		if w.Lost(); !w.there {
			w.Last = nil
		}
		w.failed = true
	default:
		w.Wrote(want)
		w.placed, w.failed = true, false
	}
}

var errMishap = errors.New("mishap")

func describe(op lvs.Op) string {
	what := [...]string{"add the virtual service", "edit it", "remove it", "add", "change", "remove"}[op.Kind]
	if op.Kind < lvs.AddDest {
		return what
	}
	return fmt.Sprintf("%s %s", what, describeDest(op.Dest))
}

func describeDest(d lvs.Dest) string {
	forward := "masq"
	if d.Forward == lvs.Route {
		forward = "gate"
	}
	return fmt.Sprintf("%s %s weight %d", slotNames[slotOf(d.Addr)], forward, d.Weight)
}

// noteOp applies an operation to a table.
func noteOp(all *lvs.Dests, op *lvs.Op) {
	switch op.Kind {
	case lvs.AddDest, lvs.EditDest:
		all.Put(op.Dest)
	case lvs.DelDest:
		all.Remove(op.Dest.Addr)
	}
}

// carryOut makes an operation, and reports whether the entry that it changes was there.
func (w *world) carryOut(op *lvs.Op) bool {
	_, in := w.table.At(op.Dest.Addr)
	switch op.Kind {
	case lvs.AddService:
		w.there = true
	case lvs.DelDest:
		w.conns[slotOf(op.Dest.Addr)] = false
		for i := range w.Members {
			if w.Members[i].Dest.Addr == op.Dest.Addr {
				w.Servers[i].Counted(0)
			}
		}
	}
	if op.Kind >= lvs.AddDest && (!w.there || op.Kind > lvs.AddDest && !in) {
		return false
	}
	noteOp(&w.table, op)
	return true
}

// notice records the changes that others made to the table since it was written.
func (w *world) notice() {
	if !w.there {
		w.Vanished()
		w.placed = false
		return
	}
	ops := lvs.DiffService(serviceOf(w.Have, true), serviceOf(w.table, true))
	slices.SortStableFunc(ops, func(a, b lvs.Op) int { return a.Dest.Addr.Compare(b.Dest.Addr) })
	w.Read(slices.Clone(w.tableAsRead()))
	for _, op := range ops {
		w.Changed(op.Dest.Addr, op.Kind != lvs.DelDest, false)
	}
}

// lookAtTable compares the table with what was written, and updates it.
func (w *world) lookAtTable(m mishap) {
	if !w.Known {
		return
	}
	if !w.there || !slices.Equal(w.Have, w.table) {
		w.notice()
		d := w.decide()
		w.write(&d, m)
		w.conclude()
		return
	}
	w.sync(m) // connections may have ended
}

// record writes the file of leaving servers.
func (w *world) record() {
	w.left = [slots]record{}
	if !w.IsOurs() {
		return
	}
	for _, l := range w.Departing {
		if l.Until.IsZero() {
			continue
		}
		w.left[slotOf(l.Addr)] = record{listed: true, until: int8(l.Until.Sub(instant) / tick)}
	}
	for s := range w.all() {
		if s.MovedTo >= 0 && s.Suspended() {
			w.left[slotOf(s.Dest.Addr)] = record{listed: true, stays: true}
		}
	}
}

// end ends the daemon. The table and the files stay.
func (w *world) end() {
	w.Case, w.dead, w.failed, w.placed = Case{}, true, false, false
	w.earlier = 0
	w.use()
}

// begin starts a daemon, which adopts the table as it finds it.
func (w *world) begin(m mishap) {
	w.dead, w.shape.earlier = false, 0
	if a := &w.lines[0]; w.sl.has(moved_) && a.in && !a.waits {
		from := atA + 1 - int(a.at)
		_, serves := w.table.At(addrs[from])
		if r := w.left[from]; r.listed {
			serves = r.stays
		}
		if serves {
			w.shape.earlier = uint8(from + 1)
		}
	}
	w.use()
	w.State = w.unknown()
	for i := range w.Servers {
		if d, in := w.table.At(w.Members[i].Dest.Addr); in && d.Weight > 0 {
			w.Servers[i].Assume()
		}
	}
	for i := range w.Servers {
		addr := w.Servers[i].Dest.Addr
		m, weight := w.moving[slotOf(addr)], w.table.Weight(addr)
		if (m.Memory != (Memory{}) || m.Reports != (Spoken{})) && !w.Resume(&w.Servers[i], m, weight, instant) {
			w.Changed(addr, true, false)
		}
	}
	for slot, r := range w.left {
		if _, in := w.table.At(addrs[slot]); in && r.listed && !r.stays {
			w.SendOff(Departure{Addr: addrs[slot], Until: instant.Add(time.Duration(r.until) * tick)},
				instant)
		}
	}
	w.obeyFiles()
	w.record()
	w.sync(m)
}

// obeyFiles carries out the orders and the maintenance files.
func (w *world) obeyFiles() {
	if w.Obeys != w.obey {
		for _, at := range w.Obey(w.obey) {
			w.judge(at, false, NotReached)
		}
	}
	for i := range w.Servers {
		if o := w.orders[w.cfg.server[i]]; o != w.Servers[i].Order {
			w.Servers[i].Ordered(o)
		}
	}
	for i := range w.Servers {
		if file := w.files[w.cfg.server[i]]; file != w.Servers[i].File {
			w.Servers[i].Maintained(file)
		}
	}
}

// standBy has another director serve, or this one again.
func (w *world) standBy(is bool) {
	if w.Owner = ""; is {
		w.Owner = ActiveDirector
	}
}

// reload loads another file. With refines, only names have got an address. Known, if not 0, is the result that another
// section's check already has: 1 is a pass, 2 a failure. The server at line other, if any, has another check than
// before.
func (w *world) reload(lines [2]line, refines bool, known uint8, other int, m mishap) {
	was := w.Case.clone()
	w.shape = shape{lines: lines, plain: w.plain}
	if a := &lines[0]; w.sl.has(moved_) && a.in {
		if from := atA + 1 - int(a.at); was.WouldServe(addrs[from]) {
			w.shape.earlier = uint8(from + 1)
		}
	}
	w.use()
	w.State = w.unknown()
	w.Claim = was.Claim
	before := func(i int) *Server {
		for o := range was.Servers {
			if !was.Servers[o].Gone && was.Members[o].Dest.Addr == w.Members[i].Dest.Addr {
				return &was.Servers[o]
			}
		}
		return nil
	}
	w.Carry(&was, w.placed, before, func(i, k int) *Check {
		old := before(i)
		if old == nil || k == 0 && w.cfg.server[i] == other {
			return nil
		}
		return old.Check(k)
	})
	if refines {
		w.CarryTable(&was)
		for i := range w.Servers {
			if old := before(i); old != nil {
				w.Servers[i].CarryOrders(old)
			}
		}
	} else {
		w.failed = false
	}
	if was.IsOurs() {
		for _, l := range was.Departing {
			w.SendOff(l, instant)
		}
		for o := range was.Servers {
			if !was.Servers[o].Gone {
				w.SendOff(Departure{Addr: was.Members[o].Dest.Addr}, instant)
			}
		}
	}
	for i := range w.Servers {
		s := &w.Servers[i]
		state := s.Health()
		for _, check := range s.Checks() {
			if known > 0 && check.Health.State == health.Unknown {
				check.Learn(w.Rule, known == 1, NotReached)
			}
		}
		if s.Health() != state {
			w.Learned(s)
		}
	}
	w.obeyFiles()
	w.record()
	w.sync(m)
}

// clone is a copy of a case that shares nothing but the section.
func (c *Case) clone() Case { return Case{c.Section, c.Clone()} }

// movesWeights are the capabilities with which the file of moving weights is written.
const movesWeights = slow | tells | holddown | byOrdered | paced | timed | policy

// noteMoving writes the file of moving weights.
func (w *world) noteMoving() {
	if !w.sl.has(movesWeights) {
		return
	}
	recorded := w.moving
	w.moving = [slots]Record{}
	for s := range w.all() {
		m, motion := &w.moving[slotOf(s.Dest.Addr)], s.Memory
		if !w.sl.has(movesWeights &^ tells) {
			motion = Memory{}
		}
		switch was := recorded[slotOf(s.Dest.Addr)]; {
		case motion == (Memory{}) && s.Spoken() == (Spoken{}):
		case was.Memory == motion && was.Of == w.Goal(s) && was.Reports == s.Spoken():
			*m = was
		default:
			*m = Record{Weight: w.Have.Weight(s.Dest.Addr), Of: w.Goal(s), Memory: motion,
				Reports: s.Spoken()}
		}
	}
}

// climbs reports whether the weight of a server changes with time.
func (w *world) climbs() bool {
	return slices.ContainsFunc(w.moving[:], func(m Record) bool { return !m.Climbs.IsZero() }) ||
		slices.ContainsFunc(w.Servers, func(s Server) bool { return !s.Climbs.IsZero() })
}

// weigh counts whether enough servers are up, if the slice needs that.
func (w *world) weigh() {
	if w.sl.has(strength) && !w.dead {
		w.Weigh()
	}
}
