package page

import (
	"cmp"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"ldirectord/internal/status"
)

// The maximum number of rows of a table on one page. Links lead to the other rows.
const (
	maxServers  = 200
	maxServices = 2500
	maxOpened   = 200 // in all groups that open, but at least 5 in each
)

// table is a list of rows, of which one page is shown.
type table struct {
	caption, none string
	columns       []column
	max           int // rows on one page
	rows          []status.Row
	joins         bool           // rows with the same reason are shown as one that opens
	explains      bool           // virtual services without a remark show the reasons of their servers
	groups        [][]status.Row // the groups on this page
	from, all     int            // how many groups are on earlier pages, and on all
}

// is returns the text that the script shows when a row changes.
func is(r *status.Row) string {
	if r.Server == nil {
		return r.At.OfAll() + " up"
	}
	return r.Server.State + ", weight " + status.Number(r.Weight)
}

// known returns the facts about a row that no other column shows.
func known(r *status.Row, now time.Time) string {
	if r.Server != nil {
		return strings.Join(status.Facts(r.Server, now), "; ")
	}
	what := r.At.Remarks()
	if r.At.IsOff() {
		what = append(what, "its servers are not checked")
	}
	return strings.Join(what, "; ")
}

// column is a column of a table.
type column struct {
	name, class string // class: n for numbers, opt for what a narrow page leaves out, others for the style
	sorts       bool   // the table may be sorted by it
}

// The columns of the tables. Each table also has a last column, "what is known".
var (
	server  = column{"server", "", true}
	service = column{"service", "of", true}
	active  = column{"active", "n opt", true}

	ofOne = []column{server, {"state", "is", true}, {"for", "n", true}, {"weight", "n opt", true}, active,
		{"last check", "opt", false}}
	ofAll      = slices.Insert(slices.Clone(ofOne), 1, service)
	ofServices = []column{service, {"up", "n is", true}, active, {"new, 10 minutes", "n", false},
		{"scheduler", "opt", false}}
)

// cell returns the content of a row in a column.
func (v *view) cell(c column, r *status.Row) markup {
	text := ""
	switch c.name {
	case "server":
		name, address := nameOf(r.Server)
		return link(pageOfServer(r), name) + small(address)
	case "service":
		name, id := serviceOf(r.At)
		return link(pageOf(r.At.ID, ""), name) + small(id)
	case "new, 10 minutes":
		return drawn(v.traffic.of(r.At.ID))
	case "active":
		text = status.Number(r.Active)
	case "state":
		text = r.Server.State
	case "for":
		text = status.For(r.Server, v.Time)
	case "weight":
		text = status.Number(r.Weight)
	case "last check":
		text = status.LastCheck(r.Server, v.Time)
	case "up":
		text = r.At.OfAll()
	case "scheduler":
		text = cmp.Or(r.At.Scheduler, "none")
	}
	return fill("%s", text)
}

// nameOf returns the name of a server, and its address if that differs.
func nameOf(s *status.Server) (name, address string) {
	if s.Host != "" {
		return s.Host, s.Real
	}
	return s.Real, s.Address
}

// serviceOf returns the name of a virtual service, and its id if that differs.
func serviceOf(v *status.Virtual) (name, id string) {
	if v.Title != "" {
		return v.Title, v.ID
	}
	return v.ID, ""
}

// compare compares rows by their values in a column.
func (c column) compare(a, b *status.Row) int {
	switch c.name {
	case "server":
		return byName(a.Server.Real, b.Server.Real)
	case "service":
		return cmp.Compare(a.At.ID, b.At.ID)
	case "active":
		return cmp.Compare(a.Active, b.Active)
	case "state":
		return cmp.Compare(a.Server.State, b.Server.State)
	case "for":
		return b.Server.Since.Compare(a.Server.Since)
	case "weight":
		return cmp.Compare(a.Weight, b.Weight)
	default: // up
		return cmp.Compare(a.At.Up(), b.At.Up())
	}
}

// add sorts a table and adds the rows of this page to the view. Rows in trouble come first, unless the query names a
// column.
func (v *view) add(t *table) {
	status.WorstFirst(t.rows)
	by, backwards := strings.CutPrefix(v.asked.Get("sort"), "-")
	for _, c := range t.columns {
		if c.name == by && c.sorts {
			t.joins = false
			slices.SortStableFunc(t.rows, func(a, b status.Row) int {
				if backwards {
					a, b = b, a
				}
				return c.compare(&a, &b)
			})
		}
	}
	if t.joins {
		t.groups = status.Alike(t.rows)
	} else {
		t.groups = slices.Collect(slices.Chunk(t.rows, 1))
	}
	t.all = len(t.groups)
	t.from = min(v.skip(), max(t.all-1, 0)) / t.max * t.max // another table may have more pages
	t.groups = t.groups[t.from:min(t.from+t.max, t.all)]
	v.tables = append(v.tables, t)
}

// byName compares names of servers. Addresses come after other names, and are compared as numbers.
func byName(a, b string) int {
	x, _ := netip.ParseAddrPort(a) // a name gives the zero value, here and below
	y, _ := netip.ParseAddrPort(b)
	return cmp.Or(x.Compare(y), cmp.Compare(a, b))
}

// pageOfServer returns the address of a server's page, or "" if it has none.
func pageOfServer(r *status.Row) string {
	if r.Server.Since.IsZero() {
		return ""
	}
	return pageOf(r.At.ID, r.Server.Real)
}

// pageOf returns the address of the page of a virtual service, or of one of its servers.
func pageOf(virtual, real string) string {
	address := "?virtual=" + url.QueryEscape(virtual)
	if real != "" {
		address += "&real=" + url.QueryEscape(real)
	}
	return address
}
