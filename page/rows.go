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

// row is a real server of a virtual service, or the virtual service itself.
type row struct {
	at             *status.Virtual
	s              *status.Server // nil for the virtual service
	concern        int
	weight, active int64 // -1 when there is none, when it is not known
	shown
}

// shown is what the template has of a row.
type shown struct {
	Virtual, Real         string // as the address of a page names them; Real is "" where there is no such page
	Name, Service         string
	State, Class          string
	Is                    string // what is told when it changes
	For                   string // how long it has been in its state
	Weight, Active, Check string
	What                  []string // all else that is known
}

func serverRow(at *status.Virtual, s *status.Server) row {
	r := row{at: at, s: s, concern: concern(s), weight: -1, active: -1}
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
func serviceRow(at *status.Virtual) row {
	r := row{at: at, concern: healthy, weight: -1, active: -1}
	serves := false
	for i := range at.Servers {
		s := serverRow(at, &at.Servers[i])
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

// show fills in what the template has.
func (r *row) show(now time.Time) {
	r.shown = shown{
		Virtual: r.at.ID, Service: printable.Line(r.at.ID), Class: [...]string{bad, doubt, doubt, rest, good}[r.concern],
		Weight: number(r.weight), Active: number(r.active),
	}
	if r.s == nil {
		r.Name, r.State, r.What = r.Service, fmt.Sprintf("%d of %d", r.at.Up(), len(r.at.Servers)), lines(remarks(r.at))
		r.Is = r.State + " up"
		return
	}
	r.Name, r.State, r.Check, r.What = printable.Line(r.s.Real), printable.Line(r.s.State), printable.Line(r.s.Check.Summary(now)), lines(r.s.Remarks(now))
	r.Is = r.State + ", weight " + r.Weight
	if !r.s.Since.IsZero() {
		r.Real, r.For = r.s.Real, status.Short(now.Sub(r.s.Since))
	}
}

// Scheduler is that of the virtual service.
func (r *row) Scheduler() string { return printable.Line(cmp.Or(r.at.Scheduler, "none")) }

// remarks are all else that is known of a virtual service.
func remarks(at *status.Virtual) []string {
	what := at.Remarks()
	if slices.ContainsFunc(at.Servers, func(s status.Server) bool { return s.State == "off" }) {
		what = append(what, "its servers are not checked")
	}
	if f := at.Fallback; f != nil && f.Active {
		what = append(what, "the fallback "+f.Server+" answers")
	}
	if len(at.Leaving) > 0 {
		what = append(what, fmt.Sprintf("%d that left the file drain", len(at.Leaving)))
	}
	if len(at.Added) > 0 {
		what = append(what, "added externally: "+strings.Join(at.Added, ", ")+"; kept until a reload")
	}
	return what
}

func number(n int64) string {
	if n < 0 {
		return "-"
	}
	return strconv.FormatInt(n, 10)
}

func lines(all []string) []string {
	for i := range all {
		all[i] = printable.Line(all[i])
	}
	return all
}
