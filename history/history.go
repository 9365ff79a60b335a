// Package history keeps what happened to one real server of late: what its checks found, and what was made of that. Equal
// results in a row are one record, so that months of successes take as much memory as one. It decides nothing.
package history

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unsafe"

	"ldirectord/checker"
	"ldirectord/printable"
)

// Limits of a History. With both lists full, Limit leaves some 500 bytes for texts.
const (
	Limit   = 1920 // bytes that a History may take, see Size: what the allocator rounds up to is 2 kB at most
	maxList = 10   // records of each list
	maxText = 160  // bytes of a text that are kept
)

// History is what happened to one real server. The zero value is one without records. It is not safe for several
// goroutines.
type History struct {
	runs  []Run
	deeds []Deed
}

// Moment is a time in nanoseconds since 1970, by the wall clock as the log has it.
type Moment int64

// At is the moment of a time.
func At(t time.Time) Moment { return Moment(t.UnixNano()) }

// Time is the moment in UTC.
func (m Moment) Time() time.Time { return time.Unix(0, int64(m)).UTC() }

// Outcome is what a result says, and whether it was believed.
type Outcome uint8

// The outcomes. Only the first two say something about the server.
const (
	Passed   Outcome = iota
	Failed           // believed: it counts
	Shortage         // this machine lacked something
	Unjudged         // the answer could not be compared with receive
	Stalled          // this machine or the daemon did not run for a while: the check was made again
)

// Believed is the outcome of a result that counts.
func Believed(ok bool) Outcome {
	if ok {
		return Passed
	}
	return Failed
}

func (o Outcome) String() string {
	return [...]string{"passed", "failed", "shortage", "unjudged", "stalled"}[o]
}

// Former is the number of a check that the configuration does not have any more.
const Former = 255

// Run is results of one check in a row that are equal; successes are, whatever the server said.
type Run struct {
	First, Last   Moment
	sum           uint64         // of what they took, in µs
	Text          string         // of the check: why it failed
	Stages        checker.Stages // of the last one
	Times         uint32
	min, max      uint32 // µs
	Count, Needed uint16 // how many results counted against the state at the last one, and how many change it; 0 of 0: none
	Check         uint8  // its number in the section, or Former
	Outcome       Outcome
	Cause         checker.Cause // of a failure
	Stage         checker.Stage // where the failure came
}

// Took are the shortest, mean and longest time of the checks of a run.
func (r *Run) Took() (shortest, mean, longest time.Duration) {
	of := func(n uint64) time.Duration { return time.Duration(n) * time.Microsecond }
	return of(uint64(r.min)), of(r.sum / uint64(r.Times)), of(uint64(r.max))
}

// Kind is what was done.
type Kind uint8

// What was done about a server, or to it.
const (
	Up      Kind = iota // it is up now, by the rule in Text
	Down                // it is down now
	Add                 // the table was told to add it, with Weight; Text is why it refused, "" when it did not
	Edit                // … to give it Weight
	Remove              // … to remove it
	Held                // keepserving keeps it in service though it is down
	LetGo               // … and not any more
	Order               // Text is the order that it has now, or which one ended
	Changed             // Text says what else somebody did to it
)

func (k Kind) String() string {
	return [...]string{"up", "down", "add", "edit", "remove", "held", "let-go", "order", "changed"}[k]
}

// Deed is something that was done, or was tried several times in a row with the same answer.
type Deed struct {
	First, Last Moment
	Text        string
	Times       uint32
	Weight      uint32
	Kind        Kind
}

// Verdict is how many results count against the state of a server, and how many change it; zero: none does.
type Verdict struct{ Count, Needed int }

// Words are the rule that a state follows: "2 of 3 failures", or with a window "2 of 3 failures in the last 5".
func (v Verdict) Words(passed bool, window int) string {
	what := "failures"
	if passed {
		what = "successes"
	}
	switch {
	case v.Needed == 0:
		return "the first result"
	case window > 0:
		return fmt.Sprintf("%d of %d %s in the last %d", v.Count, v.Needed, what, window)
	default:
		return fmt.Sprintf("%d of %d %s", v.Count, v.Needed, what)
	}
}

// Result notes one result of a check, by its number in the section.
func (h *History) Result(now Moment, check uint8, o Outcome, r *checker.Result, v Verdict) {
	one := Run{First: now, Check: check, Outcome: o}
	if o != Passed {
		one.Text, one.Cause, one.Stage = short(r.Detail), r.Cause, r.Stage
	}
	at := h.last(check)
	if at == nil || at.Outcome != o || at.Cause != one.Cause || at.Stage != one.Stage || at.Text != one.Text {
		one.Text = h.own(one.Text)
		at = h.addRun(one)
	}
	took := uint32(min(max(r.Took.Microseconds(), 0), 1<<32-1))
	if at.Times == 0 || took < at.min {
		at.min = took
	}
	at.max = max(at.max, took)
	at.sum += uint64(took)
	at.Times++
	at.Stages = r.Stages
	at.Last, at.Count, at.Needed = now, uint16(v.Count), uint16(v.Needed)
}

// last is the last run of a check, nil without one.
func (h *History) last(check uint8) *Run {
	for i := len(h.runs) - 1; i >= 0; i-- {
		if h.runs[i].Check == check {
			return &h.runs[i]
		}
	}
	return nil
}

// Do notes something that was done. Text is as Kind says.
func (h *History) Do(now Moment, k Kind, weight uint32, text string) {
	text = short(text)
	if n := len(h.deeds); n > 0 {
		if last := &h.deeds[n-1]; last.Kind == k && last.Weight == weight && last.Text == text {
			last.Times, last.Last = last.Times+1, now
			return
		}
	}
	if len(h.deeds) == maxList {
		h.deeds = slices.Delete(h.deeds, 0, 1)
	}
	h.deeds = added(h.deeds, Deed{First: now, Last: now, Kind: k, Weight: weight, Text: h.own(text), Times: 1})
	h.shrink()
}

// Order notes the order that a server has, where that is not what was noted last.
func (h *History) Order(now Moment, text string) {
	for i := len(h.deeds) - 1; i >= 0; i-- {
		if d := &h.deeds[i]; d.Kind == Order && d.Text == short(text) {
			return
		} else if d.Kind == Order {
			break
		}
	}
	h.Do(now, Order, 0, text)
}

// Guard notes whether keepserving holds the server, where that is not what was noted last.
func (h *History) Guard(now Moment, held bool) {
	switch was := h.isLast(Held, LetGo); {
	case held && !was:
		h.Do(now, Held, 0, "")
	case was && !held:
		h.Do(now, LetGo, 0, "")
	}
}

// IsDown reports whether it was noted last that the server went down, not up.
func (h *History) IsDown() bool { return h.isLast(Down, Up) }

// isLast reports whether there is a deed of a kind, and none of another one after it.
func (h *History) isLast(kind, other Kind) bool {
	for i := len(h.deeds) - 1; i >= 0; i-- {
		if k := h.deeds[i].Kind; k == kind || k == other {
			return k == kind
		}
	}
	return false
}

// Retire makes the checks so far former ones: the numbers may be those of others from now on.
func (h *History) Retire() {
	for i := range h.runs {
		h.runs[i].Check = Former
	}
}

// Runs are the results, oldest first by their first one. The caller must not change them.
func (h *History) Runs() []Run { return h.runs }

// Deeds are what was done, oldest first. The caller must not change them.
func (h *History) Deeds() []Deed { return h.deeds }

// Clone is a copy that later records don't change.
func (h *History) Clone() *History {
	return &History{slices.Clone(h.runs), slices.Clone(h.deeds)}
}

// Size is how many bytes the history takes, but for what the allocator rounds up to.
func (h *History) Size() int {
	n := int(unsafe.Sizeof(*h)) + cap(h.runs)*int(unsafe.Sizeof(Run{})) + cap(h.deeds)*int(unsafe.Sizeof(Deed{}))
	var counted [2 * maxList]*byte
	for text := range h.texts {
		if at := unsafe.StringData(text); !slices.Contains(counted[:], at) {
			counted[slices.Index(counted[:], nil)] = at
			n += len(text)
		}
	}
	return n
}

// addRun adds a run, and drops others where there are too many.
func (h *History) addRun(r Run) *Run {
	if len(h.runs) == maxList {
		h.dropRun()
	}
	h.runs = added(h.runs, r)
	h.shrink()
	return &h.runs[len(h.runs)-1]
}

// shrink drops records until the texts fit.
func (h *History) shrink() {
	for h.Size() > Limit {
		if len(h.runs) >= len(h.deeds) {
			h.dropRun()
		} else {
			h.deeds = slices.Delete(h.deeds, 0, 1)
		}
	}
}

// dropRun drops the oldest successes; where only the last are some, the oldest failures.
func (h *History) dropRun() {
	before := h.runs[:len(h.runs)-1]
	oldest := max(slices.IndexFunc(before, func(r Run) bool { return r.Outcome == Passed }), 0)
	h.runs = slices.Delete(h.runs, oldest, oldest+1)
}

// added is a list with one more record. It grows by little: most lists stay short.
func added[T any](list []T, one T) []T {
	if len(list) == cap(list) {
		list = append(make([]T, 0, len(list)+min(max(len(list), 1), 2)), list...)
	}
	return append(list, one)
}

// short is a text as it is kept.
func short(text string) string {
	start, more := printable.Cut(text, maxText)
	return start + more
}

// own is a text without the memory of others: that of an equal one that is kept, or a copy.
func (h *History) own(text string) string {
	for t := range h.texts {
		if t == text {
			return t
		}
	}
	return strings.Clone(text)
}

// texts are those of all records.
func (h *History) texts(yield func(string) bool) {
	for i := range h.runs {
		if t := h.runs[i].Text; t != "" && !yield(t) {
			return
		}
	}
	for i := range h.deeds {
		if t := h.deeds[i].Text; t != "" && !yield(t) {
			return
		}
	}
}
