// Package browser tests the page with a real browser: make page-test. It is a module of its own, because the program
// needs none of its libraries.
package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

const (
	limit = 40 * time.Second // of one test
	soon  = 10 * time.Second // for a change of the page, which asks every 3 seconds
)

// farm is web servers and a running daemon that checks them. Each server has an address of loopback.
type farm struct {
	t    *testing.T
	dir  string
	url  string
	mu   sync.Mutex
	says map[string]string // by address; "": ready
}

// virtuals are the virtual services, which use the servers with different methods, weights and services.
const virtuals = `checkinterval = 1
checktimeout = 2
fallback = 127.0.0.1:PORT
virtual = 192.0.2.10:80
	real = 127.1.2.21->127.1.2.26:PORT masq 10
	service = http
	request = "/"
	receive = "ready"
	scheduler = wrr
virtual = 192.0.2.11:443
	real = 127.1.3.1->127.1.3.3:PORT masq 5
	service = http
	request = "/"
	receive = "ready"
	scheduler = wlc
virtual = 192.0.2.12:25
	real = 127.1.4.1->127.1.4.2:PORT masq 1
	checktype = connect
	scheduler = sh
`

// newFarm starts the servers and a daemon.
func newFarm(t *testing.T) *farm {
	t.Helper()
	if os.Getenv("LDIRECTORD") == "" {
		t.Skip("needs a browser: make page-test")
	}
	f := &farm{t: t, dir: t.TempDir(), says: map[string]string{}}
	l, err := net.Listen("tcp4", "0.0.0.0:8080") // the port in the pictures
	if err != nil {
		l, err = net.Listen("tcp4", "0.0.0.0:0")
	}
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: f}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	_, port, _ := net.SplitHostPort(l.Addr().String())

	free, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listen := free.Addr().String()
	free.Close()
	f.url = "http://" + listen + "/"
	config := fmt.Sprintf("logfile = \"%s/log\"\nlisten = %s\nstatuspage = yes\n%s", f.dir, listen,
		strings.ReplaceAll(virtuals, "PORT", port))
	if err := os.WriteFile(filepath.Join(f.dir, "www.cf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	f.tell("start")
	t.Cleanup(func() { f.tell("stop") })
	return f
}

// tell gives the daemon an order.
func (f *farm) tell(words ...string) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	args := append([]string{"--rundir", f.dir, "--ipvs", "memory", filepath.Join(f.dir, "www.cf")}, words...)
	if said, err := exec.CommandContext(ctx, os.Getenv("LDIRECTORD"), args...).CombinedOutput(); err != nil {
		f.t.Fatalf("%v: %v\n%s", words, err, said)
	}
}

// say sets what the server at an address answers from now on.
func (f *farm) say(addr, words string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.says[addr] = words
}

func (f *farm) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	addr, _, _ := net.SplitHostPort(r.Context().Value(http.LocalAddrContextKey).(net.Addr).String())
	f.mu.Lock()
	words := f.says[addr]
	f.mu.Unlock()
	if words == "" {
		words = "ready"
	}
	fmt.Fprint(w, words)
}

// tab is a tab of a browser. An error that the browser reports fails the test.
type tab struct {
	t   *testing.T
	ctx context.Context
}

func newTab(t *testing.T, first ...chromedp.Action) *tab {
	t.Helper()
	ctx, end := context.WithTimeout(context.Background(), limit)
	t.Cleanup(end)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.WindowSize(1100, 640))
	ctx, end = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(end)
	ctx, end = chromedp.NewContext(ctx)
	t.Cleanup(end)
	chromedp.ListenTarget(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			t.Errorf("the script failed: %s", e.ExceptionDetails.Error())
		case *log.EventEntryAdded:
			// a 404
			stopped, missing := strings.Contains(e.Entry.Text,
				"ERR_CONNECTION"), strings.HasSuffix(e.Entry.URL, "?virtual=none")
			if !stopped && !missing {
				t.Errorf("the browser complains: %s %s", e.Entry.Text, e.Entry.URL)
			}
		}
	})
	b := &tab{t, ctx}
	b.do(append([]chromedp.Action{log.Enable()}, first...)...)
	return b
}

func (b *tab) do(actions ...chromedp.Action) {
	b.t.Helper()
	if err := chromedp.Run(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// html is the current document, read without a script. It is "" while the document is being loaded.
func (b *tab) html() (text string) {
	b.t.Helper()
	if err := chromedp.Run(b.ctx, chromedp.OuterHTML("html", &text, chromedp.ByQuery)); err != nil &&
		b.ctx.Err() != nil {
		b.t.Fatal(err)
	}
	return text
}

// await waits until the document has all of the words, and returns it.
func (b *tab) await(words ...string) string {
	b.t.Helper()
	text := ""
	for end := time.Now().Add(soon + 5*time.Second); ; time.Sleep(50 * time.Millisecond) {
		missing := ""
		text = b.html()
		for _, w := range words {
			if !strings.Contains(text, w) {
				missing = w
			}
		}
		if missing == "" {
			return text
		}
		if time.Now().After(end) {
			_, text, _ = strings.Cut(text, "<body>")
			text, _, _ = strings.Cut(text, "<script>")
			b.t.Fatalf("%q does not come:\n%s", missing, text)
		}
	}
}

// value is the value of a JavaScript expression.
func (b *tab) value(expression string) (result any) {
	b.t.Helper()
	b.do(chromedp.Evaluate(expression, &result))
	return result
}

func (b *tab) want(expression string, want any) {
	b.t.Helper()
	if got := b.value(expression); got != want {
		b.t.Errorf("%s is %v, want %v", expression, got, want)
	}
}

// opened is a farm, and a tab with its page.
func opened(t *testing.T) (*farm, *tab) {
	t.Helper()
	f := newFarm(t)
	b := newTab(t, chromedp.Navigate(f.url))
	b.await("Every server is up.")
	return f, b
}

// A server fails and comes back. The page shows this without being loaded again, marks the row and announces the
// change.
func TestChangesAreShownAndSaid(t *testing.T) {
	f, b := opened(t)
	b.await(`data-is="6 of 6 up"`)
	b.value("window.stays = true")
	b.do(chromedp.Focus(`a[href*="192.0.2.11"]`, chromedp.ByQuery))
	f.say("127.1.2.22", "starting up")
	b.await(`<tr class="bad changed"`, `starting up`, `data-is="5 of 6 up"`)
	b.want(`document.getElementById("said").textContent.includes("127.1.2.22")`, true)
	b.want(`document.getElementById("said").textContent.includes("down, weight")`, true)
	b.want(`document.title.startsWith("1 virtual service in trouble, but all serve, ")`, true)
	b.want(`document.activeElement.href.includes("192.0.2.11")`, true)
	f.say("127.1.2.22", "")
	b.await("Every server is up.", "no longer listed")
	b.want("window.stays", true)
}

// Words in the filter's field take effect at once, also on healthy servers, and are kept in the address.
func TestFilter(t *testing.T) {
	f, b := opened(t)
	b.do(chromedp.SendKeys("input[name=q]", "127.1.3", chromedp.ByQuery))
	text := b.await("Servers found <small>3</small>", "127.1.3.2:", "No virtual service matches.")
	if strings.Contains(text, ">127.1.2.21") {
		t.Error("others are there")
	}
	b.want("location.search", "?q=127.1.3")
	b.want("document.activeElement.name", "q")
	b.do(chromedp.SendKeys("input[name=q]", ".2 up", chromedp.ByQuery))
	b.await("Servers found <small>1</small>")
	b.do(chromedp.Click(`main a[href*="real="]`, chromedp.ByQuery))
	b.await("<h1>127.1.3.2:", "What happened", "passed in", "Nothing is known from before the start")
	f.say("127.1.3.2", "starting up")
	b.await("down: 1 of 1 failures", "table: removed", `class="now bad changed"`)
	f.say("127.1.3.2", "")
	b.await(`class="now good changed"`, "table: added with weight 5")
	b.do(chromedp.Click(`header .home`, chromedp.ByQuery))
	b.await("Every server is up.")
	b.do(chromedp.Click(`.totals .good a`, chromedp.ByQuery))
	b.await("Servers found <small>11</small>")
	b.do(chromedp.Click(`thead th:first-child a`, chromedp.ByQuery))
	b.await(`aria-sort="ascending"`)
	b.do(chromedp.Click(`thead th:first-child a`, chromedp.ByQuery))
	b.await(`aria-sort="descending"`)
	b.want(`document.querySelector("tbody th").textContent.startsWith("127.1.4.2:")`, true)
	b.want("location.search.includes('state=up')", true)
}

// Text from servers is shown as text and has no effect.
func TestWordsOfServersDoNothing(t *testing.T) {
	f := newFarm(t)
	f.say("127.1.2.21", `<script>document.title="x"</script><img src=x onerror='document.title="x"'></main>"`)
	b := newTab(t, chromedp.Navigate(f.url))
	b.await("&lt;script&gt;document.title", "</header>")
	f.say("127.1.2.22", `<img src=x onerror='document.title="y"'><main>`)
	b.await("127.1.2.22:", "title=\\\"y\\\"")
	b.want("document.querySelectorAll('img, main script').length", 0.0)
	b.want("document.querySelectorAll('main').length", 1.0)
	b.want("document.title.startsWith('1 virtual service in trouble')", true)
	b.want("[...document.querySelectorAll('.what')].some(e => e.textContent.includes('<script>'))", true)
}

func TestPauseAndADaemonThatEnded(t *testing.T) {
	f, b := opened(t)
	b.do(chromedp.Click("#pause", chromedp.ByQuery))
	f.say("127.1.2.22", "starting up")
	before := b.value(`document.querySelector(".time").textContent`)
	time.Sleep(5 * time.Second) // nothing may change
	b.want(`document.querySelector(".time").textContent`, before)
	b.do(chromedp.Click("#pause", chromedp.ByQuery))
	b.await("starting up")
	f.tell("stop")
	b.await("No answer since", `class="stale-main"`)
	f.tell("start")
	b.await(`role="status" class=""`, "<main>", `<tr class="bad`)
}

// The rows stay as they are while text is selected. The page and its title say so, and what is wrong meanwhile.
func TestMarkedText(t *testing.T) {
	f, b := opened(t)
	b.do(chromedp.Evaluate(`getSelection().selectAllChildren(document.querySelector("main"))`, nil))
	f.say("127.1.2.22", "starting up")
	b.await("Not updated while text is selected", `class="stale-main"`, "<title>1 virtual service in trouble")
	b.want("getSelection().toString().includes('Every server is up.')", true)
	b.do(chromedp.Evaluate("getSelection().removeAllRanges()", nil))
	b.await(`<tr class="bad changed"`, `role="status" class=""`, "<main>")
}

// In the background only the title follows, every 30 seconds; here these are one. Then the tab is in front again.
func TestTheTitleInTheBackground(t *testing.T) {
	f, b := opened(t)
	b.value(`const timer = setTimeout, turn = is => {
		Object.defineProperty(document, "hidden", {value: is, configurable: true});
		document.dispatchEvent(new Event("visibilitychange"));
	};
	window.setTimeout = (run, wait, ...with_) => timer(run, wait === 30000 ? 1000 : 10 * wait, ...with_);
	turn(true)`)
	f.say("127.1.2.22", "starting up")
	b.await("<title>1 virtual service in trouble", "Every server is up.")
	f.tell("stop")
	b.await("<title>No answer, 1 virtual service in trouble", "No answer since")
	f.tell("start")
	b.await("<title>1 virtual service in trouble", "Every server is up.")
	b.do(chromedp.Evaluate("turn(false)", nil))
	b.await(`<tr class="bad changed"`, `role="status" class=""`)
}

// Without scripts the page reloads itself, and the form and the links do all else.
func TestWithoutScript(t *testing.T) {
	f := newFarm(t)
	b := newTab(t, emulation.SetScriptExecutionDisabled(true), chromedp.Navigate(f.url))
	b.await("Every server is up.")
	f.say("127.1.2.22", "starting up")
	text := b.await(`<tr class="bad"`, "starting up")
	if strings.Contains(text, "changed") && strings.Contains(text, `bad changed`) ||
		!strings.Contains(text, `id="pause"`) {
		t.Error("a script ran")
	}
	b.do(chromedp.Navigate(f.url + "?q=127.1.3&sort=-server"))
	b.await("Servers found <small>3</small>", `aria-sort="descending"`)
	b.do(chromedp.Navigate(f.url + "?virtual=tcp:192.0.2.10:80"))
	b.await("<h1>tcp:192.0.2.10:80", "127.1.2.26:", "fallback")
}

// Servers that are down for the same reason are one row. It can be opened, and stays open when the page is updated.
func TestARowThatOpens(t *testing.T) {
	f, b := opened(t)
	for i := range 6 {
		f.say(fmt.Sprintf("127.1.2.%d", 21+i), "starting up")
	}
	b.await("<b>6 × </b>", "Virtual services in trouble")
	b.want(`document.querySelector("details table").checkVisibility()`, false)
	b.do(chromedp.Click("summary", chromedp.ByQuery))
	b.want(`document.querySelector("details table").checkVisibility()`, true)
	f.say("127.1.3.1", "starting over")
	b.await("starting over")
	b.want(`document.querySelector("details").open`, true)
	b.want(`document.activeElement.tagName`, "SUMMARY")

	still := newTab(t, emulation.SetScriptExecutionDisabled(true), chromedp.Navigate(f.url))
	still.await("<b>6 × </b>")
	still.do(chromedp.Click("summary", chromedp.ByQuery))
	still.await(`<details open="">`)
}

// The filter's field is wide enough at every width of the window.
func TestTheFilterIsWideEnough(t *testing.T) {
	_, b := opened(t)
	for _, width := range []int64{320, 360, 390, 420, 460, 500, 560, 600, 640, 641, 700, 768, 900, 1024, 1280} {
		b.do(emulation.SetDeviceMetricsOverride(width, 800, 1, width < 600))
		if got := b.value(`document.querySelector("input[name=q]").offsetWidth`).(float64); got < 150 {
			t.Errorf("at %d it has %v pixels", width, got)
		}
		b.want("document.documentElement.scrollWidth <= innerWidth", true)
	}
}

// look is a window size and a colour scheme.
type look struct {
	name          string
	dark          bool
	width, height int64
}

func (l look) actions() []chromedp.Action {
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	return []chromedp.Action{
		emulation.SetDeviceMetricsOverride(l.width, l.height, 1, l.width < 600),
		emulation.SetEmulatedMedia().WithFeatures(
			[]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
	}
}

var looks = []look{{"light", false, 1100, 640}, {"dark", true, 950, 640}, {"phone", false, 390, 844},
	{"phone-dark", true, 360, 640}}

// trouble is a farm with servers in many states.
func trouble(t *testing.T) *farm {
	f := newFarm(t)
	for addr, words := range map[string]string{"127.1.2.22": "<h1>starting up</h1>", "127.1.3.1": "upstream down",
		"127.1.3.2": "upstream down", "127.1.3.3": "upstream down"} {
		f.say(addr, words)
	}
	f.tell("set", "127.1.2.24", "maint", "--why", "new disk", "--for", "2h")
	f.tell("set", "127.1.4.2", "weight", "0", "--why", "slow, INC-4711", "--for", "30m")
	return f
}

// axe finds no fault in any view and look, and nothing is wider than the screen.
func TestAccessibility(t *testing.T) {
	path := os.Getenv("AXE")
	if path == "" {
		t.Skip("axe-core is not there: it needs npm")
	}
	axe, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f := trouble(t)
	f.say("127.1.2.21", "upstream down") // four with the same reason are one row
	b := newTab(t, chromedp.Navigate(f.url))
	b.await(`<b>5</b> <span class="is">down`, "maintenance", "<b>4 × </b>")
	real := b.value(`document.querySelector('main a[href*="real="]').getAttribute("href")`).(string)
	for _, l := range looks {
		for _, page := range []string{"?", "?virtual=tcp:192.0.2.10:80&sort=-for", real, "?q=nothing",
			"?virtual=none"} {
			b.do(append(l.actions(), chromedp.Navigate(f.url+page),
				chromedp.WaitReady("main", chromedp.ByQuery))...)
			b.value(string(axe) + ";0")
			var found []string
			b.do(chromedp.Evaluate(`axe.run({resultTypes: ["violations"]}).then(r => `+
				`r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.html + " " + `+
				`n.failureSummary)))`, &found,
				func(p *runtime.EvaluateParams) *runtime.EvaluateParams {
					return p.WithAwaitPromise(true)
				}))
			for _, text := range found {
				t.Errorf("%s %s: %s", l.name, page, text)
			}
			b.want("document.documentElement.scrollWidth <= innerWidth", true)
			b.want("axe.version.startsWith('4.')", true)
		}
	}
}

// The Tab key reaches every control, in the order on the screen.
func TestKeyboard(t *testing.T) {
	f := trouble(t)
	b := newTab(t, chromedp.Navigate(f.url))
	b.await(`<b>4</b> <span class="is">down`, "maintenance")
	b.do(chromedp.Click("#pause", chromedp.ByQuery), chromedp.Evaluate("document.activeElement.blur()", nil))
	want := b.value(`JSON.stringify([...document.querySelectorAll("a, input, button")].map(e => ` +
		`e.outerHTML))`).(string)
	var order, got []string
	if err := json.Unmarshal([]byte(want), &order); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.Evaluate("getSelection().removeAllRanges(), document.body.tabIndex = -1, "+
		"document.body.focus(), 0", nil))
	for range order {
		b.do(chromedp.KeyEvent("\t"))
		got = append(got, b.value("document.activeElement.outerHTML").(string))
	}
	if strings.Join(got, "\n") != strings.Join(order, "\n") {
		t.Errorf("Tab leads to\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(order, "\n"))
	}
}
