package core

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/health"
	"ldirectord/internal/history"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
)

// op reports a change to the table in the words that log watchers expect.
func (t *teller) op(v *virtual, op lvs.Op, err error) {
	s, step := v.serverAt(op.Dest.Addr), false
	fallback := v.fallbackOf(op, s)
	c := Change{user: user{v: v, s: s}}
	c.Virtual, c.Weight = v.Config.ID, int(op.Dest.Weight)
	if s != nil && err == nil {
		// Entered: the return of a server that waited is no step, although its state has not changed
		step = op.Kind == lvs.EditDest && s.steps && s.Entered && !s.Turned && !s.Rerouted
		s.steps = false
	}
	if err != nil {
		c.Note = err.Error()
	}
	past := [...]history.Kind{
		lvs.AddDest: history.Add, lvs.EditDest: history.Edit, lvs.DelDest: history.Remove,
	}[op.Kind]
	if fallback != nil {
		its := c
		its.s, its.Past = fallback, past
		t.tell(its)
	}
	if s != nil && !step {
		c.Past = past
	}
	switch {
	case step, err != nil: // failed reports errors; the start and end of small steps are conditions
	case op.Kind == lvs.AddService:
		c.Say(notify.AddedVirtual, "Added virtual server: %s", v.Name())
	case op.Kind == lvs.EditService:
		c.Say(notify.ChangedVirtual, "Changed virtual server: %s", v.Name())
	case op.Kind == lvs.DelService:
		c.Say(notify.PurgedVirtual, "Purged virtual server (%s): %s", v.reported.purge(), v.Name())
	default:
		t.destOp(&c, fallback, op)
	}
	t.tell(c)
}

// destOp puts a change of a destination into words. If fallback is not nil, the change concerns that fallback server.
func (t *teller) destOp(c *Change, fallback *server, op lvs.Op) {
	v, s, e := c.v, c.s, &c.Event
	if sayLeaving(v, op, e) {
		return
	}
	kind, name, table := "real", "", op.Dest.Addr.String()
	switch {
	case fallback != nil:
		kind, name, e.Fallback = "fallback", fallback.entry.Name(), true
		s = nil // it is not about the real server at that address
	case s != nil:
		if name = s.label(); op.Dest.Addr == s.entry.Real.Addr {
			table = name
		}
		e.Reason = v.whyDown(s)
		addDetails(v, s, e, t.now())
	}
	listed := tableName(table, name)
	// a server that is down may have another weight by hand
	quiescent := s != nil && s.State() == health.Down && op.Dest.Weight == 0
	e.Real = op.Dest.Addr.String()
	switch op.Kind {
	case lvs.AddDest:
		e.Say(notify.Added, "Added %s server: %s (%s) (Weight set to %d)", kind, name, v.Name(), op.Dest.Weight)
		if quiescent && t.global.ReaddQuiescent {
			e.Say(notify.Quiescent, "Readd Quiescent real server: %s (%s) (Weight set to 0)", name,
				v.Name())
		}
	case lvs.EditDest:
		if s != nil && (s.IsDraining() || s.Rerouted) && op.Dest.Weight == 0 {
			e.Say(notify.Drained, "Drained real server: %s (%s) (Weight set to 0)", listed, v.called())
			e.Reason = cmp.Or(s.note(), e.Reason)
			return
		}
		e.Say(notify.Restored, "Restored %s server: %s (%s) (Weight set to %d)",
			kind, name, v.Name(), op.Dest.Weight)
		if quiescent {
			e.Say(notify.Quiescent, "Quiescent real server: %s (%s) (Weight set to 0)", listed, v.Name())
		}
	case lvs.DelDest:
		if s != nil && s.StateName() == judge.Up {
			e.Reason = "" // an earlier failure is not why it leaves
		}
		e.Say(notify.Deleted, "Deleted %s server: %s (%s)", kind, listed, v.Name())
		if s == nil && !e.Fallback {
			e.Say(notify.Purged, "Purged real server (%s): %s (%s)", v.reported.purge(), table, v.Name())
		}
	}
}

// whyDown returns the reason why a server is in maintenance, or otherwise why it is or was down. It returns "" if
// neither applies.
func (v *virtual) whyDown(s *server) string {
	if why := s.suspended(); why != "" {
		return "maintenance: " + why
	}
	worst := s.worst()
	return user{v, s, worst}.named(worst.reason)
}

// addDetails adds the details for mails about a server. It counts the servers in service only once for events at the
// same moment.
func addDetails(v *virtual, s *server, e *notify.Event, now time.Time) {
	if v.Config.Mail.To == "" {
		return
	}
	if !v.reported.leftAt.Equal(now) {
		v.reported.left, v.reported.leftAt = 0, now
		for _, s := range v.servers {
			if v.Serves(s.Server) {
				v.reported.left++
			}
		}
	}
	e.Name, e.Left, e.Servers = s.entry.Name(), v.reported.left, v.size()
	if s.before > judge.Unknown {
		e.Before, e.Lasted = s.before.String(), time.Duration(s.lasted)*time.Second
	}
}

// tableName returns the name of a server for lines about its removal or its weight 0: its address and port in the
// table, and also its configured name if the two differ.
func tableName(table, configured string) string {
	if configured == "" || table == configured {
		return table
	}
	return table + " mapped from " + configured
}

// sayLeaving describes op in e and returns true if op drains or removes a leaving server.
func sayLeaving(v *virtual, op lvs.Op, e *notify.Event) bool {
	l, drains := v.Departure(op.Dest.Addr), op.Kind == lvs.EditDest && op.Dest.Weight == 0
	if l == nil || !drains && op.Kind != lvs.DelDest {
		return false
	}
	e.Real = l.Addr.String()
	why := cmp.Or(whyOver(l), v.reported.purge())
	e.Say(notify.Purged, "Purged real server (%s): %s (%s)", why, l.Addr, v.Name())
	if drains {
		why = "it is not configured"
		if v.At(l.Addr) != nil {
			why = "the backup server is no longer needed: " + v.OwnServe()
		}
		e.Say(notify.Drained, "Draining real server: %s (%s) (Weight set to 0) since %s",
			l.Addr, v.called(), why)
	}
	return true
}

// override reports that a virtual service, or its destination at addr, was changed by hand.
func (t *teller) override(v *virtual, addr netip.AddrPort, what string) {
	e, whose, servers := notify.Event{Virtual: v.Config.ID}, v.called()+":", v.servers
	if addr.IsValid() {
		e.Real = addr.String()
		whose, servers = e.Real+" ("+v.called()+")", []*server{v.serverAt(addr)}
	}
	t.note(history.Changed, "changed externally: "+what, servers...)
	e.Say(notify.ChangedByHand, "Changed externally: %s %s", whose, what)
	t.emit(e)
}

// unjudged handles an answer that can't be judged. The server keeps its state. The log reports each server. Mail
// reports only the first server of a virtual service, because its servers usually share one pattern. The log reports a
// server again after unjudgedQuiet; mail does if it has reported no server of the virtual service meanwhile.
func (t *teller) unjudged(c *check, r *checker.Result) {
	t.found(history.Unjudged, r, c.users...)
	now := t.now()
	for _, x := range c.users {
		if x.j.unjudged == nil {
			x.j.unjudged = &unjudged{}
		}
		last := x.j.unjudged
		kind, detail := notify.CheckWarning, x.named(strings.TrimPrefix(r.Detail, "cannot be judged: "))
		if x.v.IsOurs() && !x.s.Fallback && now.Sub(x.v.reported.unjudgedAt) > unjudgedQuiet {
			kind = notify.Unjudged
		}
		if now.Sub(last.at) > unjudgedQuiet {
			t.report(x.v, x.s, kind, "Answer can't be judged",
				fmt.Sprintf(" stays %s: %s", x.j.Health.State, detail), detail)
			last.at = now
			if kind == notify.Unjudged {
				x.v.reported.unjudgedAt = now
			}
		}
		last.why = r.Detail
	}
}

// unjudgedQuiet is the shortest time between two reports of unjudged answers of a server's check, and between two such
// mails about a virtual service.
const unjudgedQuiet = time.Hour

// shortage counts checks that failed because of a shortage on this machine. It reports the third such failure in a row.
// The result lasts reports whether this was at least the third.
func (t *teller) shortage(c *check, r *checker.Result) (lasts bool) {
	t.found(history.Shortage, r, c.users...)
	for _, x := range c.users {
		x.j.shortages++
		lasts = lasts || x.j.shortages >= 3
		if x.j.Health.State == health.Unknown {
			x.j.reason = r.Detail
		}
		if x.j.shortages == 3 {
			detail := x.named(r.Detail)
			t.report(x.v, x.s, notify.LocalShortage, "Local resource shortage",
				fmt.Sprintf(" can't be checked and stays %s: %s", x.j.Health.State, detail), detail)
		}
	}
	return lasts
}

// warn reports a check's warning when it differs from the last one.
func (t *teller) warn(c *check, r *checker.Result) {
	if r.Warning == "" || c.last.Warning == r.Warning {
		return
	}
	for _, x := range c.users {
		warning := x.named(r.Warning)
		t.note(history.Changed, "warning: "+warning, x.s)
		t.report(x.v, x.s, notify.CheckWarning, "Check warning", ": "+warning, warning)
	}
}

// guard reports an action of the guard, which concerns a virtual service as a whole.
func (t *teller) guard(v *virtual, kind notify.Kind, does, more string) {
	t.report(v, nil, kind, does, more, "")
}

// fallbackOf returns the fallback server that a change concerns, or nil if there is none. The argument s is the real
// server at the same address; nil if there is none.
func (v *virtual) fallbackOf(op lvs.Op, s *server) *server {
	at, removes := v.FallbackAt(op.Dest.Addr), op.Kind == lvs.DelDest
	switch {
	case at < 0, removes && s != nil && !v.FallbackIn,
		!removes && (op.Dest.Weight == 0 || v.ServedBy(op.Dest.Addr)):
		return nil
	}
	return v.fallbackServers()[at]
}
