package judge

import (
	"math/bits"
	"net/netip"
	"slices"
	"time"

	"ldirectord/internal/lvs"
)

// words is a world in canonical form.
type words [7]uint64

// codec writes a world into words, or reads it from there. One list of fields serves for both. A field that is missing
// in the list is noticed, because the world read differs from the one written.
type codec struct {
	words words
	at    int // bits so far
	reads bool
}

func (c *codec) bits(v uint64, n int) uint64 {
	word, shift := c.at>>6, c.at&63
	c.at += n
	if c.reads {
		v = c.words[word] >> shift
		if shift+n > 64 {
			v |= c.words[word+1] << (64 - shift)
		}
		return v & (1<<n - 1)
	}
	if v>>n != 0 {
		panic("a value is too large for its place in the key")
	}
	c.words[word] |= v << shift
	if shift+n > 64 {
		c.words[word+1] |= v >> (64 - shift)
	}
	return v
}

func num[T ~uint8 | ~uint32 | ~int | ~int8](c *codec, v *T, n int) { *v = T(c.bits(uint64(*v), n)) }

func (c *codec) flags(all ...*bool) {
	for _, v := range all {
		*v = c.bits(uint64(bit(*v)), 1) == 1
	}
}

// when encodes a time in ticks from now: up to seven in the future or in the past.
func (c *codec) when(t *time.Time) {
	n := uint8(0)
	if !t.IsZero() {
		n = uint8(8 + t.Sub(instant)/tick)
	}
	if num(c, &n, 4); n > 0 {
		*t = instant.Add(time.Duration(int(n)-8) * tick)
	}
}

func (w *world) encode() words {
	c := codec{}
	w.code(&c)
	return c.words
}

func (sl *slice) decode(all words) *world {
	c := codec{words: all, reads: true}
	w := &world{sl: sl}
	w.code(&c)
	return w
}

// code lists all fields of a world.
func (w *world) code(c *codec) {
	for i := range w.lines {
		l := &w.lines[i]
		c.flags(&l.in, &l.waits, &l.gate, &l.backup)
		num(c, &l.at, 1)
		num(c, &l.weight, 2)
		w.codeOrder(c, &w.orders[i])
		c.flags(&w.files[i])
	}
	num(c, &w.earlier, 2)
	if w.sl.has(policy) {
		c.flags(&w.plain)
	}
	c.flags(&w.dead, &w.failed, &w.placed, &w.there, &w.obey)
	codeTable(c, &w.table)
	for i := range w.conns {
		c.flags(&w.conns[i])
		r := &w.left[i]
		if c.flags(&r.listed, &r.stays); r.listed && !r.stays {
			r.until++
			num(c, &r.until, 3)
			r.until--
		}
	}
	for slot := range sorry {
		m := &w.moving[slot]
		if w.sl.has(tells) {
			codeSpoken(c, &m.Reports)
		}
		if w.sl.has(movesWeights &^ tells) {
			w.codeMemory(c, &m.Memory)
		}
		if w.sl.has(movesWeights) {
			num(c, &m.Weight, 3)
			m.Of++ // without a Goal it is 0
			num(c, &m.Of, 3)
			m.Of--
		}
	}
	if c.reads {
		w.use()
	}
	if w.dead {
		return
	}
	if c.reads {
		w.State = w.unknown()
	}
	for i := range w.Servers {
		w.codeServer(c, i)
	}
	w.codeState(c)
}

// codeSpoken encodes the recorded words of a server, of two checks at most.
func codeSpoken(c *codec, all *Spoken) {
	for n := range 2 {
		one := &all[n]
		num(c, &one.Line, 1)
		num(c, &one.Admin, 2)
		half := one.Less > 0
		if c.flags(&half, &one.Down); half {
			one.Less = 50
		}
	}
}

func (w *world) codeOrder(c *codec, o *Order) {
	num(c, &o.Kind, 2)
	if o.Kind == Weigh {
		o.Weight = orderedWeight
	}
}

func (w *world) codeServer(c *codec, i int) {
	s := &w.Servers[i]
	for _, check := range s.Checks() {
		n := w.sl.places[check.Health]
		num(c, &n, 6)
		check.Health = w.sl.healths[n]
		num(c, &check.Loss, 2)
		if w.sl.has(tells) {
			n := w.sl.spoken[check.Telling]
			num(c, &n, 7)
			check.Telling = w.sl.tellings[n]
		}
		if w.sl.has(cuts) {
			c.flags(&check.Proven)
		}
		if c.flags(&check.Pending); check.Way != nil {
			c.flags(&check.Awaited)
		}
		if w.sl.has(brake) {
			c.flags(&check.Own, &check.Passed, &check.Tells)
			c.when(&check.Began)
			c.when(&check.Accused)
		}
	}
	w.codeOrder(c, &s.Order)
	c.flags(&s.File, &s.Turned, &s.Held, &s.Entered, &s.Kept, &s.Rerouted, &s.Connected, &s.Gone)
	num(c, &s.Name, 3)
	c.when(&s.Since)
	w.codeMemory(c, &s.Memory)
	if w.sl.has(observed_) {
		num(c, &s.Looks, 2)
	}
}

func (w *world) codeMemory(c *codec, m *Memory) {
	if w.sl.has(slow) {
		c.when(&m.Climbs)
	}
	if w.sl.has(timed) {
		c.when(&m.Failed)
	}
	if w.sl.has(holddown | byOrdered | paced | policy) {
		c.flags(&m.Fallen, &m.Noted)
		num(c, &m.Falls, 2)
		c.when(&m.Turn)
	}
	if w.sl.has(observed_) {
		c.flags(&m.Suspect)
		num(c, &m.Suspects, 2)
	}
}

func (w *world) codeState(c *codec) {
	known, same := w.Have != nil, slices.Equal(w.Have, w.table)
	taken := !w.IsOurs()
	c.flags(&taken, &w.Backed, &w.Away, &w.Obeys, &w.Known, &w.FallbackIn, &w.FallbackWanted, &known, &same,
		&w.Starts)
	w.standBy(taken)
	switch {
	case !known:
	case !same:
		codeTable(c, &w.Have)
	case c.reads:
		w.Have = slices.Clone(w.tableAsRead())
	}
	if c.reads && known && w.Have == nil {
		w.Have = lvs.Dests{}
	}
	if last := w.Last != nil; w.sl.has(strength | found_) {
		if c.flags(&last); last && c.reads {
			w.Last = lvs.Dests{}
		}
		if last {
			codeTable(c, &w.Last)
		}
	}
	for i := range w.Paths {
		c.flags(&w.Paths[i].Accuses, &w.Paths[i].Holds)
		c.when(&w.Paths[i].Over)
	}
	if w.sl.has(slow) {
		c.flags(&w.Cold)
	}
	if w.sl.has(pacedOut) {
		c.when(&w.Removals.Since)
		num(c, &w.Removals.N, 2)
	}
	c.when(&w.Back)
	codeSet(c, &w.ByHand)
	found := w.Found != nil
	if c.flags(&found); found {
		codeSet(c, &w.Found)
		if w.Found == nil {
			w.Found = map[netip.AddrPort]bool{}
		}
	}
	for slot, l := 0, 0; slot < slots && w.sl.has(departures|backup_); slot++ {
		leaves := l < len(w.Departing) && w.Departing[l].Addr == addrs[slot]
		if c.flags(&leaves); leaves {
			if c.reads {
				w.Departing = append(w.Departing, Departure{Addr: addrs[slot]})
			}
			at := &w.Departing[l]
			c.when(&at.Until)
			c.flags(&at.Idle, &at.Serves)
			num(c, &at.Over, 2)
			l++
		}
	}
	if n := &w.Strength; w.sl.has(strength) {
		num(c, &n.Up, 3)
		num(c, &n.Needed, 2)
		c.flags(&n.Enough, &n.Known, &n.Serves, &n.Holds)
	}
}

// codeTable encodes the destinations of a table, five bits each.
func codeTable(c *codec, all *lvs.Dests) {
	for slot := range slots {
		d, in := all.At(addrs[slot])
		gate := d.Forward == lvs.Route
		if c.flags(&in); in {
			c.flags(&gate)
			if num(c, &d.Weight, 3); c.reads {
				*all = append(*all, destAt(slot, gate, d.Weight))
			}
		}
	}
}

func codeSet(c *codec, all *map[netip.AddrPort]bool) {
	for slot := range slots {
		in := (*all)[addrs[slot]]
		if c.flags(&in); in && c.reads {
			if *all == nil {
				*all = map[netip.AddrPort]bool{}
			}
			(*all)[addrs[slot]] = true
		}
	}
}

// settle makes the world canonical. Of the times when servers changed their states it keeps only the order. Of an end
// in the past it doesn't keep how long ago that was.
func (w *world) settle() {
	var since, began []*time.Time
	if !w.sl.has(strength | found_) { // nothing else uses it
		w.Last = nil
	}
	for i := range w.Servers {
		s := &w.Servers[i]
		w.settleClimb(&s.Climbs)
		switch {
		case s.Since.IsZero():
		case w.sl.has(guarded | holddown | byOrdered | paced | pacedOut):
			since = append(since, &s.Since)
		default: // no other rule uses it
			s.Since = instant.Add(-tick)
		}
		w.settleReturn(&s.Memory)
		if s.Gone {
			s.Memory, s.Looks = Memory{}, 0
		}
		for _, check := range s.Checks() {
			check.Proven = check.Proven && w.sl.has(cuts)
			switch {
			case check.Way == nil:
			case w.sl.has(brake):
				began = append(began, w.settleWay(check)...)
			default:
				*check.Way = Way{Awaited: check.Awaited && w.Gathers()}
			}
		}
	}
	keepOrder(since, 1)
	keepOrder(began, 2)
	for i := range w.Departing {
		if l := &w.Departing[i]; !l.Until.IsZero() && l.Until.Before(instant.Add(-tick)) {
			l.Until = instant.Add(-tick)
		}
	}
	for i := range w.left {
		w.left[i].until = max(-1, w.left[i].until)
		w.settleClimb(&w.moving[i].Climbs)
		if w.settleReturn(&w.moving[i].Memory); w.moving[i].Memory == (Memory{}) &&
			w.moving[i].Reports == (Spoken{}) {
			w.moving[i] = Record{}
		}
	}
	for i := range w.Paths {
		b := &w.Paths[i]
		if b.Newest = (Spot{}); !b.Over.Equal(instant) {
			b.Over = time.Time{}
		}
	}
	if !w.lingers() {
		w.Removals = Removals{}
	}
	if len(w.ByHand) == 0 {
		w.ByHand = nil
	}
}

// settleClimb shortens the time that a weight has climbed to the time of a full climb, while no decision has ended it
// yet.
func (w *world) settleClimb(since *time.Time) {
	if !since.IsZero() && since.Before(instant.Add(-w.SlowStart)) {
		*since = instant.Add(-w.SlowStart)
	}
}

// settleReturn makes the facts of a server's return canonical. All times that are over are equal. Where no rule and no
// reload may use them there are none.
func (w *world) settleReturn(m *Memory) {
	if !w.sl.has(holddown | byOrdered | paced | policy) {
		m.Forgive()
	}
	over := instant
	if !m.Fallen {
		over = instant.Add(-3 * tick) // longer than any failure counts
	}
	if ended := instant.Add(-2 * tick); !m.Failed.IsZero() && m.Failed.Before(ended) {
		m.Failed = ended
	}
	if m.FellFirst, m.Falls = (time.Time{}), min(m.Falls, 3); !m.Turn.IsZero() && m.Turn.Before(over) {
		m.Turn = over
	}
}

// keepOrder replaces times by times one tick apart, in the same order. The newest is last ticks ago.
func keepOrder(times []*time.Time, last int) {
	var inOrder []time.Time
	for _, t := range times {
		inOrder = append(inOrder, *t)
	}
	slices.SortFunc(inOrder, func(a, b time.Time) int { return b.Compare(a) })
	inOrder = slices.Compact(inOrder)
	for _, t := range times {
		*t = instant.Add(-time.Duration(last+slices.Index(inOrder, *t)) * tick)
	}
}

// settleWay makes the facts of a check's path canonical. The start of a check matters while it is accused, or while it
// passed and may have begun after an accused one. It returns the starts before the last tick, of which only the order
// is kept. A late check began a tick ago, so no earlier end of the brake makes it stale.
func (w *world) settleWay(check *Check) (began []*time.Time) {
	check.Awaited = check.Awaited && w.Gathers()
	check.OK = false
	check.Passed = check.Passed && (check.Began.Equal(instant) || w.isProof(check))
	if !check.Passed && check.Accused.IsZero() && !check.Began.Equal(instant) {
		check.Began = time.Time{}
	}
	if !check.Accused.IsZero() && instant.Sub(check.Accused) > brakePatience {
		check.Accused = instant.Add(-brakePatience - tick)
	}
	if !check.Began.IsZero() && check.Began.Before(instant.Add(-tick)) {
		began = append(began, &check.Began)
	}
	return began
}

// isProof reports whether a check passed after an accused one of its line began.
func (w *world) isProof(passed *Check) bool {
	for i := range w.Servers {
		for _, check := range w.Servers[i].Checks() {
			if check.Line == passed.Line && !check.Accused.IsZero() && check.Began.Before(passed.Began) {
				return true
			}
		}
	}
	return false
}

// hash is 128 bits of a key.
func (all *words) hash() (h [2]uint64) {
	a, b := uint64(0x9e3779b97f4a7c15), uint64(0xc2b2ae3d27d4eb4f)
	for _, v := range all {
		hi, lo := bits.Mul64(v^a, 0xd6e8feb86659fd93)
		a = hi ^ lo
		hi, lo = bits.Mul64(v+b, 0xa0761d6478bd642f)
		b = bits.RotateLeft64(b, 23) ^ hi ^ lo
	}
	return [2]uint64{a | 1, b}
}
