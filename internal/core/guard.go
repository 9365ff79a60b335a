package core

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
	"ldirectord/internal/orders"
	"ldirectord/internal/view"
)

// holder returns the first directive that holds servers in service or delays their return, or "" if none does.
func (v *virtual) holder() string {
	switch {
	case v.Quota() > 0:
		return "keepserving"
	case len(v.Paths) > 0:
		return "checkvip"
	case v.PaceOut.N > 0:
		return "paceout"
	case v.Pace.N > 0:
		return "pace"
	}
	return ""
}

// guard returns what holds servers in service, in the form that JSON shows.
func (v *virtual) guard() view.Guard {
	now := view.Guard{Keeps: v.Quota(), Obeys: v.Obeys, Paced: v.PaceOut.N > 0}
	for _, s := range v.servers { // v.held has none on standby
		if s.Held && !s.Drained() {
			now.Held++
		}
	}
	if now.Keeps == 0 && !now.Paced && !(now.Obeys && v.holder() != "") {
		return view.Guard{}
	}
	return now
}

var obeyedKind = kind{name: "obeyed", trouble: judge.Noted, says: func(a *subject) string {
	by, order := a.v.holder(), a.orders[lvs.Backend{Virtual: a.v.Config.ID}]
	if !a.v.Obeys || by == "" {
		return ""
	}
	none := by + " holds no"
	switch {
	case by == "pace":
		none = "pace delays no"
	case a.v.PaceOut.N == 0:
	case by == "keepserving":
		none = "neither keepserving nor paceout holds a"
	default:
		none = "paceout holds no"
	}
	return "by order, until every server is up: " + none + " server" + order.Remark("; order: ")
}}

// heldKind is reported one checkinterval after the first server is held. By then all held servers are known.
var heldKind = kind{name: "held", trouble: judge.Noted, says: (*subject).held, news: &news{
	count: func(a *subject) int { return len(a.v.held) },
	after: func(v *virtual) time.Duration { return v.Config.CheckInterval.Duration() },
	begins: func(a *subject) notice {
		if a.was.reported {
			return notice{event: notify.GuardChanged, what: "Guard holds other servers",
				more: ": " + a.v.listHeld()}
		}
		why := ": checks fail"
		if a.v.someAsk() {
			why = ": checks fail, or servers report drain or maint"
		}
		return notice{event: notify.GuardHolds, what: "Guard holds",
			more: why + ", and " + a.heldBy() + " in service: " + a.v.listHeld()}
	},
	ends: func(a *subject) notice {
		if !a.was.reported {
			return notice{event: notify.GuardChanged, what: "Guard held servers for a moment",
				more: ": no server is held any more"}
		}
		return notice{event: notify.GuardOver, what: "Guard is over", more: ": no server is held any more"}
	},
}}

// someAsk reports whether a held server reports drain or maint. Its checks may pass.
func (v *virtual) someAsk() bool {
	return slices.ContainsFunc(v.held, func(s *server) bool { return s.Asks() > health.NoAdmin })
}

// held describes how many servers are held, and until when.
func (a *subject) held() string {
	although := "their checks fail"
	if a.v.someAsk() {
		although = "their checks fail or they report drain or maint"
	}
	switch held, g := len(a.v.held), a.v.guard(); {
	case g.Obeys || held == 0:
	case g.Paced && g.Keeps > 0:
		return fmt.Sprintf("paceout and keepserving hold %d in service for now, although %s", held, although)
	case g.Paced:
		return fmt.Sprintf("paceout holds %d in service for now, although %s", held, although)
	case g.Keeps > 0:
		return fmt.Sprintf("keepserving holds %d in service although %s: the minimum is %d", held, although,
			g.Keeps)
	}
	return ""
}

// heldBy names the directives that hold servers.
func (a *subject) heldBy() string {
	var by []string
	for _, s := range a.v.held {
		by = append(by, a.v.Seen(s.Server, a.Now).HeldBy())
	}
	slices.Sort(by)
	if by = slices.Compact(by); len(by) == 1 {
		return by[0] + " keeps"
	}
	return strings.Join(by, " and ") + " keep"
}

// listHeld names the held servers in one line, which it shortens if there are many.
func (v *virtual) listHeld() string {
	var names []string
	for _, s := range v.held {
		names = append(names, s.entry.Name())
	}
	return view.Listed(names)
}

// obey carries out an order for a virtual service.
func (e *examiner) obey(v *virtual, o orders.Order) {
	if v.Obeys == (o.Kind == orders.Obey) {
		return
	}
	withheld := v.Withholds()
	judged := v.Obey(!v.Obeys)
	if v.touch(); !v.Obeys {
		e.tell.guard(v, notify.GuardObeys, "Guard is in force again", "")
		return
	}
	e.tell.guard(v, notify.GuardObeys, "Guard is suspended by order", o.Remark(": "))
	if withheld {
		e.tell.guard(v, notify.GuardOver, "Brake is over", ": suspended by order")
	}
	e.judgeAccused(v, judged)
}
