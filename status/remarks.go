package status

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// sentences are remarks, with what others said as they said it: who shows them escapes it.
type sentences []string

func (all *sentences) add(format string, values ...any) {
	*all = append(*all, fmt.Sprintf(format, values...))
}

// told adds a remark that ends with what was told, if anything was.
func (all *sentences) told(about, what string) {
	if what != "" {
		*all = append(*all, about+what)
	}
}

// Remarks are what is wrong with the daemon as a whole, a sentence each. They have words of others: escape them.
func (r *Report) Remarks() []string {
	var all sentences
	all.told("the last reload was refused: ", r.Reloads.Error)
	all.told("the table can't be read: ", r.Table.Error)
	if r.Table.Removing > 0 {
		all.add("%d virtual services are to be removed and still in the table", r.Table.Removing)
	}
	all.told("mark rules can't be set: ", r.MarkError)
	all.told("addresses can't be announced: ", r.AnnounceError)
	for _, n := range r.Names {
		if n.Address.IsValid() { // the servers of one without are remarked on themselves
			all.add("the name %s cannot be looked up, its last address %s is used: %s", n.Name, n.Address, n.Error)
		}
	}
	for _, o := range r.Orders {
		if o.Lost {
			all.add("an order for %s, which the file does not have: %s", o.Backend, o.Order)
		}
	}
	if r.Checks.Overdue >= 1 {
		all.add("checks are late by %s", Short(time.Duration(r.Checks.Overdue*float64(time.Second))))
	}
	if r.Checks.Shortages > 0 {
		all.add("%d checks failed by shortages of this machine", r.Checks.Shortages)
	}
	return all
}

// Up is how many servers are up.
func (v *Virtual) Up() int {
	up := 0
	for i := range v.Servers {
		if v.Servers[i].State == "up" {
			up++
		}
	}
	return up
}

// Remarks are what is wrong with a virtual service besides its servers, and what keepserving does where that makes a
// difference. They have words of others: escape them.
func (v *Virtual) Remarks() []string {
	var all sentences
	all.told("the table refuses it: ", v.Error)
	switch g := v.Guard; {
	case g == nil:
	case g.Obeys:
		all.add("by order the checks have their way until every server is up: keepserving holds nobody")
	case g.Held > 0:
		all.add("keepserving holds %d in service though their checks fail: the least is %d", g.Held, g.Keeps)
	}
	if len(v.Added) > 0 {
		all.add("added externally: %s; kept until a reload", strings.Join(v.Added, ", "))
	}
	return all
}

// Rows are the servers of the file, then those that left it, and the fallback server as one more.
func (v *Virtual) Rows() []Server {
	rows := slices.Clip(v.Servers)
	for _, l := range v.Leaving {
		rows = append(rows, Server{
			Real: l.Real, State: l.State, Note: "not in the file: " + l.Note, TableWeight: &l.TableWeight, ByHand: l.ByHand, Connections: &l.Connections})
	}
	if f := v.Fallback; f != nil {
		s := Server{Real: f.Server, State: "fallback", Note: "waits", TableWeight: f.TableWeight, ByHand: f.ByHand}
		if f.Active {
			s.Note = "answers"
		}
		rows = append(rows, s)
	}
	return rows
}

// Trouble is how much there is to see of something.
type Trouble uint8

// The troubles, the least first.
const (
	Fine   Trouble = iota
	Noted          // the operator wants it so
	Doubt          // something speaks against it, or nothing is known
	Broken         // out of service against the operator's will, or held
)

// Trouble is that of a server.
func (s *Server) Trouble() Trouble {
	switch {
	case s.State == "down":
		return Broken
	case s.State == "unknown", s.Unjudged != "", s.ByHand, s.State == "fallback" && s.Note == "answers",
		s.State == "up" && s.Check != nil && (!s.Check.OK || s.Check.Warning != ""):
		return Doubt
	case s.State == "maintenance", s.State == "drained", s.Drained, s.Note != "" && s.State != "fallback":
		return Noted
	}
	return Fine
}

// Trouble is that of a virtual service. It is broken only where nobody serves, or the table refuses it.
func (v *Virtual) Trouble() Trouble {
	worst, serves := Fine, false
	for _, s := range v.Rows() {
		worst = max(worst, min(s.Trouble(), Doubt))
		serves = serves || s.State == "up" || s.State == "off" || strings.HasPrefix(s.Note, "held")
	}
	switch {
	case v.Error != "", !serves && worst > Fine:
		return Broken
	case len(v.Added) > 0:
		return Doubt
	}
	return worst
}

// Remarks are what there is to tell of a server besides its numbers. They have words of others: escape them.
func (s *Server) Remarks(now time.Time) []string {
	var all sentences
	all.told("its address is ", s.Address)
	all.told("", s.Reason)
	for _, c := range s.EachCheck {
		all.add("%s: %s (%s)", c.Name, c.State, c.Last.Summary(now))
	}
	if s.Check != nil && !s.Check.OK && !strings.HasSuffix(s.Reason, s.Check.Detail) {
		all.add("last check: %s", s.Check.Detail)
	}
	if s.Check != nil {
		all.told("warning: ", s.Check.Warning)
	}
	if s.Drained && s.State != "drained" {
		all.add("drained too: it gets no new connections when it is up again")
	}
	if s.Note != s.Reason && s.State != "fallback" {
		all.told("", s.Note)
	}
	all.told("its state is kept: ", s.Unjudged)
	if s.ByHand {
		all.add("changed externally; kept until the server's state changes, or a reload")
	}
	return all
}
