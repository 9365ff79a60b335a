package page

import (
	"cmp"
	"fmt"
	"slices"

	"ldirectord/printable"
	"ldirectord/status"
)

// details are the facts of one server, and what happened to it, the latest first.
type details struct {
	Facts   []fact
	Started string // of the daemon: nothing is known from before
	Past    []past
}

// fact is a name and its value.
type fact struct{ Name, Value string }

// past is one thing that happened, or equal ones in a row.
type past struct{ First, Ago, Times, Class, Text string }

// dateTime is in UTC, as all times of the page.
const dateTime = "2006-01-02 15:04:05"

// explain fills in what is known of the server that the view is of. One that left the file meanwhile has no history.
func (v *view) explain(why *status.Why) {
	s := v.Server.s
	weight := "not in the table"
	if v.Server.weight >= 0 {
		weight = v.Server.Weight + " in the table"
	}
	d := &details{Started: why.Started.Format(dateTime), Facts: []fact{
		{"in this state since", s.Since.Format(dateTime)}, {"last check", v.Server.Check}, {"weight", fmt.Sprintf("%d, %s", s.Weight, weight)},
		{"checks", fmt.Sprint(s.Checks)}, {"changes of state", fmt.Sprint(s.Transitions)},
	}}
	if c := s.Connections; c != nil {
		d.Facts = append(d.Facts, fact{"connections", fmt.Sprintf("%d active, %d inactive, %d persistent", c.Active, c.Inactive, c.Persistent)})
	}
	v.Details = d
	at := slices.IndexFunc(why.Servers, func(c status.Case) bool { return c.Virtual == v.Virtual && c.Real == v.Real })
	if at < 0 {
		return
	}
	for _, e := range slices.Backward(why.Servers[at].History) {
		d.Past = append(d.Past, past{e.First.Format(dateTime), status.Short(why.Time.Sub(e.Last)), fmt.Sprint(e.Times), cmp.Or(happened[e.What], rest), printable.Line(e.Text)})
	}
}

// happened says how bad it is what happened; all else is rest.
var happened = map[string]string{
	"down": bad, "failed": bad, "shortage": doubt, "unjudged": doubt, "stalled": doubt, "held": doubt, "changed": doubt, "passed": good, "up": good,
}
