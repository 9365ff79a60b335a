package status

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ldirectord/internal/printable"
	"ldirectord/internal/view"
)

// maxAlike is how many rows of one reason are shown as they are.
const maxAlike = 3

// Reason is what a row has in common with others: its state, and the reason for it.
func (r *Row) Reason() string {
	s := r.Server
	if s == nil {
		return strings.Join(append([]string{r.At.OfAll() + " up"}, r.At.Remarks()...), "; ")
	}
	return strings.TrimSuffix(s.State+": "+worst(s).Text, ": ")
}

// Alike puts rows of one reason together, in the place of the first, where there are more than three.
func Alike(rows []Row) [][]Row {
	return printable.Alike(rows, maxAlike, func(r Row) string { return r.Reason() })
}

// once returns the remarks on servers of a virtual service, in turn. A reason that several have is there once, with
// their number.
func (v *Virtual) once(now time.Time) func(*Server) []string {
	have := map[string]int{}
	for _, s := range v.Servers {
		have[s.Reason]++
	}
	return func(s *Server) []string {
		all, n := ServerRemarks(s, now), have[s.Reason]
		switch at := slices.Index(all, s.Reason); {
		case at < 0 || n == 1:
			return all
		case n == 0:
			return slices.Delete(all, at, at+1)
		case n == len(v.Servers):
			all[at] = "all: " + s.Reason
		default:
			all[at] = fmt.Sprintf("%d servers: %s", n, s.Reason)
		}
		have[s.Reason] = 0
		return all
	}
}

// Summary counts the virtual services, and those in trouble.
func (r *Report) Summary() string {
	if len(r.Virtuals) == 0 {
		return "no virtual service: clients get nothing"
	}
	all := view.Plural(len(r.Virtuals), "virtual service")
	return fmt.Sprintf("%s: %d without a server, %d impaired", all, r.Lacking(), r.Impaired())
}

// Impaired is how many virtual services are in trouble, although a server serves.
func (r *Report) Impaired() (n int) {
	for _, v := range r.Virtuals {
		if !v.lacks() && v.Trouble() >= Doubt {
			n++
		}
	}
	return n
}

// Lacking is how many virtual services have no server that serves, although the file wants that.
func (r *Report) Lacking() (n int) {
	for _, v := range r.Virtuals {
		if v.lacks() {
			n++
		}
	}
	return n
}

func (v *Virtual) lacks() bool { return v.Serving == 0 && !v.IsOff() }
