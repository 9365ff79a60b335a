package page

import (
	"fmt"
	"slices"
	"strings"

	"ldirectord/internal/printable"
	"ldirectord/internal/status"
	seen "ldirectord/internal/view"
)

// servesBut is the headline above the remarks about the daemon.
const servesBut = "Every virtual service serves, but:"

// headline returns the overall state in a few words that can be read across a room.
func (v *view) headline() (class, words string) {
	broken := slices.IndexFunc(v.Conditions, isBroken)
	switch lacking, impaired := v.Lacking(), v.Impaired(); {
	case len(v.Virtuals) == 0:
		return bad, "No virtual service"
	case lacking > 0:
		return bad, seen.Plural(lacking, "virtual service") + " without a server"
	case broken >= 0:
		what, _, _ := strings.Cut(v.Conditions[broken].Text, "; ") // without how to fix it
		return bad, "This machine: " + what
	case slices.ContainsFunc(v.Virtuals, func(s status.Virtual) bool {
		return slices.ContainsFunc(s.Conditions, isBroken)
	}):
		return bad, seen.Plural(impaired, "virtual service") + " in trouble"
	case impaired > 0:
		return doubt, seen.Plural(impaired, "virtual service") + " in trouble, but all serve"
	case len(v.Remarks()) > 0:
		return doubt, servesBut
	}
	return good, "All well"
}

func isBroken(c seen.Condition) bool { return c.Trouble == status.Broken }

// maxWhys is the maximum number of reasons that are shown for a virtual service.
const maxWhys = 3

// whys returns the reasons why servers of a virtual service are out of service or need attention, the worst first.
func whys(v *status.Virtual) string {
	var all []string
	rows := status.WorstFirst(v.Rows())
	for _, alike := range printable.Alike(rows, 1, func(r status.Row) string { return r.Common() }) {
		n := len(alike)
		switch {
		case alike[0].Trouble == status.Fine:
		case n > 1:
			all = append(all, fmt.Sprintf("%d × %s", n, alike[0].Common()))
		default:
			all = append(all, alike[0].Reason())
		}
	}
	if more := len(all) - maxWhys; more > 0 {
		all = append(all[:maxWhys], seen.Plural(more, "other reason"))
	}
	return strings.Join(all, "; ")
}
