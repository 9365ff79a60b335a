package status

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"math"
	"time"

	"ldirectord/checker/wire"
	"ldirectord/internal/history"
	"ldirectord/internal/view"
)

// Why shows what the checks of real servers found recently, and what happened as a result. Its JSON names are stable,
// like those of Report.
type Why struct {
	Time    time.Time `json:"time"`
	Zone    Zone      `json:"utc_offset,omitempty"`
	Started time.Time `json:"started"` // when the daemon started: nothing is known from before
	Role    string    `json:"role"`    // active or standby
	Servers []Case    `json:"servers"` // the requested servers; empty if no server has that name
}

// Case describes a server of a virtual service.
type Case struct {
	Virtual    string     `json:"virtual"`
	Title      string     `json:"servicename,omitempty"`
	Owner      string     `json:"belongs_to,omitempty"` // the other daemon that owns the virtual service
	Fallback   bool       `json:"fallback,omitempty"`   // it is a fallback server
	Server                // the same fields as in a Report
	TableError string     `json:"table_error,omitempty"` // why the table refused the service's last change
	Guard      view.Guard `json:"guard,omitzero"`
	Remarks    []string   `json:"remarks,omitempty"` // on the virtual service
	History    []Entry    `json:"history"`           // in the order in which each began
}

// Entry is something that happened to a server, once or several times in a row.
type Entry struct {
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	Times uint32    `json:"times"`
	// What happened. A check had a result that counts (passed, failed) or one that does not (shortage, unjudged,
	// stalled, braked). The results had a consequence (up, down, held, let-go). The table was changed (add, edit,
	// remove). An order was given, ended, or was undone (order). Something else changed (changed), such as the
	// server's own report or its weight by hand.
	What   string `json:"what"`
	Text   string `json:"text"`             // without its time; text from servers and other programs: escape it
	Check  string `json:"check,omitempty"`  // which of several checks: https 443
	Cause  string `json:"cause,omitempty"`  // the cause of a failure
	Detail string `json:"detail,omitempty"` // what the check found, why the table refused it, or what was ordered
	// How long the last check took, in milliseconds, and how long after its start it completed each stage (lookup,
	// connect, TLS, sent, first byte, whole answer, match).
	Took   float64            `json:"took_ms,omitempty"`
	Stages map[string]float64 `json:"stages_ms,omitempty"`
}

// NewWhy makes a Why from the result of director.Why.
func NewWhy(s *view.Snapshot, started time.Time) *Why {
	w := &Why{Time: s.Time.UTC(), Started: started.UTC(), Role: roleOf(s), Servers: []Case{}}
	for i := range s.Virtuals {
		v := &s.Virtuals[i]
		known := newVirtual(v, s.Time)
		about := known.Remarks()
		add := func(r *Server, isFallback bool) {
			w.Servers = append(w.Servers, Case{v.ID, v.Title, v.Owner, isFallback, *r, known.Error,
				known.Guard, about, entries(r, v.Rule.Of)})
		}
		known.Fallback = nil // the fallback servers that were requested follow
		for _, row := range known.Rows() {
			add(row.Server, false)
		}
		for _, f := range v.Fallbacks() {
			if f.Asked != nil {
				add(inFull(f, s.Time), true)
			}
		}
	}
	return w
}

// inFull returns a fallback server with everything that is known about it.
func inFull(f *Fallback, now time.Time) *Server {
	s := f.Asked
	complete(s, now)
	if s.Rule = f.Rule; f.State == "" {
		s.State = "fallback"
	}
	s.Conditions = append(s.Conditions, view.Condition{Kind: "fallback", Text: "fallback: " + place(f)})
	return s
}

// entries returns all records of a server as entries.
func entries(s *Server, window int) []Entry {
	list := []Entry{}
	if s.Past == nil {
		return list
	}
	for _, r := range s.Past.Records() {
		e := Entry{First: r.First.Time(), Last: r.Last.Time(), Times: r.Times, What: r.Kind.String(),
			Detail: r.Text}
		if r.Check == history.None {
			e.done(&r)
		} else {
			e.found(&r, s.CheckNames, window)
		}
		list = append(list, e)
	}
	return list
}

// found fills in the description of one or more equal results of a check.
func (e *Entry) found(r *history.Record, names map[uint8]string, window int) {
	inMS := func(us uint32) float64 { return float64(us) / 1000 }
	e.Took = inMS(r.Took)
	took := fmt.Sprintf("%.1f ms", e.Took)
	if e.Text = "passed in " + took; r.Kind != history.Passed {
		e.Cause = r.Cause.String()
		e.Text = map[history.Kind]string{
			history.Failed:   fmt.Sprintf("failed after %s, %s: %s", took, e.Cause, e.Detail),
			history.Shortage: "not believed because this machine lacks what the check needs: " + e.Detail,
			history.Unjudged: "not judged: " + e.Detail,
			history.Withheld: "not believed, or not yet, because it failed only through the " +
				"virtual address: " + e.Detail,
			history.Stalled: "failed (" + cmp.Or(e.Detail, e.Cause) + "), but not believed, because this " +
				"machine or the daemon was suspended; checked again at once",
		}[r.Kind]
	}
	switch {
	case r.Check == history.Former:
		e.Check = "a check before the reload"
	case len(names) > 1:
		e.Check = names[r.Check]
	}
	if e.Check != "" {
		e.Text = e.Check + ": " + e.Text
	}
	if r.Needed > 0 {
		e.Text += "; " + r.Words(r.Kind == history.Passed, window)
	}
	e.Stages = map[string]float64{}
	for mark, at := range r.Stages {
		if at > 0 {
			e.Stages[wire.Mark(mark).String()] = inMS(at)
		}
	}
}

// done fills in the description of a consequence of results, or of something that was done by hand.
func (e *Entry) done(r *history.Record) {
	weight := fmt.Sprintf("weight %d", r.Weight)
	switch e.Text = r.Text; r.Kind {
	case history.Up, history.Down:
		e.Text = e.What + ": " + r.Text
	case history.LetGo:
		e.Text = "no longer held"
	case history.Add:
		e.reported(r, "added with "+weight, "to add it with "+weight)
	case history.Edit:
		e.reported(r, weight, weight)
	case history.Remove:
		e.reported(r, "removed", "to remove it")
	}
}

// reported fills in the description of a request that the table carried out or refused.
func (e *Entry) reported(r *history.Record, did, refused string) {
	if e.Text = "table: " + did; r.Text != "" {
		e.Text = "table: refused " + refused + ": " + r.Text
	}
}

// Last drops all but the last n entries of each server.
func (w *Why) Last(n int) {
	for i := range w.Servers {
		all := &w.Servers[i].History
		*all = (*all)[max(0, len(*all)-n):]
	}
}

// DropConversations drops the conversations of failed checks.
func (w *Why) DropConversations() {
	for i := range w.Servers {
		w.Servers[i].Conversations = nil
	}
}

// stages describes when the check completed each stage.
func (e *Entry) stages() string {
	var all wire.Stages
	for mark := range all {
		all[mark] = uint32(math.Round(e.Stages[wire.Mark(mark).String()] * 1000))
	}
	return all.String()
}

// WriteText writes the history as text. If all is set, it also writes the stages of checks and the conversations.
func (w *Why) WriteText(out io.Writer, all bool) error {
	t := page{bufio.NewWriter(out)}
	if !all {
		w.DropConversations()
	}
	notice, _ := w.Zone.Notice(w.Time)
	t.printf("%s", notice)
	for i := range w.Servers {
		if i > 0 {
			t.printf("\n")
		}
		t.explain(&w.Servers[i], w, all)
	}
	return t.w.Flush()
}

func (t page) explain(c *Case, w *Why, all bool) {
	zone := w.Zone.at(w.Time)
	state := fmt.Sprintf("%s of %s: %s", c.Real, view.Label(c.Virtual, c.Title), c.State)
	if lasts := For(&c.Server, w.Time); lasts != "" {
		state += fmt.Sprintf(" since %s, for %s", c.Since.In(zone).Format(time.DateTime), lasts)
	}
	t.remarks(0, state)
	t.remarks(2, ServerRemarks(&c.Server, w.Time)...)
	if left := Short(c.Due.Sub(w.Time)); left != "0s" {
		t.remarks(2, "its next check is due in "+left)
	} else if !c.Due.IsZero() {
		t.remarks(2, "its next check is due now")
	}
	t.remarks(2, c.inTable(w))
	t.remarks(2, c.Remarks...)
	const columns = "  %-12s  %-12s %5s  "
	if len(c.History) > 0 {
		t.printf("\n"+columns+"%s\n", "FIRST", "LAST", "TIMES", "WHAT")
	}
	for _, e := range c.History {
		last, times := "", ""
		if e.Times > 1 {
			last, times = w.Zone.clock(e.Last, w.Time), fmt.Sprint(e.Times)
		}
		if stages := e.stages(); all && stages != "" {
			e.Text += " (" + stages + ")"
		}
		t.hanging(fmt.Sprintf(columns, w.Zone.clock(e.First, w.Time), last, times), e.Text)
	}
	for _, one := range c.Conversations {
		t.printf("\n")
		at := w.Zone.clock(one.Time, w.Time)
		t.remarks(2, fmt.Sprintf("last failed conversation of %s, at %s:", one.Check, at))
		t.printf("%s\n", one.Text)
	}
	t.printf("  nothing is known from before the start at %s\n", w.Started.In(zone).Format(time.DateTime))
}

// inTable describes the server's entry in the table.
func (c *Case) inTable(w *Why) string {
	switch {
	case w.Role == "standby":
		return "the director stands by: it leaves the table alone"
	case c.Owner != "":
		return "this daemon leaves its entry in the table alone"
	case c.TableWeight == nil:
		return "it is not in the table"
	}
	return fmt.Sprintf("it is in the table with weight %d", *c.TableWeight)
}
