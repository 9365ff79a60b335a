package core

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"ldirectord/checker"
	"ldirectord/internal/health"
	"ldirectord/internal/judge"
	"ldirectord/internal/notify"
	"ldirectord/internal/orders"
	"ldirectord/internal/view"
)

// subject is what a sentence is about: a server or a virtual service.
type subject struct {
	judge.View
	orders orders.All // in force
	v      *virtual
	s      *server // nil: the virtual service
	worst  *judgement
	state  judge.Name
	was    begun // the condition that begins again or ends, as last reported
}

// about makes s the subject, or the virtual service if s is nil.
func (a *subject) about(v *virtual, s *server) {
	*a = subject{View: v.Seen(nil, a.Now), orders: a.orders, v: v, s: s}
	if s != nil {
		a.One, a.worst, a.state = s.Server, s.worst(), s.StateName()
	}
}

// kind is a kind of condition, derived from what the director knows. says returns its sentence, or "" while the
// condition does not hold. If says is nil, the condition is reported but not shown.
type kind struct {
	name    string
	trouble judge.Trouble
	says    func(*subject) string
	*news   // nil: it is shown but not reported
}

// serverKinds and sectionKinds list the kinds for servers and for virtual services, in the order in which they are
// shown and reported.
var (
	serverKinds = slices.Concat(
		[]kind{downKind, unknownKind, maintenanceKind, warningKind, drainedKind, suspectedKind, fullKind},
		ofRules(false),
		[]kind{pathKind, unwatchedKind, staysKind, reroutedKind, reportsKind, orderKind, weightKind,
			unjudgedKind, failingKind, flapsKind, certificateKind, versionKind, slowKind, shareKind,
			byHandKind},
	)
	sectionKinds = append(ofRules(true), refusedKind, elsewhereKind, sharedKind, obeyedKind, heldKind, shortKind,
		allFullKind, nothingServesKind, noWeightKind, fallbackFailsKind, addedKind)
)

// kinds returns the kinds of condition that the subject may have.
func (a *subject) kinds() []kind {
	if a.s == nil {
		return sectionKinds
	}
	return serverKinds
}

// ofRules returns the kinds that judge's rules define. A kind that is part of the sentence about the weight is not
// shown separately.
func ofRules(section bool) (list []kind) {
	for _, k := range judge.Kinds {
		if k.OfSection != section {
			continue
		}
		one := kind{name: k.Name, trouble: k.Trouble}
		if k.Says != nil && k.Share == nil {
			one.says = func(a *subject) string { return k.Says(a.View) }
		}
		if k.Count != nil {
			one.news = &news{count: func(a *subject) int { return k.Count(a.View) },
				begins: byRule(k.Begins), ends: byRule(k.Ends)}
		}
		list = append(list, one)
	}
	return list
}

// byRule turns a rule's notice into a condition's notice.
func byRule(of func(judge.View) judge.Notice) func(*subject) notice {
	if of == nil {
		return nil
	}
	return func(a *subject) notice {
		n := of(a.View)
		return notice{event: notify.Kind(n.Event), what: n.What, more: n.More}
	}
}

// conditions returns the conditions that hold.
func (a *subject) conditions() (list []view.Condition) {
	kinds := a.kinds()
	for i := range kinds {
		k := &kinds[i]
		if k.says == nil {
			continue
		}
		if says := k.says(a); says != "" {
			list = append(list, view.Condition{Kind: k.name, Trouble: k.trouble, Text: says})
		}
	}
	return list
}

var downKind = kind{name: "down", trouble: judge.Broken, says: func(a *subject) string {
	if a.state != judge.Down {
		return ""
	}
	return cmp.Or(a.reason(), "its checks fail")
}}

// reason returns the reason why the deciding check fails.
func (a *subject) reason() string { return user{a.v, a.s, a.worst}.named(a.worst.reason) }

var unknownKind = kind{name: "unknown", trouble: judge.Doubt, says: func(a *subject) string {
	if a.state != judge.Unknown {
		return ""
	}
	return cmp.Or(a.reason(), view.NoResult) // a reason can only be a shortage on this machine
}}

var drainedKind = kind{name: "drained", trouble: judge.Noted, says: func(a *subject) string {
	switch {
	case !a.s.Drained() || a.state == judge.Draining:
		return ""
	case a.endsDrain():
		return "it reported drain before it failed"
	}
	return "drained too: it gets no new connections when it is up again"
}}

// endsDrain reports whether the drain of a server that fails ends with its next success. It does if only answers with a
// status in drainstatus asked for it.
func (a *subject) endsDrain() bool {
	if a.s.Order.Kind == judge.Drain || a.s.Health() != health.Down {
		return false
	}
	for x := range a.v.checks(a.s) {
		if x.j.Telling.Asks() > health.NoAdmin && x.use().Spec().DrainStatus == "" {
			return false
		}
	}
	return true
}

// last returns the last result of the deciding check if the server is up, otherwise a success.
func (a *subject) last() *checker.Result {
	if a.worst.check == nil || a.worst.check.at == 0 || a.state != judge.Up {
		return &checker.Result{OK: true}
	}
	return &a.worst.check.last
}

var warningKind = kind{name: "warning", trouble: judge.Doubt, says: func(a *subject) string {
	return view.After("warning: ", a.last().Warning)
}}

var failingKind = kind{name: "failing", trouble: judge.Doubt, says: func(a *subject) string {
	if a.last().OK {
		return ""
	}
	return "last check: " + a.last().Detail
}}

var unjudgedKind = kind{name: "unjudged", trouble: judge.Doubt, says: func(a *subject) string {
	for x := range a.v.checks(a.s) {
		if why := x.j.cantJudge(); why != "" {
			return "its state is kept: " + x.named(why)
		}
	}
	return ""
}}

var staysKind = kind{name: "stays", trouble: judge.Noted, says: func(a *subject) string {
	if !a.v.Stays(a.s.entry) {
		return ""
	}
	return "it left the file; it stays until every name of its section has an address and every list can be " +
		"used, or until the next reload"
}}

var byHandKind = kind{name: view.ByHand.Kind, trouble: view.ByHand.Trouble, says: func(a *subject) string {
	if !a.v.ByHand[a.s.Dest.Addr] {
		return ""
	}
	return view.ByHand.Text
}}

var addedKind = kind{name: "by hand", trouble: judge.Doubt, says: func(a *subject) string {
	all := added(&a.v.Case)
	if all == nil {
		return ""
	}
	return "added externally: " + strings.Join(all, ", ") + "; kept until a reload"
}}

// added returns the destinations that were added by hand.
func added(v *judge.Case) (list []string) {
	if len(v.ByHand) == 0 { // the usual case allocates nothing
		return nil
	}
	for _, addr := range slices.SortedFunc(maps.Keys(v.ByHand), netip.AddrPort.Compare) {
		if _, in := v.WeightAt(addr); in && v.IsNobodys(addr) {
			list = append(list, addr.String())
		}
	}
	return list
}

var refusedKind = kind{name: "refused", trouble: judge.Broken, says: func(a *subject) string {
	return view.After("the table refuses it: ", a.v.retry.Refusal)
}}
