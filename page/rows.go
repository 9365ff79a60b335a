package page

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"ldirectord/printable"
	"ldirectord/status"
)

// Classes of rows. The words of a row say as much.
const (
	bad   = "bad"
	doubt = "doubt"
	rest  = "rest"
	good  = "good"
)

// What a row needs, the worst first.
const (
	isDown = iota
	isUnknown
	isDoubtful // it serves, and something is to be said of it
	isOut      // by order
	healthy
)

// row is a real server of a virtual service, or the virtual service itself. What its methods return is for the template.
type row struct {
	at             *status.Virtual
	s              *status.Server // nil for the virtual service
	now            time.Time
	concern        int
	weight, active int64 // -1 when there is none, when it is not known
}

func (v *view) serverRow(at *status.Virtual, s *status.Server) row {
	r := row{at: at, s: s, now: *v.report.Time, concern: concern(s), weight: -1, active: -1}
	if s.TableWeight != nil {
		r.weight = int64(*s.TableWeight)
	}
	if s.Connections != nil {
		r.active = int64(s.Connections.Active)
	}
	return r
}

// concern says what a server needs.
func concern(s *status.Server) int {
	failing := s.Check != nil && (!s.Check.OK || s.Check.Warning != "")
	switch {
	case s.State == "down":
		return isDown
	case s.State == "unknown":
		return isUnknown
	case s.State == "up" && (failing || s.Unjudged != "" || s.ByHand), s.State == "fallback" && s.Note == "answers":
		return isDoubtful
	case s.State == "maintenance", s.State == "drained", s.Drained, s.Note != "" && s.State != "fallback":
		return isOut
	}
	return healthy
}

// serviceRow needs what its servers need, but is down only when nobody serves, or the table refuses it.
func (v *view) serviceRow(at *status.Virtual) row {
	r := row{at: at, now: *v.report.Time, concern: healthy, weight: -1, active: -1}
	serves := false
	for i := range at.Servers {
		s := v.serverRow(at, &at.Servers[i])
		r.concern = min(r.concern, max(s.concern, isUnknown))
		serves = serves || s.s.State == "up" || s.s.State == "off" || strings.HasPrefix(s.s.Note, "held")
		if s.active >= 0 {
			r.active = max(r.active, 0) + s.active
		}
	}
	switch {
	case at.Error != "", !serves && r.concern < healthy:
		r.concern = isDown
	case len(at.Added) > 0:
		r.concern = min(r.concern, isDoubtful)
	}
	return r
}

// Virtual is the virtual service as the address of its page names it.
func (r *row) Virtual() string { return r.at.ID }

// Real is the server as the address of its page names it; "" for one that has no page.
func (r *row) Real() string {
	if r.s == nil || r.s.Since.IsZero() {
		return ""
	}
	return r.s.Real
}

// Service is the virtual service as people read it.
func (r *row) Service() string { return printable.Line(r.at.ID) }

// Name is the server, or else the virtual service.
func (r *row) Name() string {
	if r.s == nil {
		return r.Service()
	}
	return printable.Line(r.s.Real)
}

// Scheduler is that of the virtual service.
func (r *row) Scheduler() string { return printable.Line(cmp.Or(r.at.Scheduler, "none")) }

// Class says how bad it is.
func (r *row) Class() string { return [...]string{bad, doubt, doubt, rest, good}[r.concern] }

// State is a word of the server, or how many servers are up.
func (r *row) State() string {
	if r.s == nil {
		return fmt.Sprintf("%d of %d", r.at.Up(), len(r.at.Servers))
	}
	return printable.Line(r.s.State)
}

// Is is what is told when it changes.
func (r *row) Is() string {
	if r.s == nil {
		return r.State() + " up"
	}
	return r.State() + ", weight " + r.Weight()
}

// For is how long the server has been in its state.
func (r *row) For() string {
	if r.s.Since.IsZero() {
		return ""
	}
	return status.Short(r.now.Sub(r.s.Since))
}

// Weight is that in the table.
func (r *row) Weight() string { return number(r.weight) }

// Active is the number of active connections.
func (r *row) Active() string { return number(r.active) }

func number(n int64) string {
	if n < 0 {
		return "-"
	}
	return strconv.FormatInt(n, 10)
}

// Check is how the last one went.
func (r *row) Check() string { return printable.Line(r.s.Check.Summary(r.now)) }

// What is all else that is known, a sentence each.
func (r *row) What() []string {
	if r.s != nil {
		return lines(r.s.Remarks(r.now))
	}
	what := r.at.Remarks()
	if slices.ContainsFunc(r.at.Servers, func(s status.Server) bool { return s.State == "off" }) {
		what = append(what, "its servers are not checked")
	}
	if f := r.at.Fallback; f != nil && f.Active {
		what = append(what, "the fallback "+f.Server+" answers")
	}
	if len(r.at.Leaving) > 0 {
		what = append(what, fmt.Sprintf("%d that left the file drain", len(r.at.Leaving)))
	}
	if len(r.at.Added) > 0 {
		what = append(what, "added externally: "+strings.Join(r.at.Added, ", ")+"; kept until a reload")
	}
	return lines(what)
}

// fact is a name and its value.
type fact struct{ Name, Value string }

// Details are the other facts of a server.
func (r *row) Details() []fact {
	all := []fact{
		{"in this state since", r.s.Since.Format("2006-01-02 15:04:05 UTC")}, {"last check", r.Check()},
		{"weight", fmt.Sprintf("%s in the table, %d configured", r.Weight(), r.s.Weight)},
		{"checks", strconv.FormatUint(r.s.Checks, 10)}, {"went down or came back", strconv.FormatUint(r.s.Transitions, 10)},
	}
	if c := r.s.Connections; c != nil {
		all = append(all, fact{"connections", fmt.Sprintf("%d active, %d inactive, %d persistent", c.Active, c.Inactive, c.Persistent)})
	}
	return all
}

func lines(all []string) []string {
	for i := range all {
		all[i] = printable.Line(all[i])
	}
	return all
}
