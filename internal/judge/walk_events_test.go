package judge

import (
	"fmt"
	"strings"
	"time"

	"ldirectord/internal/health"
)

// eventKind is a kind of event in a world.
type eventKind uint8

const (
	start eventKind = iota
	kill
	result   // of a check (b) of a member (a): c is 0 for a success, otherwise 1 plus the loss
	shortage // of a check (b) of a member (a): the check could not be made for lack of resources
	order    // for a server (a), of a kind (b)
	obey
	file         // puts a server (a) into maintenance, or ends that
	change       // by hand, of a slot (a), to a state (b)
	removal      // by hand, of the virtual service
	look         // at the table
	edit         // of a line (a), field b; c: the result that another section's check has already, see reload
	retry        // of a change that failed
	connect      // connections of a slot (a) begin, or have ended
	lookAtLeaver // at the connections of leaving servers
	time_        // a tick passes
	demote       // a is 1 if the table keeps its contents
	promote
	ready   // by an order, of a member (a) without an order to end
	wakeUp  // of two members at once: a and b are what their checks (c) find
	packets // of a member (a): its packets, as the observer sees them (b)
)

const (
	orderedWeight = 3
	handWeight    = 5
)

// the field of a line of the file that is edited
const (
	editIn = iota
	editWeight
	editCheck
	editGate
	editName    // its name leads to another address
	editAddress // its name has an address, or no longer has one
	editBackup  // it is a backup server, or no longer is one
	editPolicy  // of the section: its policies
)

// states after a change by hand
const (
	byHandAbsent = iota
	byHandZero
	byHandOther
)

// what the observer sees of a server's packets
const (
	unanswered = iota // at the first look; later, at each look until it is sure
	answered
	noPackets
)

type event struct {
	kind    eventKind
	a, b, c uint8
	mishap
}

func (e event) pack() uint32 {
	return uint32(e.kind) | uint32(e.a)<<5 | uint32(e.b)<<9 | uint32(e.c)<<13 | uint32(e.mishap.kind)<<17 | uint32(
		e.at)<<20
}

func unpack(v uint32) event {
	return event{eventKind(v & 31), uint8(v >> 5 & 15), uint8(v >> 9 & 15), uint8(v >> 13 & 15),
		mishap{mishapKind(v >> 17 & 7), int(v >> 20)}}
}

// events are all that can happen now.
func (w *world) events(all []event) []event {
	add := func(kind eventKind, abc ...int) {
		e := event{kind: kind}
		for i, to := range []*uint8{&e.a, &e.b, &e.c} {
			if i < len(abc) {
				*to = uint8(abc[i])
			}
		}
		all = append(all, e)
	}
	if w.sl.has(departures|brake|holddown|byOrdered|paced|pacedOut|timed) || w.climbs() {
		add(time_)
	}
	w.fileEvents(add)
	if w.dead {
		add(start)
		return all
	}
	w.checkEvents(add)
	if first := w.pair(); w.sl.has(brake) && len(first) == 2 {
		add(wakeUp, ownOnly, ownOnly, 0)
		add(wakeUp, ownOnly, 0, 0)
		add(wakeUp, 0, ownOnly, 0)
	}
	w.handEvents(add)
	if w.failed {
		add(retry)
	}
	for s := range w.all() {
		if s.Fallen {
			add(ready, int(s.At))
		}
	}
	for s := range w.all() {
		if !w.has(observed_) || s.Suspect || s.At > 0 && w.sl.looksAtOne() {
			continue
		}
		if w.Have.Weight(s.Dest.Addr) > 0 {
			add(packets, int(s.At), unanswered)
			add(packets, int(s.At), answered)
		}
		add(packets, int(s.At), noPackets)
	}
	if w.sl.has(crashes) {
		add(kill)
	}
	if len(w.Departing) > 0 {
		add(lookAtLeaver)
	}
	if w.Gathers() && w.Back.After(instant.Add(-stillAway)) {
		add(time_)
	}
	switch {
	case !w.sl.has(standby):
	case w.IsOurs():
		add(demote, 0)
		add(demote, 1)
	default:
		add(promote)
	}
	return all
}

func (w *world) checkEvents(add func(eventKind, ...int)) {
	for s := range w.all() {
		i := int(s.At)
		for k, check := range s.Checks() {
			if s.Unchecked {
				continue
			}
			add(result, i, k, 0)
			add(result, i, k, 1+int(NotReached))
			for n := 1; k == 0 && n < len(w.sl.answers()); n++ {
				add(result, i, k, tellsAll+n)
			}
			if w.sl.has(guarded | pacedOut) {
				add(result, i, k, 1+int(WrongAnswer))
			}
			if w.sl.has(brake) && k == 0 {
				add(result, i, k, ownOnly)
				add(result, i, k, void)
				// one late check after the other
				if check.Began.IsZero() || check.Began.Before(instant.Add(-tick)) {
					add(result, i, k, ownLate)
				}
			}
			if check.Pending && w.sl.has(together_|strength|holddown|byOrdered) {
				add(shortage, i, k)
			}
		}
	}
}

// found is what a check may find, besides success (0) and failures (1 plus the loss)
const (
	ownOnly  = 4 + iota // it fails through the virtual address alone
	ownLate             // as ownOnly, and the check began a tick ago
	void                // it passes, and shows nothing of the path through the virtual address
	tellsAll            // it passes, with the first of the slice's answers; the other answers follow
)

// fileEvents are changes of files: the configuration, orders, maintenance.
func (w *world) fileEvents(add func(eventKind, ...int)) {
	for i := range w.lines {
		l := &w.lines[i]
		for kind := None; kind <= Weigh && w.sl.has(ordering); kind++ {
			if w.orders[i].Kind != kind {
				add(order, i, int(kind))
			}
		}
		if w.sl.has(maintained) {
			add(file, i)
		}
		if w.sl.has(rerouted_) {
			add(edit, i, editGate)
		}
		if w.sl.has(reload) && (i == 0 || !w.sl.isTriple()) {
			add(edit, i, editWeight)
		}
		if w.sl.has(reload) {
			add(edit, i, editCheck)
			add(edit, i, editCheck, 1)
			add(edit, i, editCheck, 2)
		}
		if (w.sl.has(reload) && i == 1 || w.sl.has(departures)) && (!l.in || w.lines[1-i].in) {
			add(edit, i, editIn)
			if !l.in && w.sl.has(reload) {
				add(edit, i, editIn, 1)
				add(edit, i, editIn, 2)
			}
		}
	}
	if w.sl.has(reload) && w.sl.has(backup_) && w.lines[1].in {
		add(edit, 1, editBackup)
	}
	if w.sl.has(policy) {
		add(edit, 0, editPolicy)
	}
	if w.sl.has(guarded | pacedOut) {
		add(obey)
	}
	if w.sl.has(moved_) && w.lines[0].in {
		add(edit, 0, editName)
	}
	if w.sl.has(found_) && w.lines[1].in {
		add(edit, 1, editAddress)
	}
}

// handEvents are changes by hand, one address at a time until they are seen, and connections that begin and end.
func (w *world) handEvents(add func(eventKind, ...int)) {
	unseen := !w.there
	for slot := range slots {
		now, in := w.table.At(addrs[slot])
		was, had := w.Have.At(addrs[slot])
		unseen = unseen || w.Known && (now != was || in != had)
		if in && w.sl.has(departures|rerouted_|backup_) && (w.conns[slot] || now.Weight > 0) {
			add(connect, slot)
		}
	}
	if !w.sl.has(hand) {
		return
	}
	if w.Known {
		add(look)
	}
	if unseen || !w.IsOurs() {
		return
	}
	add(removal)
	for slot := range slots {
		d, in := w.table.At(addrs[slot])
		switch {
		case slot == foreign && w.sl.has_&^(hand|repair|found_) != 0, slot == sorry && !w.sl.has(fallback_),
			slot == atA2 && !w.sl.has(moved_), slot == atB && w.sl.isTriple():
			continue
		}
		if in {
			add(change, slot, byHandAbsent)
		}
		if !in || d.Weight != 0 {
			add(change, slot, byHandZero)
		}
		if !in || d.Weight != handWeight {
			add(change, slot, byHandOther)
		}
	}
}

// apply makes an event happen and does what the director does after it.
func (w *world) apply(e event) {
	w.did = nil
	a := int(e.a)
	alive := !w.dead
	switch e.kind {
	case start:
		w.begin(e.mishap)
	case kill:
		w.end()
	case result, shortage:
		w.result(e)
	case wakeUp:
		for n, i := range w.pair() {
			w.take(i, int(e.c), [2]uint8{e.a, e.b}[n])
		}
		w.settleBrakes()
		w.sync(e.mishap)
	case order:
		w.orders[a] = Order{Kind: OrderKind(e.b)}
		if w.orders[a].Kind == Weigh {
			w.orders[a].Weight = orderedWeight
		}
	case ready:
		w.Servers[a].Forgive()
		w.sync(e.mishap)
	case packets:
		s, ended := &w.Servers[a], false
		for again := s.Looks > 0; !ended; ended = !again || e.b != unanswered || s.Looks == surely ||
			s.Health() == health.Down {
			s.Observed(seen(e.b == unanswered, true, e.b == answered))
		}
		w.sync(e.mishap)
	case obey:
		w.obey = !w.obey
	case file:
		w.files[a] = !w.files[a]
	case change:
		w.change(a, e.b)
	case removal:
		w.table, w.there, w.conns = nil, false, [slots]bool{}
	case look:
		w.lookAtTable(e.mishap)
	case edit:
		w.edit(e)
	case retry:
		w.failed = false
		w.sync(e.mishap)
	case connect:
		w.conns[a] = !w.conns[a]
		if w.sl.has(rerouted_) && w.Known {
			w.lookAtTable(e.mishap)
		}
	case lookAtLeaver:
		w.lookAtLeavers()
		w.sync(e.mishap)
	case time_:
		switch w.pass(); {
		case w.dead || !w.sl.has(slow|holddown|byOrdered|paced|pacedOut|timed):
		case w.Known && w.climbs(): // the director wakes up when a weight moves, and looks at the table first
			w.lookAtTable(e.mishap)
		default:
			w.sync(e.mishap)
		}
	case demote:
		if w.Left(); e.a == 0 {
			w.table, w.there, w.conns = nil, false, [slots]bool{}
		}
		w.failed, w.placed = false, false
		w.standBy(true)
		w.record()
		w.sync(e.mishap)
	case promote:
		w.standBy(false)
		w.sync(e.mishap)
	}
	if (e.kind == order || e.kind == obey || e.kind == file) && alive {
		w.obeyFiles()
		w.sync(e.mishap)
	}
	w.settle()
}

func (w *world) result(e event) {
	i, k := int(e.a), int(e.b)
	check := w.Servers[i].Check(k)
	check.Pending = false
	if e.kind == shortage {
		check.Answered(instant, w.Back)
	} else {
		w.take(i, k, e.c)
		if w.settleBrakes(); e.c == ownLate && check.Accused.IsZero() {
			check.Began = instant // the next check doesn't begin earlier
		}
	}
	w.sync(e.mishap)
}

// passes reports whether what a check found is a success.
func passes(found uint8) bool { return found == 0 || found >= void }

// take notes what a check found.
func (w *world) take(i, k int, found uint8) {
	check := w.Servers[i].Check(k)
	check.Pending = false
	p := Passage{Began: instant, OK: passes(found), Passed: found == 0,
		Own: found == ownOnly || found == ownLate}
	if found == ownLate {
		p.Began = instant.Add(-tick)
	}
	check.Took(p, w.Back)
	loss := NotReached
	if found > 0 && found < ownOnly {
		loss = Loss(found - 1)
	}
	at := Spot{int32(i), k}
	if kept, _ := w.Accuse(at, instant); !kept {
		if answers := w.sl.answers(); p.OK && k == 0 && answers != nil {
			w.Report(&w.Servers[i], check, answers[max(found, tellsAll)-tellsAll])
		}
		w.judge(at, p.OK, loss)
	}
}

// judge makes a result count, even if the brake withheld it.
func (w *world) judge(at Spot, ok bool, loss Loss) {
	s := &w.Servers[at.Server]
	turned := w.Result(s, s.Check(at.Check), ok, loss)
	w.Away = w.sl.has(strength) && w.IsOurs()
	if turned && s.Health() == health.Up && w.IsAway() && !w.Gathers() {
		w.Gather(instant)
	}
}

func (w *world) change(slot int, to uint8) {
	d, in := w.table.At(addrs[slot])
	if !in {
		d = destAt(slot, slot < sorry && w.lines[slot/atB].gate, 0)
	}
	switch to {
	case byHandAbsent:
		w.table.Remove(addrs[slot])
		w.conns[slot] = false
		return
	case byHandZero:
		d.Weight = 0
	case byHandOther:
		d.Weight = handWeight
	}
	w.table.Put(d)
}

func (w *world) edit(e event) {
	lines, other := w.lines, -1
	l := &lines[e.a]
	switch e.b {
	case editIn:
		l.in = !l.in
	case editWeight:
		next := [...]uint8{1, 2, 0, 0}
		if w.sl.has(slow) {
			next = [...]uint8{3, 0, 0, 1}
		}
		l.weight = next[l.weight]
	case editCheck:
		other = int(e.a)
	case editGate:
		l.gate = !l.gate
	case editName:
		l.at ^= 1
	case editBackup:
		l.backup = !l.backup
	case editAddress:
		l.waits = !l.waits
	case editPolicy:
		w.plain = !w.plain
	}
	if w.dead {
		w.lines = lines
		w.use()
		return
	}
	w.reload(lines, e.b == editAddress && !l.waits || e.b == editName, e.c, other, e.mishap)
}

func (w *world) lookAtLeavers() {
	for i := range w.Departing {
		l := &w.Departing[i]
		_, known := w.table.At(l.Addr)
		w.Looked(l, known && !w.conns[slotOf(l.Addr)], instant)
	}
	w.record()
}

// pass lets a tick pass: it moves all times into the past.
func (w *world) pass() {
	times := []*time.Time{&w.Removals.Since}
	for i := range w.Departing {
		times = append(times, &w.Departing[i].Until)
	}
	if w.Back.After(instant.Add(-stillAway)) {
		times = append(times, &w.Back)
	}
	for i := range w.Paths {
		times = append(times, &w.Paths[i].Over)
	}
	for i := range w.Servers {
		times = append(times, &w.Servers[i].Since, &w.Servers[i].Climbs, &w.Servers[i].Failed,
			&w.Servers[i].Turn)
		for _, check := range w.Servers[i].Checks() {
			if check.Way != nil {
				times = append(times, &check.Began, &check.Accused)
			}
		}
	}
	for i := range w.moving {
		times = append(times, &w.moving[i].Climbs, &w.moving[i].Failed, &w.moving[i].Turn)
	}
	for _, t := range times {
		if !t.IsZero() {
			*t = t.Add(-tick)
		}
	}
	for i := range w.left {
		if r := &w.left[i]; r.listed && !r.stays {
			r.until--
		}
	}
}

// describe describes the world in one line.
func (w *world) describe() string {
	text := "the table has"
	for _, d := range w.table {
		text += " " + describeDest(d) + ","
	}
	for i, s := range w.Servers {
		text += fmt.Sprintf(" %s %v%s%s,", nameOf(&w.Servers[i]), s.Health(),
			[...]string{"", " held"}[bit(s.Held)], [...]string{"", " gone"}[bit(s.Gone)])
	}
	return strings.TrimRight(text, ",")
}
