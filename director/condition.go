package director

import (
	"cmp"
	"slices"

	"ldirectord/checker"
	"ldirectord/judge"
	"ldirectord/notify"
)

// Condition is why the place of a server differs from "in the table, with its weight in the file", or what else an
// operator should know of it. Status, page, metrics and JSON show conditions and know nothing of a kind.
type Condition struct {
	Kind    string        `json:"kind"`
	Trouble judge.Trouble `json:"trouble"`
	Text    string        `json:"text"` // a sentence; text from servers and other programs in it is not escaped
}

// subject is what a sentence is about.
type subject struct {
	judge.View
	v     *virtual
	s     *server
	worst *judgement
	state judge.Name
}

// about turns to a server.
func (a *subject) about(v *virtual, s *server, worst *judgement) {
	*a = subject{v.Seen(s.Server, a.Now), v, s, worst, s.StateName()}
}

// kind is a kind of condition that rests on what the director knows. Says is its sentence; "" while it does not hold.
type kind struct {
	name    string
	trouble judge.Trouble
	says    func(*subject) string
}

// kinds are all kinds, in the order in which they are shown.
var kinds = slices.Concat(
	[]kind{downKind, unknownKind, maintenanceKind, warningKind, drainedKind, suspectedKind, fullKind},
	ofRules(),
	[]kind{brakeKind, unwatchedKind, staysKind, reroutedKind, orderKind, reportsKind, weightKind, unjudgedKind,
		failingKind, flapsKind, byHandKind},
)

// ofRules are the kinds that rules have, except those that are part of the sentence about the weight.
func ofRules() (list []kind) {
	for _, k := range judge.Kinds {
		if k.Share == nil {
			list = append(list, kind{k.Name, k.Trouble, func(a *subject) string { return k.Says(a.View) }})
		}
	}
	return list
}

// conditions are those that hold.
func (a *subject) conditions() (list []Condition) {
	for i := range kinds {
		if says := kinds[i].says(a); says != "" {
			list = append(list, Condition{kinds[i].name, kinds[i].trouble, says})
		}
	}
	return list
}

// changed tells which conditions of the rules began or ended, of a server or of its section.
func (t *teller) changed(v *virtual, s *server, was, is judge.View) {
	for i := range judge.Kinds {
		k := &judge.Kinds[i]
		if k.Count == nil || k.OfSection != (s == nil) {
			continue
		}
		var n judge.Notice
		switch before, now := k.Count(was), k.Count(is); {
		case now > before:
			n = k.Begins(is)
		case now == 0 && before > 0 && k.Ends != nil:
			n = k.Ends(is)
		}
		if n.Event != "" {
			t.report(v, s, notify.Kind(n.Event), n.What, n.More, "")
		}
	}
}

// after is a sentence that ends with a text; "" without one.
func after(about, text string) string {
	if text == "" {
		return ""
	}
	return about + text
}

var downKind = kind{"down", judge.Broken, func(a *subject) string {
	if a.state != judge.Down {
		return ""
	}
	return cmp.Or(a.reason(), "its checks fail")
}}

// reason is why the check that decides fails.
func (a *subject) reason() string { return user{a.v, a.s, a.worst}.named(a.worst.reason) }

// noResult is what is said of a server that is unknown for no other reason.
const noResult = "no result yet"

var unknownKind = kind{"unknown", judge.Doubt, func(a *subject) string {
	switch {
	case a.state != judge.Unknown:
		return ""
	case a.worst.shortages > 0:
		return cmp.Or(a.reason(), noResult)
	}
	return noResult
}}

var drainedKind = kind{"drained", judge.Noted, func(a *subject) string {
	if !a.s.Drained() || a.state == judge.Draining {
		return ""
	}
	return "drained too: it gets no new connections when it is up again"
}}

// last is the last result of the check that decides, of a server that is up.
func (a *subject) last() *checker.Result {
	if a.worst.check == nil || a.worst.check.at == 0 || a.state != judge.Up {
		return &checker.Result{OK: true}
	}
	return &a.worst.check.last
}

var warningKind = kind{"warning", judge.Doubt, func(a *subject) string { return after("warning: ", a.last().Warning) }}

var failingKind = kind{"failing", judge.Doubt, func(a *subject) string {
	if a.last().OK {
		return ""
	}
	return "last check: " + a.last().Detail
}}

var unjudgedKind = kind{"unjudged", judge.Doubt, func(a *subject) string {
	for x := range a.v.checks(a.s) {
		if why := x.j.cantJudge(); why != "" {
			return "its state is kept: " + x.named(why)
		}
	}
	return ""
}}

var staysKind = kind{"stays", judge.Noted, func(a *subject) string {
	if !a.s.stays || a.s.MovedTo >= 0 {
		return ""
	}
	return "it left the file; it stays until every name in the file has an address, or until the next reload"
}}

// ByHand is the condition of a destination that another program or an operator has changed in the table.
var ByHand = Condition{"by hand", judge.Doubt,
	"changed externally; kept until the server's state changes, or a reload"}

var byHandKind = kind{ByHand.Kind, ByHand.Trouble, func(a *subject) string {
	if !a.v.ByHand[a.s.Dest.Addr] {
		return ""
	}
	return ByHand.Text
}}
