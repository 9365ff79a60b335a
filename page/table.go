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
	all           int    // rows, with those that are on other pages
	before, after string // the addresses of the pages beside it; "" for none
}

// row is a real server of a virtual service, or the virtual service itself.
type row struct {
	at             *status.Virtual
	s              *status.Server // nil for the virtual service
	trouble        status.Trouble
	weight, active int64 // -1 when there is none, when it is not known
}

func serverRow(at *status.Virtual, s *status.Server) row {
	r := row{at, s, s.Trouble(), -1, -1}
	if s.TableWeight != nil {
		r.weight = int64(*s.TableWeight)
	}
	if s.Connections != nil {
		r.active = int64(s.Connections.Active)
	}
	return r
}

func serviceRow(at *status.Virtual) row {
	r := row{at, nil, at.Trouble(), -1, -1}
	for i := range at.Servers {
		if c := at.Servers[i].Connections; c != nil {
			r.active = max(r.active, 0) + int64(c.Active)
		}
	}
	return r
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
		return r.up() + " up"
	}
	return r.s.State + ", weight " + number(r.weight)
}

func (r *row) up() string { return fmt.Sprintf("%d of %d", r.at.Up(), len(r.at.Servers)) }

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
	active = column{"active", "n opt", func(r *row, _ time.Time) string { return number(r.active) }, func(a, b *row) int { return cmp.Compare(a.active, b.active) }, nil}

	ofOne = []column{
		server,
		{"state", "is", func(r *row, _ time.Time) string { return r.s.State }, func(a, b *row) int { return cmp.Compare(a.s.State, b.s.State) }, nil},
		{"for", "n", func(r *row, now time.Time) string { return r.s.For(now) }, func(a, b *row) int { return b.s.Since.Compare(a.s.Since) }, nil},
		{"weight", "n opt", func(r *row, _ time.Time) string { return number(r.weight) }, func(a, b *row) int { return cmp.Compare(a.weight, b.weight) }, nil},
		active,
		{"last check", "opt", func(r *row, now time.Time) string { return r.s.LastCheck(now) }, nil, nil},
	}
	ofAll      = slices.Insert(slices.Clone(ofOne), 1, service)
	ofServices = []column{
		service,
		{"up", "n is", func(r *row, _ time.Time) string { return r.up() }, func(a, b *row) int { return cmp.Compare(a.at.Up(), b.at.Up()) }, nil},
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
	from := min(v.skip(), t.all)
	to := min(from+t.max, t.all)
	if from > 0 {
		t.before = v.link("skip", from-min(from, t.max))
	}
	if to < t.all {
		t.after = v.link("skip", to)
	}
	t.rows = t.rows[from:to]
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

func number(n int64) string {
	if n < 0 {
		return "-"
	}
	return fmt.Sprint(n)
}
