package judge

import (
	"net/netip"
	"slices"

	"ldirectord/internal/lvs"
)

// The table is written in rounds over all virtual services: first everything that adds capacity, then everything that
// removes some. If something fails, the later rounds skip that virtual service. If the table merely refuses a server,
// they skip only the operations that take out what that server should have replaced.

// Write turns the table's entry of one virtual service into the desired one.
type Write struct {
	Want    lvs.VirtualService
	Written lvs.Settings // the settings in the table
	Refused error        // why the table refuses the settings: the former ones stay
	Outcome              // of the other operations: the first that is not Done
	Partly  bool         // Err is only about real servers or drains that the table refuses

	of  *Case
	ops []lvs.Op
}

// Answer is what the table did with an operation.
type Answer uint8

// The answers.
const (
	Done Answer = iota
	Refused
	Missing     // the virtual service, the destination or the whole table does not exist
	Unanswered  // it may or may not be done
	Unsent      // it was not sent: the table gets no requests now
	Interrupted // the daemon ends
)

// Outcome is what became of a request to the table.
type Outcome struct {
	Answer
	Err error // nil: it is Done
}

// NewWrite returns the write that leads from the table's entry of a virtual service to the desired one.
func NewWrite(c *Case, have, want lvs.VirtualService) *Write {
	return &Write{Want: want, Written: have.Settings, of: c, ops: lvs.DiffService(have, want)}
}

// Writes tracks the writes of several virtual services. Next returns the operations to send. Answered or Skip notes
// what became of them.
type Writes struct {
	all   []*Write
	round int
	steps []sending // what remains of the round
	sent  []sending
}

// sending is one operation of a write.
type sending struct {
	op *lvs.Op
	of int // the index of its write
}

// NewWrites prepares these writes, but begins none.
func NewWrites(all []*Write) *Writes { return &Writes{all: all} }

// Next returns the operations to send now, at most lvs.Batch. It returns none when all writes have ended.
func (w *Writes) Next() []lvs.Op {
	for ; len(w.steps) == 0 && w.round < lvs.Rounds; w.round++ {
		w.steps = w.stepsOf(w.round)
	}
	n := min(len(w.steps), lvs.Batch)
	w.sent, w.steps = w.steps[:n], w.steps[n:]
	ops := make([]lvs.Op, n)
	for i, s := range w.sent {
		ops[i] = *s.op
	}
	return ops
}

// stepsOf returns the operations of a round.
func (w *Writes) stepsOf(round int) (steps []sending) {
	for of, one := range w.all {
		serves := one.Partly && one.serves()
		for i := range one.ops {
			op := &one.ops[i]
			if op.Round() == round && (one.Err == nil || one.Partly && one.spares(op, serves)) {
				steps = append(steps, sending{op, of})
			}
		}
	}
	if round == lvs.Rounds-1 && len(steps) > lvs.Batch {
		// the kernel searches its list of removed destinations from the latest; another order would be slow
		slices.Reverse(steps)
	}
	return steps
}

// Skip notes that the operations that Next returned were not sent.
func (w *Writes) Skip(why error) {
	for _, s := range w.sent {
		w.all[s.of].fails(Outcome{Unsent, why})
	}
}

// fails notes an outcome that is not Done, if it is the first one.
func (w *Write) fails(o Outcome) {
	if w.Err == nil {
		w.Outcome = o
	}
}

// Answered notes what became of one of the operations that Next returned, and returns the index of its write.
func (w *Writes) Answered(i int, o Outcome) (of int) {
	op, of := w.sent[i].op, w.sent[i].of
	one, a := w.all[of], o.Answer
	switch {
	case a == Done && op.Kind < lvs.DelService:
		one.Written = op.Settings
	case a == Done:
		one.of.Did(op.Dest, op.Kind == lvs.DelDest)
	case a == Refused && op.Kind == lvs.EditService:
		one.Refused, one.Want.Settings = o.Err, one.Written
	default:
		one.Partly = (one.Err == nil || one.Partly) && a == Refused &&
			(one.placesServer(op) || drains(op))
		one.fails(o)
	}
	return of
}

// spares reports whether an operation may follow after the table refused a server: it may unless it takes out a
// destination that this server should have replaced. If serves is set, another server is up in the table and stays.
func (w *Write) spares(op *lvs.Op, serves bool) bool {
	addr := op.Dest.Addr
	s := w.of.At(addr)
	switch {
	case op.Old.Weight == 0, op.Kind == lvs.EditDest && op.Dest.Weight > 0:
		return true
	case w.of.FallbackAt(addr) >= 0:
		return serves
	case s != nil && !s.IsUp():
		return true
	case s != nil && s.Backup:
		return false
	}
	return serves && !w.lacksNewAddress(addr)
}

// serves reports whether a server is up in the table and stays there. Held servers don't count: they may be dead.
func (w *Write) serves() bool {
	return slices.ContainsFunc(w.of.Have, func(d lvs.Dest) bool {
		s := w.of.At(d.Addr)
		return s != nil && s.IsUp() && !s.Held && d.Weight > 0 && w.Want.Dests.Weight(d.Addr) > 0
	})
}

// lacksNewAddress reports whether a server that moved away from an address is not in service at its new address yet.
func (w *Write) lacksNewAddress(addr netip.AddrPort) bool {
	return slices.ContainsFunc(w.of.AllAt(addr), func(i int32) bool {
		to := w.of.Members[i].MovedTo
		if to < 0 {
			return false
		}
		now := w.of.Members[to].Dest.Addr
		return w.Want.Dests.Weight(now) > w.of.Have.Weight(now)
	})
}

// drains reports whether an operation stops new connections to a destination. Such a destination replaces no other.
func drains(op *lvs.Op) bool { return op.Kind == lvs.EditDest && op.Dest.Weight == 0 }

// placesServer reports whether an operation adds or edits a real server. A fallback server does not count, because the
// last server stays while it is missing.
func (w *Write) placesServer(op *lvs.Op) bool {
	return (op.Kind == lvs.AddDest || op.Kind == lvs.EditDest) && w.of.At(op.Dest.Addr) != nil
}
