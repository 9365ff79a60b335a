package core

import (
	"strings"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/health"
	"ldirectord/internal/history"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
	"ldirectord/internal/view"
)

// This file records the history of each real server and fallback server, for the command why.

// remember is the receiver that records the history.
func remember(c *Change) {
	switch now := history.At(c.Time); {
	case c.Past == history.Nothing:
	case c.Result != nil:
		c.s.past.Result(now, c.j.Line, c.Past, c.Result, c.By)
	case c.Past == history.Order:
		c.s.past.Order(now, c.Note)
	default:
		c.s.past.Do(now, c.Past, uint32(c.Weight), c.Note)
	}
}

// found reports the result of a check for its servers, and how it counts.
func (t *teller) found(k history.Kind, r *checker.Result, users ...user) {
	for _, x := range users {
		t.tell(Change{user: x, Cause: Cause{Result: r, Past: k}})
	}
}

// turned reports that a server changed its state, and which results caused that.
func (t *teller) turned(x user, was health.State, by history.Outcome) {
	c := Change{user: x, Before: State{Health: was}, After: State{Health: x.s.Health()}}
	up := c.After.Health == health.Up
	switch {
	case c.After.Health == health.Down:
		c.Past = history.Down
	case was != health.Unknown || x.s.past.IsDown(): // a first success is not recorded
		c.Past = history.Up
	}
	if x.s.Fallback {
		t.turnedFallback(x, c.Past)
	}
	c.By, c.Note = by, x.named(by.Words(up, x.v.Config.Window.Of))
	t.tell(c)
}

// note records what happened to servers. It skips nil servers.
func (t *teller) note(k history.Kind, what string, servers ...*server) {
	for _, s := range servers {
		if s != nil {
			t.tell(Change{user: user{s: s}, Cause: Cause{Past: k, Note: what}})
		}
	}
}

// tellHeld records which servers are held now and which have been released.
func tellHeld(t *teller, v *virtual) {
	for _, s := range v.servers {
		switch is := s.Held && !s.Drained(); {
		case is == s.past.IsHeld():
		case is:
			t.note(history.Held, whyHeld(v, s), s)
		default:
			t.note(history.LetGo, s.asks(), s)
		}
	}
}

// whyHeld describes why a server is held, and by which directive.
func whyHeld(v *virtual, s *server) string {
	by, _, _ := strings.Cut(v.Seen(s.Server, time.Time{}).HeldBy(), " = ")
	if asks := s.asks(); asks != "" {
		return asks + ", held: " + by + " keeps it in service"
	}
	return "held: " + by + " keeps it in service although its checks fail"
}

// counted returns how many results of one check contradict the state, and how many it takes to change the state. With a
// window, the contradicting results in the window count, otherwise those in a row.
func counted(before, next health.Health, changed, ok bool, r health.Rule) (v history.Outcome) {
	if !before.Doubted(ok) {
		return v
	}
	v.Count, v.Needed = uint16(next.Streak), uint16(before.Turns(r))
	if changed {
		v.Count = v.Needed
	}
	return v
}

// ordered records a change of the server's order.
func (t *teller) ordered(s *server, o orders.Order) {
	was, what := s.ordered(), "order undone: "
	switch {
	case o.Kind != "":
		was, what = o, "order: "
	case was.IsOver(t.now()):
		what = "order ended: "
	}
	t.note(history.Order, what+was.String(), s)
}

// Why returns a Snapshot of only the servers that an operator names, with their full history. virtual and real have the
// same meaning as for Snapshot.Backends. They may also name a server without an address or one whose name has moved to
// another address.
func (c *Core) Why(now time.Time, virtual, real string) (*view.Snapshot, error) {
	found := c.Snapshot(now)
	err := found.Called(&virtual)
	for i, v := range c.virtuals {
		if lvs.IsNamed(v.Config.ID, virtual) {
			c.recall(&found.Virtuals[i], v, real)
		}
	}
	found.Only(virtual, real)
	return found, err
}

// recall adds the history of those servers of a virtual service that an operator names.
func (c *Core) recall(now *view.Virtual, v *virtual, real string) {
	for k, s := range v.entries() {
		one := &view.Server{}
		if s.Fallback {
			describe(one, v, s, &subject{View: judge.View{Now: c.tell.now()}})
		} else {
			one = &now.Servers[k]
		}
		if !one.IsMeant(real) {
			continue
		}
		one.Past, one.CheckNames = s.past.Clone(), v.checkNames(s)
		one.Conversations = c.examiner.conversations.of(v, s)
		if s.Fallback {
			now.Fallbacks()[k-len(v.servers)].Asked = one
		}
	}
}

// checkNames returns the names of a server's checks, by their numbers in the section.
func (v *virtual) checkNames(s *server) map[uint8]string {
	names := map[uint8]string{}
	for x := range v.checks(s) {
		if x.task() != nil {
			names[x.j.Line] = x.use().Name()
		}
	}
	return names
}
