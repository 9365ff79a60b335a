package page

import (
	"net/url"
	"strconv"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// document is the HTML of a view. Every text and attribute is escaped where it is written; only style and script, which are
// parts of the program, are not. The elements are functions: html/template would keep all methods of the program in the
// binary, which makes it 4 MB larger.
func document(v *view) g.Node {
	return h.Doctype(h.HTML(h.Lang("en"), h.Data("version", v.Version),
		h.Head(
			h.Meta(h.Charset("utf-8")),
			h.Meta(h.Name("viewport"), h.Content("width=device-width, initial-scale=1")),
			h.Meta(h.Name("color-scheme"), h.Content("light dark")),
			h.TitleEl(g.Text(v.Title)),
			h.Link(h.Rel("icon"), h.Href("data:,")),
			h.StyleEl(g.Raw(style)),
			h.NoScript(h.Meta(g.Attr("http-equiv", "refresh"), h.Content("10"))),
		),
		h.Body(
			h.Header(
				h.A(h.Class("home"), h.Href("?"), g.Text(v.File)),
				v.form(),
				h.Button(h.ID("pause"), h.Type("button"), h.Aria("pressed", "false"), g.Attr("hidden"), g.Text("Pause")),
				h.P(h.ID("said"), h.Role("status")),
			),
			h.Main(v.daemon(), list(v.Remarks), v.subject(), v.happened(), v.totals(), g.Map(v.Tables, (*table).node)),
			h.Script(g.Raw(script)),
		),
	))
}

// form filters; the rest of the query stays.
func (v *view) form() g.Node {
	kept := func(name, value string) g.Node {
		return g.If(value != "", h.Input(h.Type("hidden"), h.Name(name), h.Value(value)))
	}
	return h.Form(h.Role("search"), kept("virtual", v.Virtual), kept("state", v.State), kept("sort", v.Sort),
		h.Input(h.Type("search"), h.Name("q"), h.Value(v.Words), h.Aria("label", "Filter by words"), h.Placeholder("address, service, reason"),
			h.AutoComplete("off"), g.Attr("spellcheck", "false")),
		h.Button(g.Text("Filter")))
}

func (v *view) daemon() g.Node {
	return h.P(h.Class("daemon"), h.Span(class(v.Standby, "standby"), g.Text(v.Doing)),
		g.Textf(", version %s, up for %s, ", v.Version, v.Age), h.Span(h.Class("time"), g.Textf("as of %s UTC", v.Time)))
}

// subject is what the page is about, where it is not about all.
func (v *view) subject() g.Node {
	switch {
	case v.Missing != "":
		return h.H1(g.Text(v.Missing))
	case v.Service != nil:
		return g.Group{h.H1(g.Text(v.Service.Name+" "), h.Small(g.Textf("%s, %s up", v.Service.Scheduler(), v.Service.State))), list(v.Service.What)}
	case v.Server != nil:
		s := v.Server
		return g.Group{
			h.H1(g.Text(s.Name+" "), h.Small(g.Text("of "), h.A(h.Href(pageOf(s.Virtual, "")), g.Text(s.Service)))),
			h.P(h.Class("now "+s.Class), h.Data("name", s.Name), h.Data("is", s.Is), h.B(h.Class("is"), g.Text(s.State)), g.Text(" for "+s.For)),
			list(s.What),
		}
	}
	return h.H1(h.Class("hidden"), g.Text("Virtual services of "+v.File))
}

// happened is what is remembered of a server.
func (v *view) happened() g.Node {
	if v.Details == nil {
		return nil
	}
	return g.Group{
		h.Dl(g.Map(v.Details.Facts, func(f fact) g.Node { return h.Div(h.Dt(g.Text(f.Name)), h.Dd(g.Text(f.Value))) })),
		h.Section(
			h.H2(g.Text("What happened "), h.Small(g.Text("the latest first"))),
			g.If(len(v.Details.Past) > 0, h.Table(
				h.THead(h.Tr(heading("", "first, UTC"), heading("n", "last ago"), heading("n", "times"), heading("", "what"))),
				h.TBody(g.Map(v.Details.Past, func(p past) g.Node {
					return h.Tr(h.Class("past "+p.Class), cell("", p.First), cell("n", p.Ago), cell("n", p.Times), cell("what", p.Text))
				})),
			)),
			h.P(h.Class("none"), g.Textf("Nothing is known from before the start at %s.", v.Details.Started)),
		),
	}
}

// totals are how many servers are in which state, each a link to those.
func (v *view) totals() g.Node {
	if v.Virtual != "" {
		return nil
	}
	return h.Nav(h.Aria("label", "Servers by state"), h.Ul(h.Class("totals"),
		g.Map(v.Totals, func(t total) g.Node {
			return h.Li(h.Class(t.Class), h.A(h.Href("?state="+url.QueryEscape(t.State)), g.If(t.State == v.State, h.Aria("current", "true")),
				h.B(g.Text(strconv.Itoa(t.Count))), g.Text(" "), h.Span(h.Class("is"), g.Text(t.State))))
		}),
		g.If(v.State != "", h.Li(h.Class("rest"), h.A(h.Href("?"), g.Text("all")))),
	))
}

func (t *table) node() g.Node {
	count := strconv.Itoa(t.All)
	if t.Before != "" || t.After != "" {
		count = strconv.Itoa(t.From) + " to " + strconv.Itoa(t.To) + " of " + count
	}
	caption := h.H2(g.Text(t.Caption+" "), h.Small(g.Text(count)))
	if len(t.Rows) == 0 {
		return h.Section(caption, h.P(h.Class("none"), g.Text(t.None)))
	}
	shape := (*row).ofServer
	switch {
	case t.OfServices:
		shape = (*row).ofService
	case t.Wide:
		shape = (*row).ofAll
	}
	rows := make(g.Group, 0, len(t.Rows))
	for i := range t.Rows {
		rows = append(rows, shape(&t.Rows[i]))
	}
	return h.Section(caption,
		h.Table(h.THead(h.Tr(g.Map(t.Columns, column.node))), h.TBody(rows)),
		g.If(t.Before != "" || t.After != "", h.P(h.Class("pages"),
			g.If(t.Before != "", h.A(h.Href(t.Before), g.Text("Previous"))), g.Text(" "), g.If(t.After != "", h.A(h.Href(t.After), g.Text("Next"))))),
	)
}

func (c column) node() g.Node {
	return h.Th(g.Attr("scope", "col"), class(c.Class != "", c.Class), g.If(c.Order != "", h.Aria("sort", c.Order)), link(c.Link, c.Name))
}

func (r *row) ofService() g.Node {
	return r.node(r.Name, head(pageOf(r.Virtual, ""), r.Name), cell("n is", r.State), cell("n opt", r.Active), cell("opt", r.Scheduler()))
}

func (r *row) ofServer() g.Node { return r.node(r.Name, r.name(), r.values()) }

func (r *row) ofAll() g.Node {
	return r.node(r.Name+" of "+r.Service, r.name(), h.Td(h.Class("of"), link(pageOf(r.Virtual, ""), r.Service)), r.values())
}

func (r *row) node(name string, cells ...g.Node) g.Node {
	return h.Tr(h.Class(r.Class), h.Data("name", name), h.Data("is", r.Is), g.Group(cells), cell("what", strings.Join(r.What, "; ")))
}

func (r *row) name() g.Node {
	if r.Real == "" {
		return head("", r.Name)
	}
	return head(pageOf(r.Virtual, r.Real), r.Name)
}

func (r *row) values() g.Node {
	return g.Group{cell("is", r.State), cell("n", r.For), cell("n opt", r.Weight), cell("n opt", r.Active), cell("opt", r.Check)}
}

// pageOf is the address of the page of a virtual service, or of one of its servers.
func pageOf(virtual, real string) string {
	if real == "" {
		return "?virtual=" + url.QueryEscape(virtual)
	}
	return "?virtual=" + url.QueryEscape(virtual) + "&real=" + url.QueryEscape(real)
}

func list(texts []string) g.Node {
	return g.If(len(texts) > 0, h.Ul(h.Class("remarks"), g.Map(texts, func(text string) g.Node { return h.Li(g.Text(text)) })))
}

func link(to, text string) g.Node {
	if to == "" {
		return g.Text(text)
	}
	return h.A(h.Href(to), g.Text(text))
}

func head(to, text string) g.Node { return h.Th(g.Attr("scope", "row"), link(to, text)) }

func heading(kind, text string) g.Node {
	return h.Th(g.Attr("scope", "col"), class(kind != "", kind), g.Text(text))
}

func cell(kind, text string) g.Node { return h.Td(class(kind != "", kind), g.Text(text)) }

func class(has bool, name string) g.Node { return g.If(has, h.Class(name)) }
