package director

import (
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
	Text    string  `json:"text,omitempty"` // a sentence; text from servers and other programs in it is not escaped
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

// kind is a kind of condition. It reports whether it holds, and its sentence; "" if the state says enough.
type kind struct {
	name    string
	trouble Trouble
	holds   func(*subject) (says string, holds bool)
}

// kinds are all kinds, in the order in which they are shown.
var kinds = []kind{
	{"down", Broken, isDown},
	{"unknown", Doubt, isUnknown},
	{"maintenance", Noted, isMaintained},
	{"warning", Doubt, isWarned},
	{"drained", Noted, isDrainedToo},
	{"suspected", Doubt, isSuspected},
	{"full", Doubt, isFull},
	{"pace", Doubt, isPaced},
	{"holddown", Doubt, isHeldDown},
	{"observe", Doubt, isLeftOut},
	{"onfail", Noted, isOnFail},
	{"paceout", Noted, waitsForRemoval},
	{"held", Noted, isHeld},
	{"brake", Noted, isBraked},
	{"unwatched", Noted, isUnwatched},
	{"moved", Noted, hasMoved},
	{"stays", Noted, staysForNames},
	{"backup", Noted, isBackup},
	{"weightless", Noted, isWeightless},
	{"rerouted", Noted, isRerouted},
	{"order", Noted, isOrdered},
	{"reports", Noted, isAsking},
	{"weight", Fine, isReduced},
	{"unjudged", Doubt, isUnjudged},
	{"failing", Doubt, isFailing},
	{ByHand.Kind, ByHand.Trouble, isByHand},
}

// conditions are those that hold.
func (a *subject) conditions() (list []Condition) {
	for i := range kinds {
		if says, holds := kinds[i].holds(a); holds {
			list = append(list, Condition{kinds[i].name, kinds[i].trouble, says})
		}
	}
	return list
}

// given is a sentence that ends with a text; without a text the condition does not hold.
func given(text, about string) (string, bool) { return about + text, text != "" }

func isDown(a *subject) (string, bool) {
	if a.state != judge.Down {
		return "", false
	}
	return a.reason(), true
}

// reason is why the check that decides fails.
func (a *subject) reason() string { return user{a.v, a.s, a.worst}.named(a.worst.reason) }

func isUnknown(a *subject) (says string, holds bool) {
	if a.worst.shortages > 0 {
		says = a.reason()
	}
	return says, a.state == judge.Unknown
}

func isMaintained(a *subject) (string, bool) { return given(a.s.maintenance, "") }

// last is the last result of the check that decides, of a server that is up.
func (a *subject) last() *checker.Result {
	if a.worst.check == nil || a.worst.check.at == 0 || a.state != judge.Up {
		return &checker.Result{OK: true}
	}
	return &a.worst.check.last
}

func isWarned(a *subject) (string, bool) { return given(a.last().Warning, "warning: ") }

func isFailing(a *subject) (string, bool) {
	if a.last().OK {
		return "", false
	}
	return "last check: " + a.last().Detail, true
}

func isDrainedToo(a *subject) (string, bool) {
	return "drained too: it gets no new connections when it is up again",
		a.s.Drained() && a.state != judge.Draining
}

func isSuspected(a *subject) (string, bool) { return given(a.s.suspicion(), "suspected: ") }

func isFull(a *subject) (string, bool) {
	if !a.s.limit.isFull() {
		return "", false
	}
	return "full: " + a.s.fullness(), true
}

// left is how much longer a server waits for its turn.
func (a *subject) left() time.Duration { return max(0, a.s.Until.Sub(a.now)).Round(time.Second) }

func isPaced(a *subject) (string, bool) {
	if a.waits != "pace" {
		return "", false
	}
	says := fmt.Sprintf("waits another %v for its turn: pace = %v", a.left(), a.v.Pace)
	return says + removal(a.v, a.s, a.now), true
}

func isHeldDown(a *subject) (string, bool) {
	if a.waits != "holddown" {
		return "", false
	}
	return a.s.heldDown(a.now) + removal(a.v, a.s, a.now), true
}

func isLeftOut(a *subject) (string, bool) {
	if a.waits != "observe" {
		return "", false
	}
	return a.s.heldDown(a.now) + removal(a.v, a.s, a.now), true
}

func isOnFail(a *subject) (string, bool) {
	if a.s.Why.String() != "onfail" || a.waits != "" {
		return "", false
	}
	return a.v.onFail(a.s, a.now), true
}

func waitsForRemoval(a *subject) (string, bool) {
	if !a.s.Held || a.s.Until.IsZero() {
		return "", false
	}
	return fmt.Sprintf("held for another %v: paceout = %v", a.left(), a.v.PaceOut), true
}

func isHeld(a *subject) (string, bool) {
	return "held", a.s.Held && a.s.Until.IsZero() && !a.s.Drained()
}

func isBraked(a *subject) (string, bool) {
	if len(a.v.Brakes) == 0 {
		return "", false
	}
	for x := range a.v.checks(a.s) {
		if a.v.IsBraked(x.j.Check) {
			says := "not believed: every server that was up fails only through "
			return says + a.v.cfg.CheckVIP.String(), true
		}
	}
	return "", false
}

func isUnwatched(a *subject) (string, bool) {
	var why []string
	for j := &a.s.first; j != nil; j = j.next {
		if x := (user{a.v, a.s, j}); j.check != nil && j.check.unwatched != "" && x.isWatched() {
			why = append(why, x.named(j.check.unwatched))
		}
	}
	return given(strings.Join(why, "; "), "not watched until the next reload: ")
}

func hasMoved(a *subject) (string, bool) {
	return "its name has a new address; this server serves until it fails, or until the one at the new " +
		"address is up", a.s.MovedTo >= 0
}

func staysForNames(a *subject) (string, bool) {
	return "it left the file; it stays until every name in the file has an address, or until the next reload",
		a.s.stays && a.s.MovedTo < 0
}

func isBackup(a *subject) (string, bool) {
	if !a.s.Backup {
		return "", false
	}
	return "backup, " + reserve(a.v, a.s) + ": " + ownServe(a.v), true
}

func isWeightless(a *subject) (string, bool) {
	return "weight 0 in the file: it gets no new clients", a.s.IsUp() && !a.s.Held && a.s.Weight() == 0
}

func isRerouted(a *subject) (string, bool) {
	if !a.s.Rerouted {
		return "", false
	}
	return a.s.rerouting(), true
}

func isOrdered(a *subject) (string, bool) {
	order := a.s.command()
	return order, order != ""
}

func isAsking(a *subject) (string, bool) {
	asks := a.s.asks()
	return asks, asks != "" && a.s.ordered().Kind == ""
}

func isReduced(a *subject) (string, bool) { return given(a.v.whyWeight(a.s), "") }

func isUnjudged(a *subject) (string, bool) {
	for j := &a.s.first; j != nil; j = j.next {
		if why := j.cantJudge(); why != "" {
			return "its state is kept: " + user{a.v, a.s, j}.named(why), true
		}
	}
	return "", false
}

// ByHand is the condition of a destination that another program or an operator has changed in the table.
var ByHand = Condition{"by hand", Doubt, "changed externally; kept until the server's state changes, or a reload"}

func isByHand(a *subject) (string, bool) { return ByHand.Text, a.v.ByHand[a.s.Dest.Addr] }
