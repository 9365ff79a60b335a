package page

import (
	"cmp"
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
	maxOpened   = 200 // in groups that open
)

// table is rows, and of many only a part.
type table struct {
	caption, none string
	columns       []column
	max           int // rows on one page
	rows          []status.Row
	joins         bool           // rows of one reason are one that opens
	groups        [][]status.Row // on this page
	from, all     int            // how many groups are on the pages before, and on all
}

// is what the script tells of a row when it changes.
func is(r *status.Row) string {
	if r.Server == nil {
		return r.At.OfAll() + " up"
	}
	return r.Server.State + ", weight " + status.Number(r.Weight)
}

// known is all that no other column has.
func known(r *status.Row, now time.Time) string {
	if r.Server != nil {
		return strings.Join(status.ServerRemarks(r.Server, now), "; ")
	}
	what := r.At.Remarks()
	if slices.ContainsFunc(r.At.Servers, func(s status.Server) bool { return s.State == "off" }) {
		what = append(what, "its servers are not checked")
	}
	return strings.Join(what, "; ")
}

// column is one of a table. It may be sorted by compare.
type column struct {
	name, class string // n: numbers; opt: a narrow page leaves it out
	text        func(r *status.Row, now time.Time) string
	compare     func(a, b *status.Row) int
	link        func(r *status.Row) string // where the text leads; nil or "": nowhere
}

// The tables' columns. All have what is known as the last one.
var (
	server = column{"server", "", func(r *status.Row, _ time.Time) string { return r.Server.Real },
		func(a, b *status.Row) int { return byName(a.Server.Real, b.Server.Real) }, pageOfServer}
	service = column{"service", "of", func(r *status.Row, _ time.Time) string { return r.At.Label() },
		func(a, b *status.Row) int { return cmp.Compare(a.At.ID, b.At.ID) },
		func(r *status.Row) string { return pageOf(r.At.ID, "") }}
	active = column{"active", "n opt", func(r *status.Row, _ time.Time) string { return status.Number(r.Active) },
		func(a, b *status.Row) int { return cmp.Compare(a.Active, b.Active) }, nil}

	ofOne = []column{
		server,
		{"state", "is", func(r *status.Row, _ time.Time) string { return r.Server.State },
			func(a, b *status.Row) int { return cmp.Compare(a.Server.State, b.Server.State) }, nil},
		{"for", "n", func(r *status.Row, now time.Time) string { return status.For(r.Server, now) },
			func(a, b *status.Row) int { return b.Server.Since.Compare(a.Server.Since) }, nil},
		{"weight", "n opt", func(r *status.Row, _ time.Time) string { return status.Number(r.Weight) },
			func(a, b *status.Row) int { return cmp.Compare(a.Weight, b.Weight) }, nil},
		active,
		{"last check", "opt",
			func(r *status.Row, now time.Time) string { return status.LastCheck(r.Server, now) }, nil,
			nil},
	}
	ofAll      = slices.Insert(slices.Clone(ofOne), 1, service)
	ofServices = []column{
		service,
		{"up", "n is", func(r *status.Row, _ time.Time) string { return r.At.OfAll() },
			func(a, b *status.Row) int { return cmp.Compare(a.At.Up(), b.At.Up()) }, nil},
		active,
		{"scheduler", "opt", func(r *status.Row, _ time.Time) string { return cmp.Or(r.At.Scheduler, "none") },
			nil, nil},
	}
)

// add sorts a table, trouble first unless a column was asked for, and leaves the rows that are on this page.
func (v *view) add(t *table) {
	status.WorstFirst(t.rows)
	by, backwards := strings.CutPrefix(v.asked.Get("sort"), "-")
	for _, c := range t.columns {
		if c.name == by && c.compare != nil {
			t.joins = false
			slices.SortStableFunc(t.rows, func(a, b status.Row) int {
				if backwards {
					a, b = b, a
				}
				return c.compare(&a, &b)
			})
		}
	}
	if t.groups = status.Alike(t.rows); !t.joins {
		t.groups = slices.Collect(slices.Chunk(t.rows, 1))
	}
	t.all = len(t.groups)
	t.from = min(v.skip(), t.all)
	t.groups = t.groups[t.from:min(t.from+t.max, t.all)]
	v.tables = append(v.tables, t)
}

// byName compares names of servers: addresses as numbers, after other names.
func byName(a, b string) int {
	x, _ := netip.ParseAddrPort(a) // of a name it is the zero value, here and below
	y, _ := netip.ParseAddrPort(b)
	return cmp.Or(x.Compare(y), cmp.Compare(a, b))
}

// pageOfServer is the address of the page of a server; "" for one that has none.
func pageOfServer(r *status.Row) string {
	if r.Server.Since.IsZero() {
		return ""
	}
	return pageOf(r.At.ID, r.Server.Real)
}

// pageOf is the address of the page of a virtual service, or of one of its servers.
func pageOf(virtual, real string) string {
	address := "?virtual=" + url.QueryEscape(virtual)
	if real != "" {
		address += "&real=" + url.QueryEscape(real)
	}
	return address
}
