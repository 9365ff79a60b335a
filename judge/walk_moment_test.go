package judge

import (
	"ldirectord/lab/always"
)

// look makes a moment of the world, for predicates that speak of facts alone.
func (w *world) look(m *always.Moment) *always.Moment {
	*m = always.Moment{
		Servers: m.Servers[:0], Leavers: m.Leavers[:0], Passed: m.Passed[:0], Call: callAddr,
		Dead: w.dead, Theirs: w.Theirs, Failed: w.failed, Follows: w.serves(), Obeys: w.obey,
		Gathers: w.Gathers(), Table: w.table, Have: w.Have, ByHand: w.ByHand, Found: w.Found,
		Waiting: w.Waiting, Fallback: w.Fallback, NoFallback: w.NoFallback, KeepServing: w.KeepServing,
		Quiescent: w.Quiescent, Repair: w.Repair, FallbackIn: w.FallbackIn,
		FallbackTouched: w.touched(addrs[sorry]),
	}
	for slot, r := range w.left {
		if r.listed {
			m.Passed = append(m.Passed, addrs[slot])
		}
	}
	if w.dead {
		return m
	}
	m.Together = w.comesTogether()
	for i := range w.Servers {
		s := &w.Servers[i]
		m.Servers = append(m.Servers, always.Server{
			Dest: w.Members[i].Dest, Weight: w.weightOf(i), Unchecked: w.Members[i].Unchecked,
			Former: w.Members[i].MovedTo >= 0, To: int(max(0, w.Members[i].MovedTo)),
			Verdict: w.verdict(i), Drained: w.drains(i), Out: w.inMaintenance(i),
			Connected: s.Connected, Held: s.Held, Kept: s.Kept, Gone: s.Gone, Touched: w.touched(w.addr(i)),
		})
	}
	for _, l := range w.Leavers {
		stays := w.conns[slotOf(l.Addr)] && l.Until.After(instant) && l.Over == Stays
		m.Leavers = append(m.Leavers, always.Leaver{Addr: l.Addr, Stays: stays})
	}
	return m
}

// touched reports whether somebody else changed a destination, and the director keeps that or has not seen it.
func (w *world) touched(addr addrPort) bool {
	now, in := w.table.At(addr)
	was, had := w.Have.At(addr)
	return w.ByHand[addr] || now != was || in != had
}

func callAddr(a addrPort) string { return slotNames[slotOf(a)] }

// cause is what predicates of facts tell apart of what happened.
func (e event) cause() always.Cause {
	switch {
	case e.kind == result, e.kind == edit && e.b == editCheck && e.c == 0:
		return always.Checks
	case e.kind == start:
		return always.Started
	case e.kind == change, e.kind == removal, e.kind == demote:
		return always.Outside
	}
	return always.Other
}
