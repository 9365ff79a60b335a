package peers

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary be the https server: its own processor time must not count.
func TestMain(m *testing.M) {
	if kind := os.Getenv("PEERS_TARGET"); kind != "" {
		if err := serveTLS(kind); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// row is what all programs do in turn.
type row struct {
	kind    string // of kinds
	servers int
	every   time.Duration
}

func (r row) String() string {
	return fmt.Sprintf("%s, %d servers every %v", r.kind, r.servers, r.every)
}

// kinds are the checks. In https each has a full handshake, in resumed the server gives out session tickets.
var kinds = []string{"http", "tcp", "ping", "https", "resumed"}

// watched are servers with watch, and the same without it: TestWatched.
const watched = "watch"

// allRows take a quarter of an hour. Their https is bounded by the one core that its server has.
var allRows = []row{
	{"http", 100, time.Second}, {"http", 1000, time.Second},
	{"tcp", 100, time.Second}, {"tcp", 1000, time.Second},
	{"ping", 100, time.Second}, {"ping", 1000, time.Second},
	{"https", 1000, time.Second}, {"resumed", 1000, time.Second},
	{"http", 10000, 5 * time.Second},
	{watched, 10000, time.Minute},
}

// chosen are the rows that words ask for: kinds, numbers of servers, an interval, each optional.
func chosen(words string) ([]row, error) {
	var ofKind []string
	var sizes []int
	var every time.Duration
	for _, word := range strings.Fields(words) {
		n, notNumber := strconv.Atoi(word)
		d, notTime := time.ParseDuration(word)
		switch {
		case slices.Contains(kinds, word), word == watched:
			ofKind = append(ofKind, word)
		case notNumber == nil && n > 0:
			sizes = append(sizes, n)
		case notTime == nil && d >= time.Second && d%time.Second == 0:
			every = d
		default:
			return nil, fmt.Errorf("PEERS=%q: %q is none of %q or watch, no number of servers and no "+
				"interval such as 5s", words, word, kinds)
		}
	}
	var rows []row
	for _, r := range allRows {
		if len(sizes) == 0 && (ofKind == nil || slices.Contains(ofKind, r.kind)) {
			rows = append(rows, row{r.kind, r.servers, cmp.Or(every, r.every)})
		}
	}
	if ofKind == nil {
		ofKind = kinds
	}
	for _, kind := range ofKind {
		for _, n := range sizes {
			usual := time.Second
			if kind == watched {
				usual = time.Minute
			} else if n >= 5000 {
				usual = 5 * time.Second
			}
			rows = append(rows, row{kind, n, cmp.Or(every, usual)})
		}
	}
	return rows, nil
}

func TestChosen(t *testing.T) {
	for words, want := range map[string]string{
		"": "[http, 100 servers every 1s http, 1000 servers every 1s tcp, 100 servers every " +
			"1s",
		"ping":      "[ping, 100 servers every 1s ping, 1000 servers every 1s]",
		"http 1000": "[http, 1000 servers every 1s]",
		"http tcp 50 10000": "[http, 50 servers every 1s http, 10000 servers every 5s tcp, 50 servers every " +
			"1s tcp, 10000 servers every 5s]",
		"tcp 50000 3s":  "[tcp, 50000 servers every 3s]",
		"https 2s":      "[https, 1000 servers every 2s]",
		"watch":         "[watch, 10000 servers every 1m0s]",
		"watch 500 10s": "[watch, 500 servers every 10s]",
	} {
		if rows, err := chosen(words); err != nil || !strings.HasPrefix(fmt.Sprint(rows), want) {
			t.Errorf("%q: %v, %v", words, rows, err)
		}
	}
	for _, words := range []string{"smtp", "http -5", "0", "http 1500ms", "10ms"} {
		if rows, err := chosen(words); err == nil {
			t.Errorf("%q: %v", words, rows)
		}
	}
}

// plan are the rows of one test, how often each is measured and for how long. It is not made where nothing is to be
// measured.
func plan(t *testing.T, mine func(row) bool) (rows []row, repeats int, window time.Duration) {
	t.Helper()
	if os.Getenv("PEERS_TOOLS") == "" {
		t.Skip("it measures for a quarter of an hour: make peers")
	}
	all, err := chosen(os.Getenv("PEERS"))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if mine(r) {
			rows = append(rows, r)
		}
	}
	repeats, err = strconv.Atoi(cmp.Or(os.Getenv("REPEATS"), "3"))
	if err != nil || repeats < 1 {
		t.Fatalf("REPEATS=%s: %v", os.Getenv("REPEATS"), err)
	}
	window, err = time.ParseDuration(cmp.Or(os.Getenv("WINDOW"), "4s"))
	if err != nil {
		t.Fatalf("WINDOW: %v", err)
	}
	if len(rows) == 0 {
		t.Skip("PEERS has none of its rows")
	}
	return rows, repeats, window
}

// TestPeers measures and prints the table. It runs in a network namespace of its own (testdata/peers/peers).
func TestPeers(t *testing.T) {
	rows, repeats, window := plan(t, func(r row) bool { return r.kind != watched })
	names := strings.Fields(cmp.Or(os.Getenv("PROGRAMS"), "ldirectord keepalived limit"))
	results := make([]result, len(rows))
	for i, r := range rows {
		results[i] = result{row: r, samples: map[string][]sample{}}
		n := repeats
		if r.servers >= 5000 {
			n = 1
		}
		for range n {
			results[i].measure(t, names, window)
		}
	}
	fmt.Print("\n", table(results))
}

// measure runs all programs once.
func (r *result) measure(t *testing.T, names []string, window time.Duration) {
	t.Helper()
	for _, p := range programs {
		if !slices.Contains(names, p.name) {
			continue
		}
		s, ok := measure(t, p, r.row, window)
		if !ok {
			continue
		}
		fmt.Printf("%-36v %-10s %6.1f µs a check, %5.1f MiB, first pass %5.2f s, %3.0f %% of the checks\n",
			r.row, p.name, s.cpu, s.rss, s.first, s.rate*100)
		r.samples[p.name] = append(r.samples[p.name], s)
	}
}
