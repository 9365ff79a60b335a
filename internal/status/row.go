package status

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"ldirectord/internal/judge"
	"ldirectord/internal/view"
)

// Row is a row of a table: a server of a virtual service, or the virtual service itself.
type Row struct {
	At             *Virtual
	Server         *Server // nil for the virtual service
	Trouble        Trouble
	Weight, Active int64 // in the table, and active connections; -1: none, or not known
}

// Name identifies a row in a report.
func (r *Row) Name() string {
	if r.Server == nil {
		return r.At.ID
	}
	return r.Server.Real + " of " + r.At.ID
}

// Label returns the virtual service's id, together with its servicename if it has one.
func (v *Virtual) Label() string { return view.Label(v.ID, v.Title) }

// Services returns the virtual services as rows, each with the number of connections of all its servers.
func (r *Report) Services() []Row {
	rows := make([]Row, len(r.Virtuals))
	for i := range r.Virtuals {
		v := &r.Virtuals[i]
		rows[i] = Row{v, nil, v.Trouble(), -1, -1}
		for _, s := range v.Servers {
			if s.Connections != nil {
				rows[i].Active = max(rows[i].Active, 0) + int64(s.Connections.Active)
			}
		}
	}
	return rows
}

// WorstFirst sorts rows by their trouble, the worst first.
func WorstFirst(rows []Row) []Row {
	slices.SortStableFunc(rows, func(a, b Row) int { return cmp.Compare(b.Trouble, a.Trouble) })
	return rows
}

// Rows returns the servers in the file, then those that were removed from it, then the fallback servers.
func (v *Virtual) Rows() (rows []Row) {
	add := func(s *Server) {
		r := Row{v, s, worst(s).Trouble, -1, -1}
		if s.TableWeight != nil {
			r.Weight = int64(*s.TableWeight)
		}
		if s.Connections != nil {
			r.Active = int64(s.Connections.Active)
		}
		rows = append(rows, r)
	}
	for i := range v.Servers {
		add(&v.Servers[i])
	}
	for i := range v.Leaving {
		l := &v.Leaving[i]
		note := "not in the file: " + l.Note
		s := &Server{Real: l.Real, State: l.State, Note: note, TableWeight: &l.Effective, ByHand: l.ByHand,
			Connections: &l.Connections}
		s.Conditions = []view.Condition{{Kind: "leaving", Trouble: Noted, Text: note}}
		addByHand(s)
		add(s)
	}
	for _, f := range (*view.Virtual)(v).Fallbacks() {
		s := &Server{Real: f.Server, State: "fallback", Note: place(f), TableWeight: f.TableWeight,
			ByHand: f.ByHand, Conditions: slices.Clone(f.Conditions)}
		if s.Check = f.Check; f.Active {
			s.Conditions = append(s.Conditions, view.Condition{Kind: "fallback", Trouble: Doubt})
		}
		if f.State == "" { // otherwise its conditions include ByHand already
			addByHand(s)
		}
		add(s)
	}
	return rows
}

// place describes what a fallback server does.
func place(f *Fallback) string {
	switch {
	case !f.Active:
		return "waits"
	case f.State == "":
		return "serves, not checked"
	}
	return "serves"
}

// addByHand adds the condition ByHand to a server that is not a real server of the file, if its entry was changed by
// hand.
func addByHand(s *Server) {
	if s.ByHand {
		s.Conditions = append(s.Conditions, view.ByHand)
	}
}

// Trouble is the degree of attention that something needs.
type Trouble = judge.Trouble

const (
	Fine   = judge.Fine
	Noted  = judge.Noted
	Doubt  = judge.Doubt
	Broken = judge.Broken
)

// worst returns the condition that needs the most attention. Among equals it prefers the first that has a text. It
// returns the zero value if there is none.
func worst(s *Server) (one view.Condition) {
	for _, c := range s.Conditions {
		if c.Trouble > one.Trouble || c.Trouble == one.Trouble && one.Text == "" {
			one = c
		}
	}
	return one
}

// Remarks returns the sentences of the virtual service's conditions. They contain text from servers and other programs
// and must be escaped.
func (v *Virtual) Remarks() (all []string) {
	for _, c := range v.Conditions {
		all = append(all, c.Text)
	}
	return all
}

// Trouble returns the trouble of a virtual service. The result is Broken only if no server serves although one should,
// or if the service's own conditions include a broken one.
func (v *Virtual) Trouble() Trouble {
	worst := Fine
	for _, r := range v.Rows() {
		worst = max(worst, min(r.Trouble, Doubt))
	}
	if v.lacks() && worst > Fine {
		return Broken
	}
	for _, c := range v.Conditions {
		worst = max(worst, c.Trouble)
	}
	return worst
}

// IsOff reports whether the file keeps every server of the virtual service out of the table.
func (v *Virtual) IsOff() bool {
	return slices.ContainsFunc(v.Servers, func(s Server) bool { return s.State == "off" })
}

// Up returns the number of servers that are up and not waiting to come back into service.
func (v *Virtual) Up() int {
	up := 0
	for _, s := range v.Servers {
		if s.State == "up" && s.WaitsFor == "" {
			up++
		}
	}
	return up
}

// OfAll returns how many servers are up, and how many there are.
func (v *Virtual) OfAll() string { return fmt.Sprintf("%d of %d", v.Up(), len(v.Servers)) }

// title describes a virtual service on one line.
func (v *Virtual) title() string {
	return fmt.Sprintf("%s %s, %s up", v.Label(), cmp.Or(v.Scheduler, "none"), v.OfAll())
}

// Number formats a weight or a number of connections.
func Number(n int64) string {
	if n < 0 {
		return "-"
	}
	return strconv.FormatInt(n, 10)
}

// For returns how long a server has been in its state, or "" if that is not known.
func For(s *Server, now time.Time) string {
	if s.Since.IsZero() {
		return ""
	}
	return lasted(s.InState, s.Since, now)
}

// LastCheck summarizes a server's last check. For a fallback server, the text begins with "waits" or "serves".
func LastCheck(s *Server, now time.Time) string {
	switch {
	case s.State != "fallback":
		return summary(s.Check, now)
	case s.Check == nil:
		return s.Note
	}
	return s.Note + "; " + summary(s.Check, now)
}

// summary describes how long a check took or why it failed, and how long ago it was made. Before the first result it
// returns "-".
func summary(c *Check, now time.Time) string {
	if c == nil {
		return "-"
	}
	what := c.Cause
	if c.OK {
		what = brief(c.Seconds)
	}
	return fmt.Sprintf("%s, %s ago", what, Short(now.Sub(c.Time)))
}
