package page

import (
	"cmp"
	_ "embed" // the document is part of the program
	"fmt"
	"html"
	"net/url"
	"path/filepath"
	"slices"
	"time"

	"ldirectord/internal/status"
)

// Classes of rows. They repeat what the words of a row say.
const (
	bad   = "bad"
	doubt = "doubt"
	rest  = "rest"
	good  = "good"
)

func classOf(t status.Trouble) string { return [...]string{good, rest, doubt, bad}[t] }

//go:embed page.html
var shell string

// document returns the HTML of a view. The form on the page filters by words, and keeps virtual, state, reason and sort
// of the query.
func document(v *view) markup {
	file := filepath.Base(v.Config)
	others := each([]string{"virtual", "state", "reason", "sort"}, func(name string) markup {
		value := v.asked.Get(name)
		return when(value != "", `<input type="hidden" name="%s" value="%s">`, name,
			markup(html.EscapeString(value)))
	})
	main := fill("<main>%s%s%s%s%s</main>", v.subject(file), v.daemon(), list(v.Remarks()), v.totals(),
		each(v.tables, v.table))
	return fill(shell, v.Version, v.title(), markup(style), file, others, v.asked.Get("q"), main, markup(script))
}

func (v *view) daemon() markup {
	return fill(`<p class="daemon"><span%s>%s</span>, version %s, up for %s, `+
		`<span class="time">as of %s, all times in %s</span></p>`,
		class(map[bool]string{true: "standby"}[v.Role == "standby"]), v.Doing(), v.Version,
		v.UpFor(), v.Time.Local().Format(time.TimeOnly), v.Time.Local().Format("MST"))
}

// subject returns the head of the page, which names its subject.
func (v *view) subject(file string) markup {
	at := v.about.At
	switch {
	case v.missing != "":
		return fill("<h1>%s</h1>", v.missing)
	case v.about.Server != nil:
		return v.one()
	case at != nil:
		name, id := serviceOf(at)
		return fill("<h1>%s%s <small>%s, %s up</small></h1>%s", name, small(id), cmp.Or(at.Scheduler, "none"),
			at.OfAll(), list(at.Remarks()))
	}
	class, words := v.headline()
	return fill(`<h1 class="verdict %s">%s <small>%s</small></h1>`, class, words, file)
}

// one returns the content of the page of one server: its state and history.
func (v *view) one() markup {
	at, s, now := v.about.At, v.about.Server, v.Time
	past := v.past()
	name, address := nameOf(s)
	service, _ := serviceOf(at)
	return fill(`<h1>%s%s <small>of %s</small></h1>`, name, small(address), link(pageOf(at.ID, ""), service)) +
		fill(`<p class="now %s"%s><b class="is">%s</b> since %s, for %s</p>%s`,
			classOf(v.about.Trouble), data(&v.about), s.State, s.Since.Local().Format(time.DateTime+" MST"),
			status.For(s, now), list(status.Facts(s, now))) +
		fill("<p>Weight: %v; in the table: %s. Active connections: %s. Last check: %s.</p>",
			s.Weight, status.Number(v.about.Weight), status.Number(v.about.Active),
			status.LastCheck(s, now)) +
		"<section><h2>What happened <small>latest first</small></h2>" +
		when(past != "", `<table><thead><tr><th scope="col">first</th>`+
			`<th scope="col">last</th><th scope="col" class="n">times</th>`+
			`<th scope="col">what</th></tr></thead><tbody>%s</tbody></table>`, past) +
		fill(`<p class="none">Nothing is known from before the start at %s.</p></section>`,
			v.why.Started.Local().Format(time.DateTime))
}

// past returns the rows of the server's history, latest first. A server that is no longer in the file has no
// history.
func (v *view) past() (rows markup) {
	for _, c := range v.why.Servers {
		if c.Virtual != v.about.At.ID || c.Real != v.about.Server.Real || c.Fallback {
			continue
		}
		slices.Reverse(c.History)
		slices.SortStableFunc(c.History, func(a, b status.Entry) int { return b.Last.Compare(a.Last) })
		rows += each(c.History, func(e status.Entry) markup {
			return fill(`<tr class="past %s"><td>%s</td><td>%s</td><td class="n">%v</td>`+
				`<td class="what">%s</td></tr>`, cmp.Or(happened[e.What], rest),
				e.First.Local().Format(time.DateTime), e.Last.Local().Format(time.DateTime), e.Times,
				e.Text)
		})
	}
	return rows
}

// happened maps events to classes. The class of all other events is rest.
var happened = map[string]string{
	"down": bad, "failed": bad, "shortage": doubt, "unjudged": doubt, "stalled": doubt, "held": doubt,
	"changed": doubt, "passed": good, "up": good,
}

// totals returns the number of servers in each state, each with a link to these servers.
func (v *view) totals() markup {
	asked := v.asked.Get("state")
	counts := each([][2]string{{"down", bad}, {"unknown", doubt}, {"maintenance", rest}, {"drained", rest},
		{"off", rest}, {"up", good}}, func(t [2]string) markup {
		state, class := t[0], t[1]
		return when(v.counts[state] > 0,
			`<li class="%s"><a href="?state=%[2]s"%[3]s><b>%[4]v</b> `+
				`<span class="is">%[2]s</span></a></li>`,
			class, state, when(state == asked, ` aria-current="true"`), v.counts[state])
	})
	return when(v.asked.Get("virtual") == "",
		`<nav aria-label="Servers by state"><ul class="totals">%s%s</ul></nav>`, counts,
		when(asked != "", `<li class="rest"><a href="?">all</a></li>`))
}

func (v *view) table(t *table) markup {
	to, isPart := t.from+len(t.groups), len(t.groups) < t.all
	count := fmt.Sprint(len(t.rows))
	if isPart {
		count = fmt.Sprintf("%d to %d of %d", t.from+1, to, t.all)
	}
	content := when(len(t.groups) == 0, `<p class="none">%s</p>`, t.none)
	if content == "" {
		content = fill(
			`<table><thead><tr>%s<th scope="col">what is known</th></tr></thead><tbody>%s</tbody></table>`,
			each(t.columns, v.head),
			each(t.groups, func(rows []status.Row) markup { return v.group(t, rows) })) +
			when(isPart, `<p class="pages">%s %s</p>`,
				when(t.from > 0, "%s", link(v.link("skip", max(t.from-t.max, 0)), "Previous")),
				when(to < t.all, "%s", link(v.link("skip", to), "Next")))
	}
	return fill("<section><h2>%s <small>%s</small></h2>%s</section>", t.caption, count, content)
}

// head returns the head of a column, with a link that sorts by this column or reverses the order.
func (v *view) head(c column) markup {
	by, sorted := c.name, ""
	switch v.asked.Get("sort") {
	case c.name:
		by, sorted = "-"+c.name, "ascending"
	case "-" + c.name:
		sorted = "descending"
	}
	if !c.sorts {
		return fill(`<th scope="col"%s>%s</th>`, class(c.class), c.name)
	}
	return fill(`<th scope="col"%s%s>%s</th>`, class(c.class), when(sorted != "", ` aria-sort="%s"`, sorted),
		link(v.link("sort", by), c.name))
}

// group returns a single row as it is. Several rows become one row. When opened, it shows some of them and a link to
// all.
func (v *view) group(t *table, rows []status.Row) markup {
	r, n := &rows[0], len(rows)
	if n == 1 {
		return v.row(t, r)
	}
	shown := rows[:min(n, max(maxOpened/len(t.groups), 5))]
	why := r.Common()
	return fill(`<tr class="%s" data-name="%s" data-is="%v"><td colspan="%v"><details><summary><b>%[3]v × </b>`+
		`<span class="is">%[2]s</span></summary><table><tbody>%[5]s</tbody></table>%[6]s</details></td></tr>`,
		classOf(r.Trouble), why, n, len(t.columns)+1,
		each(shown, func(r status.Row) markup { return v.row(t, &r) }),
		when(len(shown) < n, "<p>%s</p>", link("?reason="+url.QueryEscape(why), fmt.Sprintf("all %d", n))))
}

func (v *view) row(t *table, r *status.Row) markup {
	var cells markup
	for i, c := range t.columns {
		content := v.cell(c, r)
		if i == 0 {
			cells += fill(`<th scope="row">%s</th>`, content)
		} else {
			cells += fill("<td%s>%s</td>", class(c.class), content)
		}
	}
	what := known(r, v.Time)
	if what == "" && t.explains {
		what = whys(r.At)
	}
	return fill(`<tr class="%s"%s>%s<td class="what">%s</td></tr>`, classOf(r.Trouble), data(r), cells,
		what)
}

// data returns the attributes that the page's script reads.
func data(r *status.Row) markup { return fill(` data-name="%s" data-is="%s"`, r.Name(), is(r)) }

func list(texts []string) markup {
	return when(len(texts) > 0, `<ul class="remarks">%s</ul>`,
		each(texts, func(t string) markup { return fill("<li>%s</li>", t) }))
}

func link(to, t string) markup {
	if to == "" {
		return fill("%s", t)
	}
	return fill(`<a href="%s">%s</a>`, to, t)
}

func small(text string) markup { return when(text != "", " <small>%s</small>", text) }

func class(name string) markup { return when(name != "", ` class="%s"`, name) }
