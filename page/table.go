package page

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
)

// table is rows, and of many only a part.
type table struct {
	Caption, None string
	Wide          bool // it has the servers of many virtual services
	OfServices    bool // it has virtual services
	Columns       []column
	Rows          []row
	All           int    // rows, with those that are on other pages
	From, To      int    // the first and the last one here, from 1
	Before, After string // the addresses of the pages beside it; "" for none
}

// column is the head of a column. Its link sorts by it, or the other way; "" where it can't.
type column struct {
	Name, Link, Order, Class string
}

// columns are those of a table of servers and of one of virtual services, by name; the others can't be sorted by.
var columns = map[string]func(a, b *row) int{
	"server":  func(a, b *row) int { return byName(a.s.Real, b.s.Real) },
	"service": func(a, b *row) int { return cmp.Compare(a.at.ID, b.at.ID) },
	"state":   func(a, b *row) int { return cmp.Compare(a.s.State, b.s.State) },
	"up":      func(a, b *row) int { return cmp.Compare(a.at.Up(), b.at.Up()) },
	"for":     func(a, b *row) int { return b.s.Since.Compare(a.s.Since) },
	"weight":  func(a, b *row) int { return cmp.Compare(a.weight, b.weight) },
	"active":  func(a, b *row) int { return cmp.Compare(a.active, b.active) },
}

// classes are those of columns: numbers, and what a narrow page leaves out.
var classes = map[string]string{"up": "n", "for": "n", "weight": "n opt", "active": "n opt", "last check": "opt", "scheduler": "opt"}

// The columns of the tables.
var (
	ofAll    = []string{"server", "service", "state", "for", "weight", "active", "last check", "what is known"}
	ofOne    = []string{"server", "state", "for", "weight", "active", "last check", "what is known"}
	services = []string{"service", "up", "active", "scheduler", "what is known"}
)

// add sorts a table, trouble first unless a column was asked for, and leaves the rows that are on this page.
func (v *view) add(t *table, max int, names []string) {
	slices.SortStableFunc(t.Rows, func(a, b row) int { return cmp.Compare(a.concern, b.concern) })
	for _, name := range names {
		head, compare := column{Name: name}, columns[name]
		head.Class = classes[name]
		if compare == nil {
			t.Columns = append(t.Columns, head)
			continue
		}
		head.Link = v.link("sort", name)
		switch v.Sort {
		case name:
			head.Order, head.Link = "ascending", v.link("sort", "-"+name)
			slices.SortStableFunc(t.Rows, func(a, b row) int { return compare(&a, &b) })
		case "-" + name:
			head.Order = "descending"
			slices.SortStableFunc(t.Rows, func(a, b row) int { return compare(&b, &a) })
		}
		t.Columns = append(t.Columns, head)
	}
	t.All = len(t.Rows)
	from := min(v.skip, t.All)
	t.From, t.To = from+1, min(from+max, t.All)
	if from > 0 {
		t.Before = v.link("skip", strconv.Itoa(from-min(from, max)))
	}
	if t.To < t.All {
		t.After = v.link("skip", strconv.Itoa(t.To))
	}
	t.Rows = t.Rows[from:t.To]
	for i := range t.Rows {
		t.Rows[i].show(*v.report.Time)
	}
	v.Tables = append(v.Tables, t)
}

// byName compares names of servers: addresses as numbers, after other names.
func byName(a, b string) int {
	x, _ := netip.ParseAddrPort(a) // of a name it is the zero value, here and below
	y, _ := netip.ParseAddrPort(b)
	return cmp.Or(x.Compare(y), cmp.Compare(a, b))
}
