package director

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"ldirectord/checker"
	"ldirectord/judge"
)

// Condition is why the place of a server differs from "in the table, with its weight in the file", or what else an
// operator should know of it. Status, page, metrics and JSON show conditions and know nothing of a kind.
type Condition struct {
	Kind    string  `json:"kind"`
	Trouble Trouble `json:"trouble"`
	Text    string  `json:"text"` // a sentence; text from servers and other programs in it is not escaped
}

// Trouble is how much attention something needs.
type Trouble uint8

// The levels, least first.
const (
	Fine   Trouble = iota
	Noted          // the operator intends it
	Doubt          // something speaks against it, or nothing is known
	Broken         // out of service against the operator's will, or held
)

var troubles = [...]string{"fine", "noted", "doubt", "broken"}

func (t Trouble) String() string { return troubles[min(int(t), len(troubles)-1)] }

// MarshalText implements encoding.TextMarshaler.
func (t Trouble) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. An unknown level, of another version, is Noted.
func (t *Trouble) UnmarshalText(text []byte) error {
	if *t = Noted; slices.Contains(troubles[:], string(text)) {
		*t = Trouble(slices.Index(troubles[:], string(text)))
	}
	return nil
}

// subject is what a sentence is about.
type subject struct {
	v     *virtual
	s     *server
	worst *judgement
	state judge.Name
	waits string // the directive that keeps it out although it passes
	now   time.Time
}

// about turns to a server.
func (a *subject) about(v *virtual, s *server, worst *judgement) {
	*a = subject{v, s, worst, s.StateName(), s.waitsFor(), a.now}
}

// kind is a kind of condition. Says is its sentence; "" while it does not hold.
type kind struct {
	name    string
	trouble Trouble
	says    func(*subject) string
}

// kinds are all kinds, in the order in which they are shown.
var kinds = []kind{
	{"down", Broken, isDown},
	{"unknown", Doubt, unproven},
	{"maintenance", Noted, func(a *subject) string { return a.s.maintenance }},
	{"warning", Doubt, func(a *subject) string { return after("warning: ", a.last().Warning) }},
	{"drained", Noted, func(a *subject) string {
		return when(a.s.Drained() && a.state != judge.Draining,
			"drained too: it gets no new connections when it is up again")
	}},
	{"suspected", Doubt, func(a *subject) string { return after("suspected: ", a.s.suspicion()) }},
	{"full", Doubt, full},
	{"pace", Doubt, waitsForTurn},
	{"holddown", Doubt, func(a *subject) string { return a.heldDown("holddown") }},
	{"observe", Doubt, func(a *subject) string { return a.heldDown("observe") }},
	{"onfail", Noted, onFail},
	{"paceout", Noted, waitsForRemoval},
	{"held", Noted, func(a *subject) string {
		return when(a.s.Held && a.s.Until.IsZero() && !a.s.Drained(), "held")
	}},
	{"brake", Noted, braked},
	{"unwatched", Noted, unwatched},
	{"moved", Noted, func(a *subject) string {
		return when(a.s.MovedTo >= 0, "its name has a new address; this server serves until it fails, or "+
			"until the one at the new address is up")
	}},
	{"stays", Noted, func(a *subject) string {
		return when(a.s.stays && a.s.MovedTo < 0, "it left the file; it stays until every name in the file "+
			"has an address, or until the next reload")
	}},
	{"backup", Noted, backup},
	{"weightless", Noted, func(a *subject) string {
		return when(a.s.Weight() == 0 && a.s.IsUp() && !a.s.Held,
			"weight 0 in the file: it gets no new clients")
	}},
	{"rerouted", Noted, func(a *subject) string { return a.s.rerouting() }},
	{"order", Noted, func(a *subject) string { return a.s.command() }},
	{"reports", Noted, reports},
	{"weight", Fine, func(a *subject) string { return a.v.whyWeight(a.s) }},
	{"unjudged", Doubt, unjudgedAnswer},
	{"failing", Doubt, failing},
	{ByHand.Kind, ByHand.Trouble, func(a *subject) string {
		return when(a.v.ByHand[a.s.Dest.Addr], ByHand.Text)
	}},
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

// when is a sentence while it holds.
func when(holds bool, says string) string {
	if !holds {
		return ""
	}
	return says
}

// after is a sentence that ends with a text; "" without one.
func after(about, text string) string { return when(text != "", about+text) }

func isDown(a *subject) string {
	if a.state != judge.Down {
		return ""
	}
	return cmp.Or(a.reason(), "its checks fail")
}

// reason is why the check that decides fails.
func (a *subject) reason() string { return user{a.v, a.s, a.worst}.named(a.worst.reason) }

// noResult is what is said of a server that is unknown for no other reason.
const noResult = "no result yet"

func unproven(a *subject) string {
	switch {
	case a.state != judge.Unknown:
		return ""
	case a.worst.shortages > 0:
		return cmp.Or(a.reason(), noResult)
	}
	return noResult
}

// last is the last result of the check that decides, of a server that is up.
func (a *subject) last() *checker.Result {
	if a.worst.check == nil || a.worst.check.at == 0 || a.state != judge.Up {
		return &checker.Result{OK: true}
	}
	return &a.worst.check.last
}

func failing(a *subject) string {
	if a.last().OK {
		return ""
	}
	return "last check: " + a.last().Detail
}

func full(a *subject) string {
	if !a.s.limit.isFull() {
		return ""
	}
	return "full: " + a.s.fullness()
}

// left is how much longer a server waits for its turn.
func (a *subject) left() time.Duration { return max(0, a.s.Until.Sub(a.now)).Round(time.Second) }

func waitsForTurn(a *subject) string {
	if a.waits != "pace" {
		return ""
	}
	return fmt.Sprintf("waits another %v for its turn: pace = %v", a.left(), a.v.Pace) + removal(a.v, a.s, a.now)
}

// heldDown is the sentence of a directive that keeps a server out after its return.
func (a *subject) heldDown(directive string) string {
	if a.waits != directive {
		return ""
	}
	return a.s.heldDown(a.now) + removal(a.v, a.s, a.now)
}

func onFail(a *subject) string {
	if a.s.Why.String() != "onfail" || a.waits != "" {
		return ""
	}
	return a.v.onFail(a.s, a.now)
}

func waitsForRemoval(a *subject) string {
	if !a.s.Held || a.s.Until.IsZero() {
		return ""
	}
	return fmt.Sprintf("held for another %v: paceout = %v", a.left(), a.v.PaceOut)
}

func braked(a *subject) string {
	if len(a.v.Brakes) == 0 {
		return ""
	}
	for _, c := range a.s.Checks() {
		if a.v.IsBraked(c) {
			return "not believed: every server that was up fails only through " + a.v.cfg.CheckVIP.String()
		}
	}
	return ""
}

func unwatched(a *subject) string {
	var why []string
	for j := &a.s.first; j != nil; j = j.next {
		if x := (user{a.v, a.s, j}); j.check != nil && j.check.unwatched != "" && x.isWatched() {
			why = append(why, x.named(j.check.unwatched))
		}
	}
	return after("not watched until the next reload: ", strings.Join(why, "; "))
}

func backup(a *subject) string {
	if !a.s.Backup {
		return ""
	}
	return "backup, " + reserve(a.v, a.s) + ": " + ownServe(a.v)
}

func reports(a *subject) string {
	if a.s.ordered().Kind != "" {
		return ""
	}
	return a.s.asks()
}

func unjudgedAnswer(a *subject) string {
	for j := &a.s.first; j != nil; j = j.next {
		if why := j.cantJudge(); why != "" {
			return "its state is kept: " + user{a.v, a.s, j}.named(why)
		}
	}
	return ""
}

// ByHand is the condition of a destination that another program or an operator has changed in the table.
var ByHand = Condition{"by hand", Doubt, "changed externally; kept until the server's state changes, or a reload"}
