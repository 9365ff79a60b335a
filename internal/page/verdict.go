package page

import (
	"fmt"
	"strings"

	"ldirectord/internal/status"
	seen "ldirectord/internal/view"
)

// verdict is the state of everything in a few words, which can be read across a room.
func (v *view) verdict() (class, words string) {
	ill := 0
	for _, at := range v.Services() {
		if at.Trouble >= status.Doubt {
			ill++
		}
	}
	switch lacking := v.Lacking(); {
	case len(v.Virtuals) == 0:
		return bad, "No virtual service"
	case lacking > 0:
		return bad, seen.Plural(lacking, "virtual service") + " without a server"
	case ill > 0:
		return doubt, seen.Plural(ill, "virtual service") + " in trouble, all serve"
	case len(v.Remarks()) > 0:
		return doubt, "Every virtual service serves, but:"
	}
	return good, "All well"
}

// maxWhys is how many reasons are shown of a virtual service.
const maxWhys = 3

// whys are the reasons why servers of a virtual service are out, or need attention, the worst first.
func whys(v *status.Virtual) string {
	var all []string
	times := map[string]int{}
	for _, r := range status.WorstFirst(v.Rows()) {
		why := r.Reason()
		if times[why]++; times[why] == 1 && r.Trouble > status.Fine {
			all = append(all, why)
		}
	}
	if more := len(all) - maxWhys; more > 0 {
		all = append(all[:maxWhys], seen.Plural(more, "other reason"))
	}
	for i, why := range all {
		if n := times[why]; n > 1 {
			all[i] = fmt.Sprintf("%d × %s", n, why)
		}
	}
	return strings.Join(all, "; ")
}
