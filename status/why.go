package status

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"ldirectord/checker"
	"ldirectord/director"
	"ldirectord/history"
)

// Why tells of real servers what their checks found of late, and what was done about it. Its JSON names are stable, as
// those of Report.
type Why struct {
	Time    time.Time `json:"time"`
	Started time.Time `json:"started"` // of the daemon: nothing from before is known
	Role    string    `json:"role"`    // active or standby
	Servers []Case    `json:"servers"` // that were asked for; none: the file has none of that name
}

// Case is one real server of one virtual service.
type Case struct {
	Virtual    string     `json:"virtual"`
	Server                // as in a Report
	By         string     `json:"by,omitempty"`          // the rule that made it up or down, as long as that is remembered: 3 of 3 failures
	TableError string     `json:"table_error,omitempty"` // why the table refuses the virtual service
	NextTry    *time.Time `json:"next_try,omitempty"`    // when it is tried again
	Guard      *Guard     `json:"guard,omitempty"`
	History    []Entry    `json:"history"` // in the order in which each began
}

// Entry is one thing that happened to a server, or equal ones in a row.
type Entry struct {
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	Times uint32    `json:"times"`
	// What it is. Results of checks: passed, failed, and those that were not believed: shortage, unjudged, stalled. What
	// came of them: up, down, held, let-go. What the table was told: add, edit, remove. What somebody did: order, changed.
	What    string   `json:"what"`
	Text    string   `json:"text"`                // a sentence without its time, with words of others: escape them
	Check   string   `json:"check,omitempty"`     // of several: https 443
	Cause   string   `json:"cause,omitempty"`     // of a failure
	Detail  string   `json:"detail,omitempty"`    // what the check said, why the table refused, or what was ordered
	Counted int      `json:"counted,omitempty"`   // how many results counted against the state with the last one …
	Needed  int      `json:"needed,omitempty"`    // … and how many change it
	Weight  *uint32  `json:"weight,omitempty"`    // that the table was told
	Took    *Took    `json:"took_ms,omitempty"`   // of checks
	Stages  []Staged `json:"stages_ms,omitempty"` // when the last one was done with each
}

// Took is how long checks took, in milliseconds.
type Took struct {
	Min  float64 `json:"min"`
	Mean float64 `json:"mean"`
	Max  float64 `json:"max"`
}

// Staged is when a check was done with a stage, in milliseconds since its start.
type Staged struct {
	Stage string  `json:"stage"` // lookup, connect, TLS, sent, first byte, whole answer, match
	At    float64 `json:"at"`
}

// NewWhy puts together what director.Why found. Connections may leave servers out.
func NewWhy(s *director.Snapshot, started time.Time, carried map[director.Backend]Connections) *Why {
	w := &Why{Time: s.Time.UTC(), Started: started.UTC(), Role: roleOf(s), Servers: []Case{}}
	for i := range s.Virtuals {
		v := &s.Virtuals[i]
		known := newVirtual(v, s.Time, carried)
		for k, server := range known.Servers {
			c := Case{Virtual: v.ID, Server: server, TableError: known.Error, Guard: known.Guard, History: entries(&v.Servers[k], v.Rule.Of)}
			for _, e := range c.History {
				if e.What == "up" || e.What == "down" {
					c.By = map[bool]string{true: e.Detail}[e.What == c.State]
				}
			}
			if v.Error != "" && v.Retry.After(s.Time) {
				c.NextTry = new(v.Retry.UTC())
			}
			w.Servers = append(w.Servers, c)
		}
		known.Fallback = nil
		for _, left := range known.Rows()[len(known.Servers):] {
			left.Since = s.Time.UTC()
			w.Servers = append(w.Servers, Case{Virtual: v.ID, Server: left, History: []Entry{}})
		}
	}
	return w
}

// entries are all that is remembered of a server.
func entries(s *director.ServerSnapshot, window int) []Entry {
	list := []Entry{}
	if s.Past == nil {
		return list
	}
	for _, r := range s.Past.Runs() {
		list = append(list, ofRun(&r, s.CheckNames, window))
	}
	for _, d := range s.Past.Deeds() {
		list = append(list, ofDeed(&d))
	}
	slices.SortStableFunc(list, func(a, b Entry) int { return a.First.Compare(b.First) })
	return list
}

func ofRun(r *history.Run, names map[uint8]string, window int) Entry {
	shortest, mean, longest := r.Took()
	e := Entry{
		First: r.First.Time(), Last: r.Last.Time(), Times: r.Times, What: r.Outcome.String(), Detail: r.Text,
		Counted: int(r.Count), Needed: int(r.Needed), Took: &Took{inMS(shortest), inMS(mean), inMS(longest)},
	}
	if len(names) > 1 {
		e.Check = names[r.Check]
	}
	if r.Check == history.Former {
		e.Check = "a check before the reload"
	}
	if r.Outcome != history.Passed {
		e.Cause = r.Cause.String()
	}
	for mark, at := range r.Stages {
		if at > 0 {
			e.Stages = append(e.Stages, Staged{checker.Mark(mark).String(), float64(at) / 1000})
		}
	}
	e.Text = e.result(window)
	return e
}

func inMS(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// result is a result of a check in words.
func (e *Entry) result(window int) string {
	took := brief(e.Took.Mean / 1000)
	if least, most := brief(e.Took.Min/1000), brief(e.Took.Max/1000); least != most {
		took = fmt.Sprintf("%s to %s, %s on average", least, most, took)
	}
	about := map[string]string{
		"passed":   "passed in " + took,
		"failed":   fmt.Sprintf("failed after %s, %s: %s", took, e.Cause, e.Detail),
		"shortage": "not believed, this machine lacks something: " + e.Detail,
		"unjudged": "not judged: " + e.Detail,
		"stalled":  "not believed, this machine stood still: " + cmp.Or(e.Detail, e.Cause) + "; checked again at once",
	}
	text := about[e.What]
	if e.Check != "" {
		text = e.Check + ": " + text
	}
	if e.Needed > 0 {
		text += "; " + history.Verdict{Count: e.Counted, Needed: e.Needed}.Words(e.What == "passed", window)
	}
	var stages []string
	for _, s := range e.Stages {
		stages = append(stages, s.Stage+" "+brief(s.At/1000))
	}
	if len(stages) > 0 {
		text += " (" + strings.Join(stages, ", ") + ")"
	}
	return text
}

func ofDeed(d *history.Deed) Entry {
	e := Entry{First: d.First.Time(), Last: d.Last.Time(), Times: d.Times, What: d.Kind.String(), Detail: d.Text}
	told, done := fmt.Sprintf("weight %d", d.Weight), ""
	switch d.Kind {
	case history.Up, history.Down:
		e.Text = e.What + ": " + d.Text
	case history.Held:
		e.Text = "held: keepserving keeps it in service though its checks fail"
	case history.LetGo:
		e.Text = "not held any more"
	case history.Add:
		told, done = "added with "+told, "to add it with "+told
	case history.Edit:
		done = told
	case history.Remove:
		told, done = "removed", "to remove it"
	default:
		e.Text = d.Text
	}
	if done == "" {
		return e
	}
	if e.Text = "table: " + told; d.Kind != history.Remove {
		e.Weight = &d.Weight
	}
	if d.Text != "" {
		e.Text = fmt.Sprintf("table: refused %s: %s", done, d.Text)
	}
	return e
}

// Last drops all but the last n entries of each server.
func (w *Why) Last(n int) {
	for i := range w.Servers {
		all := &w.Servers[i].History
		*all = (*all)[max(0, len(*all)-n):]
	}
}

// WriteText writes it for people.
func (w *Why) WriteText(out io.Writer) error {
	t := page{bufio.NewWriter(out)}
	for i := range w.Servers {
		if i > 0 {
			t.printf("\n")
		}
		t.explain(&w.Servers[i], w)
	}
	return t.w.Flush()
}

func (t page) explain(c *Case, w *Why) {
	t.remark(0, fmt.Sprintf("%s of %s: %s since %s, for %s", c.Real, c.Virtual, c.State, c.Since.Local().Format(time.DateTime), Short(w.Time.Sub(c.Since))))
	if c.By != "" {
		t.remark(2, "by "+c.By)
	}
	t.remarks(2, c.Remarks(w.Time))
	t.remark(2, c.inTable(w))
	t.remarks(2, (&Virtual{Error: c.TableError, Guard: c.Guard}).Remarks())
	if c.NextTry != nil {
		t.remark(2, "the table is told again in "+brief(c.NextTry.Sub(w.Time).Seconds()))
	}
	if len(c.History) > 0 {
		t.printf("\n  %-14s %8s %6s  %s\n", "FIRST", "LAST AGO", "TIMES", "WHAT")
	}
	for i := range c.History {
		t.entry(&c.History[i], w.Time)
	}
	t.printf("  nothing is known from before the start at %s\n", w.Started.Local().Format(time.DateTime))
}

// inTable is what the table has of the server.
func (c *Case) inTable(w *Why) string {
	switch {
	case w.Role == "standby":
		return "the director stands by: it leaves the table alone"
	case c.TableWeight == nil:
		return "it is not in the table"
	default:
		return fmt.Sprintf("it is in the table with weight %d", *c.TableWeight)
	}
}

func (t page) entry(e *Entry, now time.Time) {
	form := "Jan 02 15:04"
	if day := time.DateOnly; e.First.Local().Format(day) == now.Local().Format(day) {
		form = time.TimeOnly
	}
	times := ""
	if e.Times > 1 {
		times = fmt.Sprint(e.Times)
	}
	t.hanging(fmt.Sprintf("  %-14s %8s %6s  ", e.First.Local().Format(form), Short(now.Sub(e.Last)), times), e.Text)
}
