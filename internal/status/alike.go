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

// maxAlike is how many rows of one reason are shown as they are.
const maxAlike = 3

// Reason is the state of a row, and why it is in it.
func (r *Row) Reason() string {
	s := r.Server
	if s == nil {
		return strings.Join(append([]string{r.At.OfAll() + " up"}, r.At.Remarks()...), "; ")
	}
	return strings.TrimSuffix(s.State+": "+worst(s).Text, ": ")
}

// runs matches the parts of a reason that change without an event: times, and numbers of connections. Near each is one
// of the words, which are faster to find.
var (
	runs = regexp.MustCompile(`((?:another|(?:times|removed|answers|others) in) )[0-9][0-9.hmnsµ]*|` +
		`[0-9][0-9hms]*( left| connection| persistent)`)
	words = []string{"another ", " in ", " left", " connection"}
)

// steady is a text without the parts that change without an event.
func steady(text string) string {
	if !slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) }) {
		return text
	}
	return runs.ReplaceAllString(text, "$1…$2")
}

// Common is the reason that a row shares with others, as long as nothing happens.
func (r *Row) Common() string {
	if r.Trouble == Broken { // which has no such parts
		return r.Reason()
	}
	return steady(r.Reason())
}

// Alike puts rows of one reason together, in the place of the first, where there are more than three.
func Alike(rows []Row) [][]Row {
	return printable.Alike(rows, maxAlike, func(r Row) string { return r.Common() })
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
