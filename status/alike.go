package status

import (
	"cmp"
	"strings"

	"ldirectord/printable"
)

// maxAlike is how many rows of one reason are shown as they are.
const maxAlike = 3

// Reason is what a row has in common with others: its state, and the reason for it.
func (r *Row) Reason() string {
	s := r.Server
	if s == nil {
		return strings.Join(append([]string{r.At.OfAll() + " up"}, r.At.Remarks()...), "; ")
	}
	why := cmp.Or(s.Reason, s.Unjudged, s.Note)
	if why == "" && s.Check != nil {
		why = s.Check.Warning
	}
	return strings.TrimSuffix(s.State+": "+why, ": ")
}

// Alike puts rows of one reason together, in the place of the first, where there are more than three.
func Alike(rows []Row) [][]Row {
	return printable.Alike(rows, maxAlike, func(r Row) string { return r.Reason() })
}
