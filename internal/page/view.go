package page

import (
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"ldirectord/internal/status"
)

// view is the part of a report that a browser shows.
type view struct {
	*status.Report
	// The query may contain virtual, real, state, reason, q (words), sort (a column, with - in front for reverse
	// order) and skip (a number of rows).
	asked   url.Values
	words   []string       // the words of q, in lower case
	about   status.Row     // what is requested; empty for all
	missing string         // says what is requested but unknown; "" if all is known
	why     *status.Why    // the history of the server
	counts  map[string]int // how many servers are in each state
	tables  []*table
	traffic *Traffic
}

const maxWords = 16 // of a search; each is searched for in every row

func newView(r *status.Report, asked url.Values, traffic *Traffic) *view {
	v := &view{Report: r, asked: asked, counts: map[string]int{}, traffic: traffic}
	v.words = strings.Fields(strings.ToLower(asked.Get("q")))
	v.words = v.words[:min(len(v.words), maxWords)]
	virtual, real := asked.Get("virtual"), asked.Get("real")
	for _, service := range r.Services() {
		if service.At.ID == virtual {
			v.about = service
		}
		for _, row := range service.At.Rows() {
			v.counts[row.Server.State]++
			if service.At.ID == virtual && row.Server.Real == real && pageOfServer(&row) != "" {
				v.about = row
			}
		}
	}
	switch {
	case virtual == "":
		v.overview()
	case v.about.At == nil:
		v.missing = "There is no virtual service " + virtual + "."
	case real == "":
		v.add(&table{caption: "Servers", none: "No server matches.", columns: ofOne, max: maxServers,
			rows: v.servers(v.about.At)})
	case v.about.Server == nil:
		v.missing = "There is no server " + real + " in " + virtual + "."
	}
	return v
}

// overview shows the virtual services and servers that match the search. Without a search, it shows all virtual
// services and the servers that need attention.
func (v *view) overview() {
	servers := &table{caption: "Not up, or with a remark", none: "Every server is up.", columns: ofAll,
		max: maxServers, joins: true}
	searches := v.asked.Get("state")+v.asked.Get("reason") != "" || len(v.words) > 0
	if searches {
		servers.caption, servers.none, servers.joins = "Servers found", "No server matches.", false
	}
	ill := &table{caption: "Virtual services in trouble", columns: ofServices, max: maxServices, joins: true,
		explains: true}
	all := &table{caption: "Virtual services", none: "No virtual service matches.", columns: ofServices,
		max: maxServices}
	splits := !searches && v.asked.Get("sort") == "" && v.skip() == 0
	for _, at := range v.Services() {
		for _, r := range v.servers(at.At) {
			if searches || r.Trouble > status.Fine {
				servers.rows = append(servers.rows, r)
			}
		}
		switch {
		case !v.wants(&at):
		case at.Trouble >= status.Doubt && splits:
			ill.rows = append(ill.rows, at)
		default:
			all.rows = append(all.rows, at)
		}
	}
	if len(ill.rows) > 0 {
		v.add(ill)
		all.caption, all.none = "Other virtual services", "There is no other virtual service."
	}
	v.add(servers)
	v.add(all)
}

// servers returns the servers of a virtual service that match the search.
func (v *view) servers(at *status.Virtual) []status.Row {
	return slices.DeleteFunc(at.Rows(), func(r status.Row) bool { return !v.wants(&r) })
}

// wants reports whether a row matches the search: it has the state, the reason and each of the words.
func (v *view) wants(r *status.Row) bool {
	if state := v.asked.Get("state"); state != "" && (r.Server == nil || state != r.Server.State) {
		return false
	}
	if why := v.asked.Get("reason"); why != "" && why != r.Common() {
		return false
	}
	if len(v.words) == 0 {
		return true
	}
	text := []string{r.At.Label()}
	if s := r.Server; s != nil {
		text = append(text, s.Real, s.Address, s.Host, s.State)
		for _, c := range s.Conditions {
			text = append(text, c.Text)
		}
	}
	all := strings.ToLower(strings.Join(text, " "))
	return !slices.ContainsFunc(v.words, func(w string) bool { return !strings.Contains(all, w) })
}

// title returns the title of the browser's tab.
func (v *view) title() string {
	title := filepath.Base(v.Config) + ", ldirectord"
	switch class, words := v.headline(); {
	case words == servesBut:
		remark, _, _ := strings.Cut(v.Remarks()[0], "; ")
		title = remark + ", " + title
	case class != good:
		title = words + ", " + title
	}
	switch {
	case v.about.Server != nil:
		return v.about.Server.Real + ", " + title
	case v.about.At != nil:
		return v.about.At.Label() + ", " + title
	}
	return title
}

// link returns the address of this page with one parameter changed.
func (v *view) link(name string, value any) string {
	all := maps.Clone(v.asked)
	all.Del("skip")
	all.Set(name, fmt.Sprint(value))
	return "?" + all.Encode()
}

// skip returns the number of rows on earlier pages.
func (v *view) skip() int {
	n, _ := strconv.Atoi(v.asked.Get("skip")) // 0 if it is not a number
	return max(n, 0)
}
