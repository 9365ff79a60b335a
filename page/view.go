package page

import (
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"ldirectord/printable"
	"ldirectord/status"
)

// Rows of a table on one page; the others are a link away.
const (
	maxServers  = 200
	maxServices = 2500
)

// query is what somebody wants to see, from the address of the page.
type query struct {
	Virtual, Real string
	State         string // only servers in this state; "" for all
	Words         string // each of them is in the row
	Sort          string // a column, with - before it from the end; "": trouble first
	skip          int    // rows
}

// view is all that the document shows. Its texts are printable; the template escapes them.
type view struct {
	query
	Title, File, Doing, Version, Age, Time string
	Standby                                bool
	Remarks                                []string
	Totals                                 []total
	Missing                                string // what was asked for and is not there
	Service                                *row
	Server                                 *row
	Details                                *details // of it
	Tables                                 []*table
	report                                 *status.Report
}

// total is how many servers are in a state.
type total struct {
	State, Class string
	Count        int
}

func newView(r *status.Report, asked url.Values) *view {
	skip, _ := strconv.Atoi(asked.Get("skip")) // 0 for what is no number
	v := &view{
		query: query{asked.Get("virtual"), asked.Get("real"), asked.Get("state"), printable.Line(asked.Get("q")), asked.Get("sort"), max(skip, 0)},
		File:  printable.Line(filepath.Base(r.Config)), Doing: printable.Line(r.Doing()), Version: printable.Line(r.Version), Standby: r.Role == "standby",
		Age: status.Short(r.Time.Sub(*r.Started)), Time: r.Time.Format(time.TimeOnly), Remarks: lines(r.Remarks()), report: r,
	}
	v.count()
	at := slices.IndexFunc(r.Virtuals, func(s status.Virtual) bool { return s.ID == v.Virtual })
	switch {
	case v.Virtual == "":
		v.overview()
	case at < 0:
		v.Missing = "There is no virtual service " + printable.Line(v.Virtual) + "."
	case v.Real == "":
		v.one(&r.Virtuals[at])
	default:
		v.detail(&r.Virtuals[at])
	}
	return v
}

// count fills in how many servers are in which state, and the title, which a tab shows.
func (v *view) count() {
	counts := map[string]int{}
	for i := range v.report.Virtuals {
		for j := range v.report.Virtuals[i].Servers {
			counts[v.report.Virtuals[i].Servers[j].State]++
		}
	}
	for _, t := range []total{{"down", bad, 0}, {"unknown", doubt, 0}, {"maintenance", rest, 0}, {"drained", rest, 0}, {"off", rest, 0}, {"up", good, 0}} {
		if t.Count = counts[t.State]; t.Count > 0 {
			v.Totals = append(v.Totals, t)
		}
	}
	v.Title = v.File + ", ldirectord"
	if counts["down"] > 0 {
		v.Title = fmt.Sprintf("%d down, %s", counts["down"], v.Title)
	}
}

// overview is every server that needs a look, or that is searched, and the virtual services.
func (v *view) overview() {
	servers := &table{Caption: "Not healthy", None: "Every server is healthy.", Wide: true}
	if v.searches() {
		servers.Caption, servers.None = "Servers found", "No server is like that."
	}
	all := &table{Caption: "Virtual services", None: "No virtual service is like that.", OfServices: true}
	for i := range v.report.Virtuals {
		at := &v.report.Virtuals[i]
		for j := range at.Servers {
			if r := serverRow(at, &at.Servers[j]); v.searches() && v.wants(&r) || !v.searches() && r.concern < healthy {
				servers.Rows = append(servers.Rows, r)
			}
		}
		if r := serviceRow(at); v.wants(&r) {
			all.Rows = append(all.Rows, r)
		}
	}
	v.add(servers, maxServers, ofAll)
	v.add(all, maxServices, services)
}

// one is a virtual service with its servers, with those that left the file and the fallback server.
func (v *view) one(at *status.Virtual) {
	r := serviceRow(at)
	r.show(*v.report.Time)
	v.Service, v.Title = &r, r.Name+", "+v.Title
	servers := &table{Caption: "Servers", None: "No server is like that."}
	for j := range at.Servers {
		servers.Rows = append(servers.Rows, serverRow(at, &at.Servers[j]))
	}
	for _, l := range at.Leaving {
		servers.Rows = append(servers.Rows, serverRow(at, &status.Server{
			Real: l.Real, State: l.State, Reason: "not in the file", Note: l.Note, TableWeight: &l.TableWeight, Connections: &l.Connections}))
	}
	if f := at.Fallback; f != nil {
		s := &status.Server{Real: f.Server, State: "fallback", Note: "waits", TableWeight: f.TableWeight}
		if f.Active {
			s.Note = "answers"
		}
		servers.Rows = append(servers.Rows, serverRow(at, s))
	}
	servers.Rows = slices.DeleteFunc(servers.Rows, func(r row) bool { return !v.wants(&r) })
	v.add(servers, maxServers, ofOne)
}

// detail is one server.
func (v *view) detail(at *status.Virtual) {
	j := slices.IndexFunc(at.Servers, func(s status.Server) bool { return s.Real == v.Real })
	if j < 0 {
		v.Missing = "There is no server " + printable.Line(v.Real) + " in " + printable.Line(at.ID) + "."
		return
	}
	r := serverRow(at, &at.Servers[j])
	r.show(*v.report.Time)
	v.Server, v.Title = &r, r.Name+", "+v.Title
}

func (q *query) searches() bool { return q.State != "" || strings.TrimSpace(q.Words) != "" }

// wants reports whether a row is one that is looked for: it has the state and each of the words.
func (q *query) wants(r *row) bool {
	if q.State != "" && (r.s == nil || q.State != r.s.State) {
		return false
	}
	text := []string{r.at.ID}
	if r.s != nil {
		text = append(text, r.s.Real, r.s.Address, r.s.State, r.s.Reason, r.s.Note, r.s.Unjudged)
	}
	all := strings.ToLower(strings.Join(text, " "))
	return !slices.ContainsFunc(strings.Fields(strings.ToLower(q.Words)), func(w string) bool { return !strings.Contains(all, w) })
}

// link is the address of this page with one thing changed.
func (q *query) link(name, value string) string {
	all := url.Values{}
	for name, value := range map[string]string{"virtual": q.Virtual, "state": q.State, "q": q.Words, "sort": q.Sort, name: value} {
		if value != "" {
			all.Set(name, value)
		}
	}
	return "?" + all.Encode()
}
