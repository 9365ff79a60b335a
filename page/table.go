package page

import (
	"cmp"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"ldirectord/status"
)

// Rows of a table on one page; the others are a link away.
const (
	maxServers  = 200
	maxServices = 2500
)

// table is rows, and of many only a part.
type table struct {
	caption, none string
	columns       []column
	max           int // rows on one page
	rows          []row
	from, all     int // how many rows are on the pages before, and on all
}

// row is a real server of a virtual service, or the virtual service itself.
type row struct {
	at      *status.Virtual
	s       *status.Server // nil for the virtual service
	trouble status.Trouble
}

// active is how many active connections there are; -1 where that is not known.
func (r *row) active() int64 {
	if r.s != nil {
		return r.s.Active()
	}
	all := int64(-1)
	for i := range r.at.Servers {
		if n := r.at.Servers[i].Active(); n >= 0 {
			all = max(all, 0) + n
		}
	}
	return all
}

// name tells a row from all others, for the script.
func (r *row) name() string {
	if r.s == nil {
		return r.at.ID
	}
	return r.s.Real + " of " + r.at.ID
}

// is what the script tells when it changes.
func (r *row) is() string {
	if r.s == nil {
		return up(r.at) + " up"
	}
	return r.s.State + ", weight " + status.Number(r.s.InTable())
}

// up is how many servers of a virtual service are up.
func up(v *status.Virtual) string { return fmt.Sprintf("%d of %d", v.Up(), len(v.Servers)) }

// known is all that no other column has.
func (r *row) known(now time.Time) string {
	what := r.at.Remarks()
	if r.s != nil {
		what = r.s.Remarks(now)
	} else if slices.ContainsFunc(r.at.Servers, func(s status.Server) bool { return s.State == "off" }) {
		what = append(what, "its servers are not checked")
	}
	return strings.Join(what, "; ")
}

// column is one of a table. It may be sorted by compare.
type column struct {
	name, class string // n: numbers; opt: a narrow page leaves it out
	text        func(r *row, now time.Time) string
	compare     func(a, b *row) int
	link        func(r *row) string // where the text leads; nil or "": nowhere
}

// The tables' columns. All have what is known as the last one.
var (
	server  = column{"server", "", func(r *row, _ time.Time) string { return r.s.Real }, func(a, b *row) int { return byName(a.s.Real, b.s.Real) }, (*row).page}
	service = column{"service", "of", func(r *row, _ time.Time) string { return r.at.ID }, func(a, b *row) int { return cmp.Compare(a.at.ID, b.at.ID) },
		func(r *row) string { return pageOf(r.at.ID, "") }}
	active = column{"active", "n opt", func(r *row, _ time.Time) string { return status.Number(r.active()) }, func(a, b *row) int { return cmp.Compare(a.active(), b.active()) }, nil}

	ofOne = []column{
		server,
		{"state", "is", func(r *row, _ time.Time) string { return r.s.State }, func(a, b *row) int { return cmp.Compare(a.s.State, b.s.State) }, nil},
		{"for", "n", func(r *row, now time.Time) string { return r.s.For(now) }, func(a, b *row) int { return b.s.Since.Compare(a.s.Since) }, nil},
		{"weight", "n opt", func(r *row, _ time.Time) string { return status.Number(r.s.InTable()) }, func(a, b *row) int { return cmp.Compare(a.s.InTable(), b.s.InTable()) }, nil},
		active,
		{"last check", "opt", func(r *row, now time.Time) string { return r.s.LastCheck(now) }, nil, nil},
	}
	ofAll      = slices.Insert(slices.Clone(ofOne), 1, service)
	ofServices = []column{
		service,
		{"up", "n is", func(r *row, _ time.Time) string { return up(r.at) }, func(a, b *row) int { return cmp.Compare(a.at.Up(), b.at.Up()) }, nil},
		active,
		{"scheduler", "opt", func(r *row, _ time.Time) string { return cmp.Or(r.at.Scheduler, "none") }, nil, nil},
	}
)

// add sorts a table, trouble first unless a column was asked for, and leaves the rows that are on this page.
func (v *view) add(t *table) {
	slices.SortStableFunc(t.rows, func(a, b row) int { return cmp.Compare(b.trouble, a.trouble) })
	by, backwards := strings.CutPrefix(v.asked.Get("sort"), "-")
	for _, c := range t.columns {
		if c.name == by && c.compare != nil {
			slices.SortStableFunc(t.rows, func(a, b row) int {
				if backwards {
					a, b = b, a
				}
				return c.compare(&a, &b)
			})
		}
	}
	t.all = len(t.rows)
	t.from = min(v.skip(), t.all)
	t.rows = t.rows[t.from:min(t.from+t.max, t.all)]
	v.tables = append(v.tables, t)
}

// byName compares names of servers: addresses as numbers, after other names.
func byName(a, b string) int {
	x, _ := netip.ParseAddrPort(a) // of a name it is the zero value, here and below
	y, _ := netip.ParseAddrPort(b)
	return cmp.Or(x.Compare(y), cmp.Compare(a, b))
}

// page is the address of the page of a server; "" for one that has none.
func (r *row) page() string {
	if r.s.Since.IsZero() {
		return ""
	}
	return pageOf(r.at.ID, r.s.Real)
}

// pageOf is the address of the page of a virtual service, or of one of its servers.
func pageOf(virtual, real string) string {
	address := "?virtual=" + url.QueryEscape(virtual)
	if real != "" {
		address += "&real=" + url.QueryEscape(real)
	}
	return address
}
