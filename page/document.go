package page

import (
	"cmp"
	_ "embed" // the document is part of the program
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"ldirectord/printable"
	"ldirectord/status"
)

// Classes of rows. The words of a row say as much.
const (
	bad   = "bad"
	doubt = "doubt"
	rest  = "rest"
	good  = "good"
)

func classOf(t status.Trouble) string { return [...]string{good, rest, doubt, bad}[t] }

//go:embed page.html
var shell string

// document is the HTML of a view: page.html, whose words in braces are what a view brings. Every text and attribute is
// escaped where it is written; only style and script, which are parts of the program, are not. The elements are
// functions: html/template would keep all methods of the program in the binary, which makes it 4 MB larger.
func document(v *view) string {
	file := filepath.Base(v.Config)
	rest := g.Map([]string{"virtual", "state", "reason", "sort"}, func(name string) g.Node {
		return g.If(v.asked.Get(name) != "",
			h.Input(h.Type("hidden"), h.Name(name), h.Value(v.asked.Get(name))))
	})
	main := h.Main(v.daemon(), list(v.Remarks()), v.subject(file), v.totals(), g.Map(v.tables, v.table))
	return strings.NewReplacer(
		"{version}", html(text(v.Version)), "{title}", html(text(v.title())), "{file}", html(text(file)),
		"{rest}", html(rest), "{words}", html(text(v.asked.Get("q"))), "{main}", html(main),
		"{style}", style, "{script}", script,
	).Replace(shell)
}

func html(n g.Node) string {
	var b strings.Builder
	_ = n.Render(&b) // memory takes all
	return b.String()
}

func (v *view) daemon() g.Node {
	return h.P(h.Class("daemon"), h.Span(g.If(v.Role == "standby", h.Class("standby")), text(v.Doing())),
		text(fmt.Sprintf(", version %s, up for %s, ", v.Version, status.Short(v.Time.Sub(*v.Started)))),
		h.Span(h.Class("time"), text("as of "+v.Time.Format(time.TimeOnly)+" UTC")))
}

// subject is what the page is about.
func (v *view) subject(file string) g.Node {
	at := v.about.At
	switch {
	case v.missing != "":
		return h.H1(text(v.missing))
	case v.about.Server != nil:
		return v.one()
	case at != nil:
		scheduler := text(cmp.Or(at.Scheduler, "none") + ", " + at.OfAll() + " up")
		return g.Group{h.H1(text(at.Label()+" "), h.Small(scheduler)), list(at.Remarks())}
	}
	return h.H1(h.Class("hidden"), text("Virtual services of "+file))
}

// one is a server, and what happened to it. All times are in UTC.
func (v *view) one() g.Node {
	at, s, now := v.about.At, v.about.Server, *v.Time
	past := v.past()
	return g.Group{
		h.H1(text(s.Real+" "), h.Small(g.Text("of "), link(pageOf(at.ID, ""), at.Label()))),
		h.P(h.Class("now "+classOf(v.about.Trouble)), data(&v.about),
			h.B(h.Class("is"), text(s.State)),
			text(" since "+s.Since.Format(time.DateTime)+", for "+status.For(s, now))),
		list(status.ServerRemarks(s, now)),
		h.P(text(fmt.Sprintf("Weight: %d; in the table: %s. Active connections: %s. Last check: %s.",
			s.Weight, status.Number(v.about.Weight), status.Number(v.about.Active),
			status.LastCheck(s, now)))),
		h.Section(
			h.H2(g.Text("What happened "), h.Small(g.Text("the latest first"))),
			g.If(len(past) > 0, h.Table(
				h.THead(h.Tr(heading("", text("first, UTC")), heading("n", text("last ago")),
					heading("n", text("times")), heading("", text("what")))),
				h.TBody(past),
			)),
			h.P(h.Class("none"), text("Nothing is known from before the start at "+
				v.why.Started.Format(time.DateTime)+".")),
		),
	}
}

// past are the rows of what happened to the server, the latest first. One that left the file meanwhile has none.
func (v *view) past() (rows g.Group) {
	for _, c := range v.why.Servers {
		if c.Virtual != v.about.At.ID || c.Real != v.about.Server.Real {
			continue
		}
		slices.Reverse(c.History)
		slices.SortStableFunc(c.History, func(a, b status.Entry) int { return b.Last.Compare(a.Last) })
		for _, e := range c.History {
			rows = append(rows, h.Tr(h.Class("past "+cmp.Or(happened[e.What], rest)),
				cell("", e.First.Format(time.DateTime)), cell("n", status.Short(
					v.why.Time.Sub(e.Last))), cell("n", fmt.Sprint(e.Times)), cell("what", e.Text)))
		}
	}
	return rows
}

// happened says how bad it is what happened; all else is rest.
var happened = map[string]string{
	"down": bad, "failed": bad, "shortage": doubt, "unjudged": doubt, "stalled": doubt, "held": doubt,
	"changed": doubt, "passed": good, "up": good,
}

// totals are how many servers are in which state, each a link to those.
func (v *view) totals() g.Node {
	if v.asked.Get("virtual") != "" {
		return nil
	}
	asked := v.asked.Get("state")
	return h.Nav(h.Aria("label", "Servers by state"), h.Ul(h.Class("totals"),
		g.Map([][2]string{{"down", bad}, {"unknown", doubt}, {"maintenance", rest}, {"drained", rest},
			{"off", rest}, {"up", good}}, func(t [2]string) g.Node {
			state, class := t[0], t[1]
			return g.If(v.counts[state] > 0, h.Li(h.Class(class),
				h.A(h.Href("?state="+state), g.If(state == asked, h.Aria("current", "true")),
					h.B(text(fmt.Sprint(v.counts[state]))), g.Text(" "),
					h.Span(h.Class("is"), text(state)))))
		}),
		g.If(asked != "", h.Li(h.Class("rest"), link("?", "all"))),
	))
}

func (v *view) table(t *table) g.Node {
	to, isPart := t.from+len(t.groups), len(t.groups) < t.all
	count := fmt.Sprint(len(t.rows))
	if isPart {
		count = fmt.Sprintf("%d to %d of %d", t.from+1, to, t.all)
	}
	caption := h.H2(g.Text(t.caption+" "), h.Small(g.Text(count)))
	if len(t.groups) == 0 {
		return h.Section(caption, h.P(h.Class("none"), g.Text(t.none)))
	}
	return h.Section(caption,
		h.Table(
			h.THead(h.Tr(g.Map(t.columns, v.head), heading("", text("what is known")))),
			h.TBody(g.Map(t.groups, func(rows []status.Row) g.Node { return v.group(t, rows) })),
		),
		g.If(isPart, h.P(h.Class("pages"),
			g.If(t.from > 0, link(v.link("skip", max(t.from-t.max, 0)), "Previous")), g.Text(" "),
			g.If(to < t.all, link(v.link("skip", to), "Next")))),
	)
}

// head is the head of a column, with a link that sorts by it, or the other way.
func (v *view) head(c column) g.Node {
	if c.compare == nil {
		return heading(c.class, text(c.name))
	}
	by, sorted := c.name, ""
	switch v.asked.Get("sort") {
	case c.name:
		by, sorted = "-"+c.name, "ascending"
	case "-" + c.name:
		sorted = "descending"
	}
	return heading(c.class, g.If(sorted != "", h.Aria("sort", sorted)), link(v.link("sort", by), c.name))
}

// group is a row, or one that opens and has some of the rows in it, with a link to all.
func (v *view) group(t *table, rows []status.Row) g.Node {
	r, n := &rows[0], len(rows)
	if n == 1 {
		return v.row(t, r)
	}
	shown := rows[:min(n, max(maxOpened/len(t.groups), 5))]
	why := r.Reason()
	return h.Tr(h.Class(classOf(r.Trouble)), h.Data("name", printable.Line(why)), h.Data("is", fmt.Sprint(n)),
		h.Td(g.Attr("colspan", fmt.Sprint(len(t.columns)+1)), h.Details(
			h.Summary(h.B(text(fmt.Sprint(n, " × "))), h.Span(h.Class("is"), text(why))),
			h.Table(h.TBody(g.Map(shown, func(r status.Row) g.Node { return v.row(t, &r) }))),
			g.If(len(shown) < n, h.P(link("?reason="+url.QueryEscape(why), fmt.Sprintf("all %d", n)))),
		)))
}

func (v *view) row(t *table, r *status.Row) g.Node {
	cells := make(g.Group, len(t.columns))
	for i, c := range t.columns {
		content := text(c.text(r, *v.Time))
		if c.link != nil {
			content = link(c.link(r), c.text(r, *v.Time))
		}
		if cells[i] = h.Td(class(c.class), content); i == 0 {
			cells[i] = h.Th(g.Attr("scope", "row"), content)
		}
	}
	return h.Tr(h.Class(classOf(r.Trouble)), data(r), cells, cell("what", known(r, *v.Time)))
}

// data is for the script.
func data(r *status.Row) g.Node {
	return g.Group{h.Data("name", printable.Line(r.Name())), h.Data("is", printable.Line(is(r)))}
}

func text(t string) g.Node { return g.Text(printable.Line(t)) }

func list(texts []string) g.Node {
	return g.If(len(texts) > 0,
		h.Ul(h.Class("remarks"), g.Map(texts, func(t string) g.Node { return h.Li(text(t)) })))
}

func link(to, t string) g.Node {
	if to == "" {
		return text(t)
	}
	return h.A(h.Href(to), text(t))
}

func heading(kind string, content ...g.Node) g.Node {
	return h.Th(g.Attr("scope", "col"), class(kind), g.Group(content))
}

func cell(kind, t string) g.Node { return h.Td(class(kind), text(t)) }

func class(name string) g.Node { return g.If(name != "", h.Class(name)) }
