package status

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"ldirectord/internal/printable"
	"ldirectord/internal/view"
)

// maxAlike is the maximum number of rows with the same reason that are shown one by one.
const maxAlike = 3

// Reason returns the state of a row, and the reason for it.
func (r *Row) Reason() string {
	s := r.Server
	if s == nil {
		return strings.Join(append([]string{r.At.OfAll() + " up"}, r.At.Remarks()...), "; ")
	}
	return strings.TrimSuffix(s.State+": "+worst(s).Text, ": ")
}

// runs matches the parts of a reason that change without an event: times, and numbers of connections and clients. A
// reason with such a part contains one of words, which are faster to find.
var (
	runs = regexp.MustCompile(`((?:another|(?:times|removed|answers|others) in) )[0-9][0-9.hmnsµ]*|` +
		`[0-9][0-9hms]*( left| connection| persistent)`)
	words = []string{"another ", " in ", " left", " connection"}
)

// steady returns a text without the parts that change without an event.
func steady(text string) string {
	if !slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) }) {
		return text
	}
	return runs.ReplaceAllString(text, "$1…$2")
}

// Common returns the part of the reason that a row may share with others. It does not change unless something happens.
func (r *Row) Common() string {
	if r.Trouble == Broken { // its reason does not change without an event
		return r.Reason()
	}
	return steady(r.Reason())
}

// Alike groups rows with the same reason, if there are more than maxAlike of them, at the place of the first.
func Alike(rows []Row) [][]Row {
	return printable.Alike(rows, maxAlike, func(r Row) string { return r.Common() })
}

// once returns a function that returns the remarks on one server of the virtual service. If several servers share a
// reason, the first call for one of them returns the reason with the number of servers. Later calls leave it out.
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

// Summary describes how many virtual services there are, and how many of them are in trouble.
func (r *Report) Summary() string {
	if len(r.Virtuals) == 0 {
		return "no virtual service: clients get nothing"
	}
	all := view.Plural(len(r.Virtuals), "virtual service")
	return fmt.Sprintf("%s: %d without a server, %d impaired", all, r.Lacking(), r.Impaired())
}

// Impaired returns how many virtual services are in trouble although a server serves.
func (r *Report) Impaired() (n int) {
	for _, v := range r.Virtuals {
		if !v.lacks() && v.Trouble() >= Doubt {
			n++
		}
	}
	return n
}

// Lacking returns how many virtual services should have a server that serves but have none.
func (r *Report) Lacking() (n int) {
	for _, v := range r.Virtuals {
		if v.lacks() {
			n++
		}
	}
	return n
}

func (v *Virtual) lacks() bool { return v.Serving == 0 && !v.IsOff() }
