package health

import "fmt"

// Report is what one answer of a server reports, in the words of HAProxy's agent-check. The zero Report comes from a
// check that requests no report.
type Report struct {
	Silent   bool // there was no answer
	Wordless bool // there was an answer without any of these words
	Weighs   bool // the answer contained Percent
	Percent  uint8
	Admin    Admin
	State    State // Down also for fail and stopped; Unknown if the answer had no word for a state
}

// Admin is the administrative state that a server requests for itself.
type Admin uint8

// A larger value restricts the server more, except for Ready, which ends the other two.
const (
	NoAdmin Admin = iota
	Drain
	Maint
	Ready
)

func (a Admin) String() string { return [...]string{"", "drain", "maint", "ready"}[a] }

// Words holds what a server has reported in all its answers. Each word lasts until the server reports another of the
// same kind; the percentage also ends after Silences checks in a row without an answer.
type Words struct {
	Admin Admin // not Ready
	Less  uint8 // the percentage of its weight that the server can't bear
	Down  bool  // its answers count as failures
}

// min returns the smaller Admin and the smaller Less of two Words, and the Down of other.
func (w Words) min(other Words) Words {
	return Words{min(w.Admin, other.Admin), min(w.Less, other.Less), other.Down}
}

// Percent returns the share of its weight that the server can bear.
func (w Words) Percent() uint8 { return 100 - w.Less }

// String returns what the server reports, except Down, as status and log show it.
func (w Words) String() string {
	percent := fmt.Sprintf("%d%%", w.Percent())
	switch {
	case w.Admin == NoAdmin:
		return percent
	case w.Less == 0:
		return w.Admin.String()
	}
	return w.Admin.String() + ", " + percent
}

// Asks returns Admin, but at least Drain if the server can bear no load.
func (w Words) Asks() Admin {
	if w.Less == 100 {
		return max(w.Admin, Drain)
	}
	return w.Admin
}

// Telling records which of a server's words apply. A word that restricts the server applies only after enough answers
// in a row agree. A word that lifts a restriction applies at once, and so does any change of Down. Next does not change
// a Telling but returns a new one. The zero Telling reports nothing.
type Telling struct {
	Words          // the words that apply
	last     Words // the last reported word of each kind
	common   Words // what all answers of the streak have in common
	silences uint8
	streak   int32 // answers in a row that restrict the server more than Words
}

// Silences is the number of checks in a row without an answer after which the percentage no longer applies.
const Silences = 3

// Tells returns a Telling with words from another source, such as the record of the previous daemon.
func Tells(w Words) Telling { return Telling{Words: w, last: w} }

// Next returns the Telling after one more answer.
func (t Telling) Next(report Report, r Rule) Telling {
	switch {
	case report == (Report{}):
		return Telling{}
	case report.Silent:
		// only the percentage is forgotten
		if t.silences = min(t.silences+1, Silences); t.IsSilent() {
			t.Less, t.last.Less, t.common.Less = 0, 0, 0
		}
		return t
	}
	t.silences = 0
	t.note(report)
	t.Words = t.min(t.last)
	switch {
	case r.Limit() == 1:
		t.common = t.last
	case t.streak == 0 || t.Words == t.last:
		t.common, t.streak = t.last, 0
	default:
		t.common = t.common.min(t.last)
	}
	if t.streak++; int(t.streak) >= r.Limit() {
		t.Words, t.common, t.streak = t.common, t.last, 1
	}
	if t.Words == t.last {
		t.streak = 0
	}
	return t
}

// note stores the words of an answer as the last words reported.
func (t *Telling) note(report Report) {
	switch report.Admin {
	case Ready:
		t.last.Admin = NoAdmin
	case Drain, Maint:
		t.last.Admin = report.Admin
	}
	if report.Weighs {
		t.last.Less = 100 - min(report.Percent, 100)
	}
	if report.State != Unknown {
		t.last.Down = report.State == Down
	}
}

// IsDoubted reports whether the last answer restricts the server more than the words that apply.
func (t Telling) IsDoubted() bool { return t.streak > 0 }

// IsSilent reports whether a server has not answered for so long that its percentage no longer applies.
func (t Telling) IsSilent() bool { return t.silences == Silences }
