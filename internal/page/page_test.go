package page

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/status"
	"ldirectord/internal/testkit"
	seen "ldirectord/internal/view"
)

func init() { time.Local = time.FixedZone("CET", 3600) } // where the director is

// start is the time of all reports of the tests.
var start = testkit.Time("2026-11-21T03:12:45Z")

func newReport(virtuals ...status.Virtual) *status.Report {
	for i := range virtuals {
		virtuals[i].Serving = virtuals[i].Up() + virtuals[i].Guard.Held
	}
	return &status.Report{
		Running: true, Config: "/etc/ha.d/www.cf", Version: "1.2", Started: start.Add(-time.Hour), Time: start,
		Role: "active", Phase: "running",
		Reloads: status.Reloads{Last: start}, Checks: &status.Checks{},
		Table: status.Table{Operations: map[string]seen.Counts{}}, Virtuals: virtuals,
	}
}

// newServer is a server that has been in a state for a minute.
func newServer(real, state string) status.Server {
	s := status.Server{Real: real, State: state, Since: start.Add(-time.Minute), Weight: 1}
	s.Check = &status.Check{Time: start, OK: true, Seconds: 0.002, Detail: "200 OK"}
	switch state {
	case "up":
		s.TableWeight = new(uint32(1))
	case "down":
		s.Reason = "connect: refused"
		s.Check = &status.Check{Time: start, Cause: "refused", Detail: s.Reason}
	}
	return s
}

func newPages(r *status.Report) *Pages {
	for i := range r.Virtuals {
		for k := range r.Virtuals[i].Servers {
			r.Virtuals[i].Servers[k].Learn()
		}
	}
	return (&Pages{
		Report: func(context.Context) (*status.Report, error) { return r, nil },
		Why: func(_ context.Context, virtual, real string) (*status.Why, error) {
			text, err := os.ReadFile("../../testdata/page/why.json")
			why := &status.Why{}
			if err := errors.Join(err, json.Unmarshal(text, why)); err != nil {
				return nil, err
			}
			other, asked := &why.Servers[0], &why.Servers[1]
			other.Server, asked.Server = newServer(real, "up"), learned(newServer(real, "down"))
			asked.Virtual, asked.History[1].Text = virtual, "failed after 1ms: "+real
			return why, nil
		},
		Host:    func() string { return "lb.example.com" },
		Traffic: new(Traffic),
	})
}

// ask returns the response and its text for a URL.
func ask(t testing.TB, answer http.HandlerFunc, url string, change func(*http.Request)) (*http.Response, string) {
	t.Helper()
	r := httptest.NewRequest("GET", "http://127.0.0.1"+url, nil)
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	answer(w, r)
	got := w.Result()
	text := testkit.Must(io.ReadAll(got.Body))(t)
	return got, string(text)
}

var (
	tags   = regexp.MustCompile(`(?s)<(style|script)>.*?</(style|script)>|<[^>]*>`)
	blanks = regexp.MustCompile(`[ \n]+`)
)

// read is the text of the page at a URL, with a line for each row.
func read(t *testing.T, r *status.Report, url string) string {
	t.Helper()
	got, text := ask(t, newPages(r).Page, url, nil)
	want := http.StatusOK
	if strings.Contains(text, "<h1>There is no ") {
		want = http.StatusNotFound
	}
	if got.StatusCode != want {
		t.Fatalf("%s: %d %s", url, got.StatusCode, text)
	}
	_, text, _ = strings.Cut(text, "<main>")
	text = strings.NewReplacer("</tr>", "|", "</h2>", "|", "</p>", "|", "</h1>", "|", "</li>", "|").Replace(text)
	text = blanks.ReplaceAllString(tags.ReplaceAllString(text, " "), " ")
	return strings.ReplaceAll(text, "| ", "\n")
}

// some is a report with servers in every state.
func some(t *testing.T) *status.Report {
	return testkit.Must(status.ReadReport([]byte(testkit.Read(t, "../../testdata/page/report.json"))))(t)
}

// inOrder fails if a text lacks one of its parts, or has them in another order.
func inOrder(t *testing.T, text string, parts ...string) {
	t.Helper()
	rest := text
	for _, p := range parts {
		_, after, ok := strings.Cut(rest, p)
		if !ok {
			t.Errorf("%q is not there, or too early, in\n%s", p, text)
			return
		}
		rest = after
	}
}

func TestViews(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/page/views.txt", 3) {
		text := read(t, some(t), row[0])
		inOrder(t, text, strings.Split(row[2], " → ")...)
		for not := range strings.SplitSeq(row[1], " → ") {
			if strings.Contains(text, not) {
				t.Errorf("%s has %q:\n%s", row[0], not, text)
			}
		}
	}
	healthy := newReport(status.Virtual{ID: "fwm:3", Servers: []status.Server{newServer("10.0.0.1:80", "up")}})
	testkit.Contains(t, read(t, healthy, "/"), "Every server is up.")
}

// crowd is 10,000 servers, four in each virtual service. Some of them are down, each with a reason of its own.
func crowd(down int) *status.Report {
	r := newReport()
	for i := range 2500 {
		v := status.Virtual{ID: fmt.Sprintf("tcp:10.%d.%d.1:80", i/250, i%250), Scheduler: "wrr", Written: true}
		for j := range 4 {
			state := "up"
			if n := i*4 + j; n*7919%10000 < down {
				state = "down"
			}
			s := newServer(fmt.Sprintf("10.%d.%d.%d:8080", 100+i/250, i%250, j+1), state)
			s.Since, s.Check.Seconds = start.Add(-time.Duration(i*i+j)*time.Second), float64(i)/1e5
			if state == "down" {
				s.Reason = fmt.Sprintf("body does not match /ready/: got \"starting up, step %d, "+
					"request %x\"", i*j, i*7919*104729)
				s.Check.Cause, s.Check.Detail = "answer", s.Reason
			}
			v.Servers = append(v.Servers, s)
		}
		r.Virtuals = append(r.Virtuals, v)
	}
	return r
}

// The page for 10,000 servers has at most 60 kB, however many are down. What is not on the first page can be reached
// by one link.
func TestSize(t *testing.T) {
	for _, down := range []int{0, 20, 2000, 10000} {
		pages := newPages(crowd(down))
		for _, url := range []string{"/", "/?q=10", "/?state=up"} {
			got, text := ask(t, pages.Page, url,
				func(r *http.Request) { r.Header.Set("Accept-Encoding", "gzip") })
			if len(text) > 60_000 || got.Header.Get("Content-Encoding") != "gzip" {
				t.Errorf("%d down: %s has %d bytes, %q", down, url, len(text),
					got.Header.Get("Content-Encoding"))
			}
			t.Logf("%d down: %s: %d bytes", down, url, len(text))
			z := testkit.Must(gzip.NewReader(strings.NewReader(text)))(t)
			plain, err := io.ReadAll(z)
			if rows := strings.Count(string(plain), "<tr class"); err != nil ||
				rows > maxServers+maxServices {
				t.Errorf("%d rows, %v", rows, err)
			}
		}
	}
	r := crowd(2000)
	inOrder(t, read(t, r, "/"), "2000 down", "8000 up", "Not up, or with a remark 1 to 200 of 2000", "Next")
	_, text := ask(t, newPages(r).Page, "/?skip=400", nil)
	inOrder(t, text, `<a href="?skip=200">Previous`, `<a href="?skip=600">Next`)
	seen := map[string]bool{}
	for url := "/"; url != ""; {
		_, text = ask(t, newPages(r).Page, url, nil)
		server := regexp.MustCompile(`data-name="([^" ]*:8080 of [^"]*)"`)
		for _, m := range server.FindAllStringSubmatch(text, -1) {
			seen[m[1]] = true
		}
		text, _, _ = strings.Cut(text, "irtual services <small>")
		url = ""
		if m := regexp.MustCompile(`<a href="([^"]*)">Next`).FindStringSubmatch(text); m != nil {
			url = "/" + m[1]
		}
	}
	testkit.Equal(t, len(seen), 2000, "servers are on all pages")
}

// Servers with the same reason are one row, which opens without a script too. It has some of the servers, and a link
// to all.
func TestRowsOfOneReasonAreOneRow(t *testing.T) {
	r := newReport()
	for i := range 300 {
		v := status.Virtual{ID: fmt.Sprintf("tcp:192.0.2.%d:80", i+1), Conditions: []seen.Condition{{
			Kind: "nothing serves", Trouble: status.Broken,
			Text: "no server serves, and there is no fallback: clients get nothing"}}}
		for j := range 2 {
			v.Servers = append(v.Servers, newServer(fmt.Sprintf("10.0.%d.%d:80", i, j+1), "down"))
		}
		r.Virtuals = append(r.Virtuals, v)
	}
	r.Virtuals[7].Servers[0].Reason = "status 503"
	text := read(t, r, "/")
	inOrder(t, text, "Virtual services in trouble 300",
		"300 × 0 of 2 up; no server serves, and there is no fallback: clients get nothing",
		"tcp:192.0.2.1:80 0 of 2", "all 300", "Not up, or with a remark 600",
		"599 × down: connect: refused", "10.0.0.1:80", "all 599", "10.0.7.1:80", "503")
	testkit.Equal(t, strings.Count(text, " - - refused"), maxOpened/2+1, "servers are shown")
	_, html := ask(t, newPages(r).Page, "/", nil)
	inOrder(t, html, "<details><summary>", `<a href="?reason=down%3A+connect%3A+refused">all 599</a>`)
	text = read(t, r, "/?reason=down%3A+connect%3A+refused")
	inOrder(t, text, "Servers found 1 to 200 of 599", "10.0.0.1:80", "Next", "Virtual services 0")
	href := regexp.MustCompile(`<a href="([^"]*)">all 300`).FindStringSubmatch(html)
	inOrder(t, read(t, r, "/"+href[1]), "Servers found 0", "Virtual services 300", "tcp:192.0.2.1:80 0 of 2")
	if text := read(t, r, "/?sort=server"); strings.Contains(text, "×") {
		t.Errorf("sorted rows are joined:\n%s", text)
	}
	r.Virtuals = r.Virtuals[:3]
	inOrder(t, read(t, r, "/"), "in trouble 3", "tcp:192.0.2.1:80 0 of 2", "6 × down: connect: refused")
}

func BenchmarkPage10k(b *testing.B) {
	for _, down := range []int{20, 10000} {
		pages := newPages(crowd(down))
		b.Run(fmt.Sprint(down, " down"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ask(b, pages.Page, "/",
					func(r *http.Request) { r.Header.Set("Accept-Encoding", "gzip") })
			}
		})
	}
}

// Text from servers stays text: whatever it is, the page has the same tags.
func TestWordsOfOthersAreText(t *testing.T) {
	hostile := []string{
		"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "</title></style></script><h1>forged",
		"javascript:alert(1)", "{{.Config}}", "'+alert(1)+'",
		"NO\u009b31m\u009b2J\u202eevil\u2028line\u0085x\x1b[2J\r\n[Fri] forged", "\x00\xff\xfe<b>", "&lt;b&gt;",
	}
	for _, page := range []func(words string) string{
		func(words string) string { return address() },
		func(words string) string { return address("virtual", words) },
		func(words string) string { return address("virtual", words, "real", words) },
		func(words string) string { return address("q", "1"+words) },
		func(words string) string { return address("state", "1"+words, "sort", words) },
		func(words string) string { return address("virtual", words+" of others") },
	} {
		want := tagsOf(t, quoting("words"), page("words"))
		for _, words := range hostile {
			testkit.Same(t, tagsOf(t, quoting(words), page(words)), want, words, page(words),
				"has the tags")
			_, text := ask(t, newPages(quoting(words)).Page, page(words), nil)
			// it keeps the address
			text = regexp.MustCompile(`<input type="hidden"[^>]*>`).ReplaceAllString(text, "")
			dangerous := regexp.MustCompile("[\x00\x1b\u009b\u202e\u2028\u0085]|(href|src)=\"javascript")
			testkit.Equal(t, dangerous.FindString(text), "", words, "is in", page(words))
		}
	}
}

// quoting is a report with this text in all places for text from other programs.
func quoting(words string) *status.Report {
	s := newServer(words, "down")
	s.Reason, s.Note, s.Unjudged, s.Address, s.Check.Detail, s.Check.Warning, s.Check.Cause = words, words, words,
		words, words+"x", words, words
	r := newReport(status.Virtual{ID: words, Scheduler: words,
		Conditions: []seen.Condition{{Kind: words, Text: words}}, Servers: []status.Server{s},
		Fallback: &status.Fallback{Server: words,
			Active: true}, Leaving: []seen.Departure{{Real: words, State: words, Note: words}}})
	r.Config, r.Version, r.MarkError, r.Table.Error, r.Reloads.Error, r.Phase = words, words, words, words, words,
		words
	r.Names = []status.Name{{Name: words, Address: netip.MustParseAddr("192.0.2.22"), Error: words}}
	return r
}

// tagsOf are the tags of a page, without the values of their attributes.
func tagsOf(t *testing.T, r *status.Report, url string) []string {
	t.Helper()
	got, text := ask(t, newPages(r).Page, url, nil)
	if got.StatusCode >= http.StatusInternalServerError {
		t.Fatalf("%s: %d %s", url, got.StatusCode, text)
	}
	text = strings.ReplaceAll(strings.ReplaceAll(text, script, ""), style, "")
	text = regexp.MustCompile(`"[^"]*"`).ReplaceAllString(text, `""`)
	return regexp.MustCompile(`<[^>]*>`).FindAllString(text, -1)
}

// address is a URL of the page. Names and values of its parameters alternate.
func address(asked ...string) string {
	all := url.Values{}
	for i := 0; i < len(asked); i += 2 {
		all.Set(asked[i], asked[i+1])
	}
	return "/?" + all.Encode()
}

// The policy allows exactly the style and the script of the document, and nothing is loaded from elsewhere.
func TestPolicy(t *testing.T) {
	got, text := ask(t, newPages(some(t)).Page, "/", nil)
	policy := got.Header.Get("Content-Security-Policy")
	for _, tag := range []string{"style", "script"} {
		_, rest, _ := strings.Cut(text, "<"+tag+">")
		body, _, _ := strings.Cut(rest, "</"+tag+">")
		if want := tag + "-src " + hash(body) + ";"; len(body) < 100 || !strings.Contains(policy, want) {
			t.Errorf("%s is not in %s", want, policy)
		}
	}
	const rest = "; img-src data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	if !strings.HasPrefix(policy, "default-src 'none';") || !strings.HasSuffix(policy, rest) {
		t.Error(policy)
	}
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		"X-Frame-Options": "DENY", "Cache-Control": "no-store"} {
		testkit.Equal(t, got.Header.Get(name), want, name)
	}
	elsewhere := regexp.MustCompile(`(?i)(src|href|action|url)\s*[=(]\s*"?(https?:)?//|` +
		`@import|<link[^>]*stylesheet`)
	testkit.Equal(t, elsewhere.FindString(text), "", "loaded from elsewhere")
}

func TestWhoMayAsk(t *testing.T) {
	own := testkit.Must(os.Hostname())(t)
	short, _, _ := strings.Cut(own, ".")
	pages := newPages(some(t))
	names := strings.NewReplacer("OWN", own, "SHORT", short, "UPPER", strings.ToUpper(own), `\x1b`, "\x1b")
	for _, row := range testkit.Table(t, "../../testdata/page/hosts.txt", 2) {
		host, want := names.Replace(row[0]), row[1]
		for name, page := range map[string]http.HandlerFunc{"/": pages.Page, "/status.json": pages.Status,
			"/why.json?real=x": pages.Because} {
			got, text := ask(t, page, name, func(r *http.Request) { r.Host = host })
			testkit.Equal(t, strconv.Itoa(got.StatusCode), want, host, name)
			if want == "421" &&
				(!strings.Contains(text, "statushost") || strings.Contains(text, "10.0.0.1") ||
					strings.Contains(text, "\x1b")) {
				t.Errorf("%q: %q", host, text)
			}
		}
	}
	for _, host := range []string{"", "."} {
		nobody := *pages
		nobody.Host = func() string { return "" }
		if got, _ := ask(t, nobody.Page, "/", func(r *http.Request) { r.Host = host }); got.StatusCode != 421 {
			t.Errorf("%q: %d", host, got.StatusCode)
		}
	}
}

func TestStatusIsTheWholeReport(t *testing.T) {
	r := some(t)
	got, text := ask(t, newPages(r).Status, "/status.json", nil)
	testkit.OK(t, testkit.Error(status.ReadReport([]byte(text))))
	testkit.Equal(t, got.Header.Get("Content-Type"), "application/json")
	testkit.Equal(t, strings.TrimSpace(text), string(testkit.Must(json.Marshal(r))(t)))
}

func TestWhyIsOfOneServer(t *testing.T) {
	pages := newPages(some(t))
	if got, text := ask(t, pages.Because, "/why.json?virtual=fwm:3", nil); got.StatusCode != 400 ||
		!strings.Contains(text, "real=ADDRESS:PORT") {
		t.Errorf("%d %s", got.StatusCode, text)
	}
	got, text := ask(t, pages.Because, "/why.json?virtual=fwm:3&real=10.0.0.7:80", nil)
	var why status.Why
	if err := json.Unmarshal([]byte(text), &why); err != nil || got.StatusCode != 200 || len(why.Servers) != 2 ||
		why.Servers[1].Real != "10.0.0.7:80" || len(why.Servers[1].History) != 3 {
		t.Errorf("%d %v %s", got.StatusCode, err, text)
	}
	nobody := *pages
	nobody.Why = func(context.Context, string, string) (*status.Why, error) {
		return &status.Why{Servers: []status.Case{}}, nil
	}
	if got, text := ask(t, nobody.Because, "/why.json?real=10.0.0.99:80", nil); got.StatusCode != 404 ||
		!strings.Contains(text, `"servers":[]`) {
		t.Errorf("of one that is not there: %d %s", got.StatusCode, text)
	}
}

func TestWithoutAReport(t *testing.T) {
	pages := (&Pages{Host: func() string { return "" }, Report: func(context.Context) (*status.Report, error) {
		return nil, fmt.Errorf("the director is busy")
	}})
	for _, answer := range []http.HandlerFunc{pages.Page, pages.Status} {
		got, text := ask(t, answer, "/", nil)
		if got.StatusCode != 503 || !strings.Contains(text, "is busy") ||
			!strings.HasPrefix(got.Header.Get("Content-Type"), "text/plain") {
			t.Errorf("%d %s", got.StatusCode, text)
		}
	}
}

// A virtual service is shown with its servicename, and found by it.
func TestServiceNames(t *testing.T) {
	r := newReport(
		status.Virtual{ID: "tcp:192.0.2.1:80", Title: "Shop <1>",
			Servers: []status.Server{newServer("10.0.0.1:80", "down")}},
		status.Virtual{ID: "tcp:192.0.2.2:80", Servers: []status.Server{newServer("10.0.0.2:80", "down")}},
	)
	r.Virtuals[1].Servers[0].Host = "web2.example"
	for url, want := range map[string]string{
		"/?q=shop":                   "10.0.0.1:80 Shop &lt;1&gt; tcp:192.0.2.1:80 down",
		"/?virtual=tcp:192.0.2.1:80": "Shop &lt;1&gt; tcp:192.0.2.1:80 none, 0 of 1 up",
		"/?q=web2.example":           "web2.example 10.0.0.2:80 tcp:192.0.2.2:80 down",
		"/?virtual=tcp:192.0.2.1:80&real=10.0.0.1:80": "10.0.0.1:80 of Shop &lt;1&gt;",
	} {
		testkit.Contains(t, read(t, r, url), want, url)
	}
	if text := read(t, r, "/?q=shop"); strings.Contains(text, "10.0.0.2") {
		t.Error(text)
	}
}

// learned is a server with conditions.
func learned(s status.Server) status.Server { s.Learn(); return s }
