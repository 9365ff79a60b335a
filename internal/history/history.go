// Package history keeps the recent history of one server: the results of its checks, what followed from them, orders,
// and other changes. Equal results in a row are one record, so months of successes take as much memory as one. The
// package decides nothing.
package history

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unsafe"

	"ldirectord/checker"
	"ldirectord/checker/wire"
	"ldirectord/internal/printable"
)

// These constants limit the size of a History.
const (
	// Limit is the largest size of a History in bytes, as computed by Size. With the allocator's rounding, a
	// History takes at most 2.3 kB.
	Limit      = 1920
	maxRecords = 18
	maxText    = 160 // how many bytes of a text are kept
)

// History is the history of one server. The zero value has no records. It is not safe for concurrent use.
type History struct{ records []Record }

// Moment is a time in nanoseconds since 1970, by the wall clock, as in the log.
type Moment int64

// At returns t as a Moment.
func At(t time.Time) Moment { return Moment(t.UnixNano()) }

// Time returns the moment in UTC, or the zero time for the zero moment.
func (m Moment) Time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(m)).UTC()
}

// Kind is what happened: what a check found, or what was done to a server.
type Kind uint8

// These are the kinds of records, except for Nothing, which is never recorded. Passed and Failed are results that
// count. The four kinds after them are results that don't.
const (
	Nothing Kind = iota
	Passed
	Failed   // a failure that counts
	Shortage // a shortage of this machine
	Unjudged // the answer could not be judged, or an agent did not answer
	Stalled  // this machine or the daemon did not run for a while; the check was repeated
	Withheld // a failure only through the virtual address, which is not judged, or not yet

	Up   // it is up now, for the reason in Text
	Down // it is down now, for the reason in Text
	// In the next three, Text is why the table refused the change; "" if it was made.
	Add    // it was added to the table, with Weight
	Edit   // its weight in the table was set to Weight
	Remove // it was removed from the table

	Held    // Text: why it is kept in service, and by which directive
	LetGo   // it is no longer held; Text: what it reports, if that is drain or maint
	Order   // Text: its new order, or the order that ended or was undone
	Changed // Text describes another change
)

// Believed returns the Kind of a check result that counts: Passed if ok, otherwise Failed.
func Believed(ok bool) Kind {
	if ok {
		return Passed
	}
	return Failed
}

func (k Kind) String() string {
	return [...]string{"", "passed", "failed", "shortage", "unjudged", "stalled", "braked",
		"up", "down", "add", "edit", "remove", "held", "let-go", "order", "changed"}[k]
}

// These are special values of Event.Check. Other values are the number of a check in the section.
const (
	None   = 254 // no check: the event is not a result
	Former = 255 // a check that is no longer configured
)

// Event is something that happened to a server. All successes of a check are equal, whatever the server answered.
type Event struct {
	Kind   Kind
	Check  uint8
	Cause  checker.Cause // the cause of a failure
	Weight uint32
	Text   string // depends on Kind; for a result, why it failed
}

// Record is a series of equal events, either of one check or without any check.
type Record struct {
	Event
	First, Last Moment
	Times       uint32
	Took        uint32      // how long the last check took, in µs
	Stages      wire.Stages // the stages of the last result
	Outcome                 // after the last result
}

// Outcome is how many results contradict the state of a server, and how many it takes to change the state. It is zero
// if no result contradicts the state.
type Outcome struct{ Count, Needed uint16 }

// Words describes the outcome: "2 of 3 failures", with a window "2 of 3 failures in the last 5", and "the first result"
// for the zero Outcome.
func (v Outcome) Words(passed bool, window int) string {
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

// Result records a result of a check. check is the check's number in its section.
func (h *History) Result(now Moment, check uint8, k Kind, r *checker.Result, v Outcome) {
	e := Event{Kind: k, Check: check}
	if k != Passed {
		e.Text, e.Cause = r.Detail, r.Cause
	}
	at := h.note(now, e)
	at.Took = uint32(min(max(r.Took.Microseconds(), 0), 1<<32-1))
	at.Stages, at.Outcome = r.Stages, v
}

// Do records an event that is not the result of a check. The meaning of text depends on k.
func (h *History) Do(now Moment, k Kind, weight uint32, text string) {
	h.note(now, Event{Kind: k, Check: None, Weight: weight, Text: text})
}

// note records an event, and drops older records if they are too many or take too much memory.
func (h *History) note(now Moment, e Event) *Record {
	e.Text = short(e.Text)
	if at := h.last(e.Check); at == nil || at.Event != e {
		if len(h.records) == maxRecords {
			h.drop()
		}
		e.Text = h.own(e.Text)
		h.records = added(h.records, Record{Event: e, First: now})
		for h.Size() > Limit {
			h.drop()
		}
	}
	at := h.last(e.Check)
	at.Last, at.Times = now, at.Times+1
	return at
}

// last returns the last record of a check, or of events without a check. It returns nil if there is none.
func (h *History) last(check uint8) *Record {
	for i := len(h.records) - 1; i >= 0; i-- {
		if h.records[i].Check == check {
			return &h.records[i]
		}
	}
	return nil
}

// Order records a server's order, if it differs from the last one recorded.
func (h *History) Order(now Moment, text string) {
	if h.lastOf(Order).Text != short(text) {
		h.Do(now, Order, 0, text)
	}
}

// IsHeld reports whether the server is held according to its last Held or LetGo record.
func (h *History) IsHeld() bool { return h.lastOf(Held, LetGo).Kind == Held }

// IsDown reports whether the server is down according to its last Down or Up record.
func (h *History) IsDown() bool { return h.lastOf(Down, Up).Kind == Down }

// lastOf returns the last record of one of these kinds, or an empty one.
func (h *History) lastOf(kinds ...Kind) Record {
	for _, r := range slices.Backward(h.records) {
		if slices.Contains(kinds, r.Kind) {
			return r
		}
	}
	return Record{}
}

// Retire marks all checks as former ones, because their numbers may be reused.
func (h *History) Retire() {
	for i := range h.records {
		if r := &h.records[i]; r.Check != None {
			r.Check = Former
		}
	}
}

// Records returns all records in the order in which they began. The caller must not change them.
func (h *History) Records() []Record { return h.records }

// Clone returns a copy that later records don't change. The copy has no spare capacity.
func (h *History) Clone() *History { return &History{slices.Clip(slices.Clone(h.records))} }

// Size returns the size of the history in bytes, not counting what the allocator adds by rounding up.
func (h *History) Size() int {
	n := int(unsafe.Sizeof(*h)) + cap(h.records)*int(unsafe.Sizeof(Record{}))
	for i := range h.records {
		r := &h.records[i]
		// records with equal texts share one
		if !slices.ContainsFunc(h.records[:i], func(o Record) bool { return o.Text == r.Text }) {
			n += len(r.Text)
		}
	}
	return n
}

// drop removes the oldest record that is not the last one of its check. If each is the last, it removes the oldest.
func (h *History) drop() {
	oldest := max(0, slices.IndexFunc(h.records, func(r Record) bool { return *h.last(r.Check) != r }))
	h.records = slices.Delete(h.records, oldest, oldest+1)
}

// added returns a list with one more record. The list grows in small steps, because most lists stay short.
func added(list []Record, one Record) []Record {
	if n := len(list); n == cap(list) {
		list = append(make([]Record, 0, n+min(max(n, 1), 2)), list...)
	}
	return append(list, one)
}

// short returns a text cut to the length that is kept.
func short(text string) string {
	start, more := printable.Cut(text, maxText)
	return start + more
}

// own returns an equal text that is already kept, or otherwise a copy. The copy keeps no larger text in memory.
func (h *History) own(text string) string {
	if i := slices.IndexFunc(h.records, func(r Record) bool { return r.Text == text }); i >= 0 {
		return h.records[i].Text
	}
	return strings.Clone(text)
}
