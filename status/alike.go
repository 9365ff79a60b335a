package status

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"ldirectord/director"
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

// once returns the remarks on servers of a virtual service, in turn. A reason that several have is there once, with
// their number.
func (v *Virtual) once(now time.Time) func(*Server) []string {
	have := map[string]int{}
	for i := range v.Servers {
		have[v.Servers[i].Reason]++
	}
	return func(s *Server) (all []string) {
		for _, remark := range ServerRemarks(s, now) {
			n := have[remark]
			if have[remark] = min(n, -n); n < 0 {
				continue
			}
			switch n {
			case 0, 1:
			case len(v.Servers):
				remark = "all: " + remark
			default:
				remark = fmt.Sprintf("%d servers: %s", n, remark)
			}
			all = append(all, remark)
		}
		return all
	}
}

// Summary counts the virtual services, and those in trouble.
func (r *Report) Summary() string {
	lacking, impaired := r.Lacking(), 0
	for _, v := range r.Services() {
		if v.Trouble >= Doubt && !v.At.lacks() {
			impaired++
		}
	}
	all := director.Plural(uint32(len(r.Virtuals)), "virtual service")
	return fmt.Sprintf("%s: %d without a server, %d impaired", all, lacking, impaired)
}

// Lacking is how many virtual services have no server that serves, although the file wants that.
func (r *Report) Lacking() (n int) {
	for i := range r.Virtuals {
		if r.Virtuals[i].lacks() {
			n++
		}
	}
	return n
}

func (v *Virtual) lacks() bool { return v.Serving == 0 && !v.IsOff() }
