package lab

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// The faults of docs/measured/failures.md, with a client that makes requests all the time. The rule has two parts.
// While a server is configured whose last check passed, no request fails, except those sent to a failing server before
// its failure can be seen. And no request goes to a server that has not passed a check.
func TestKernelFailures(t *testing.T) { newLabOf(t, 5).play("failures") }

// All rows of the page.
func TestKernelLongFailures(t *testing.T) {
	onlyLong(t)
	for _, rows := range []string{"failures", "failures-servers", "failures-edits", "failures-daemon"} {
		// In a lab that was used the kernel remembers connections from the client's ports.
		t.Run(rows, func(t *testing.T) { newLabOf(t, 5).play(rows) })
	}
}

// The rows for which a directive for weights makes a difference.
func TestKernelLongReturns(t *testing.T) {
	onlyLong(t)
	newLabOf(t, 5).play("returns")
}

// The rows of a backup server. It gets no request while it is not needed.
func TestKernelLongBackup(t *testing.T) {
	onlyLong(t)
	for _, method := range []string{"masq", "gate"} {
		t.Run(method, func(t *testing.T) { newLabOf(t, 5).play("backup-" + method) })
	}
}

// The rows of keepserving, each next to the same fault without it.
func TestKernelLongGuard(t *testing.T) {
	onlyLong(t)
	newLabOf(t, 4).play("guard")
}

func onlyLong(t *testing.T) {
	t.Helper()
	if os.Getenv("LONG_TESTS") == "" {
		t.Skip("takes long: make test-all, make suites")
	}
}

const (
	checkTimeout = 2 * time.Second
	// bound is interval × failurecount + timeout + 10 %.
	bound = (time.Second + checkTimeout) * 11 / 10
)

// failures is a client's traffic, and the table of what the client saw.
type failures struct {
	*scene
	*traffic
	rows    []*row
	outages []*outage
	excused map[string][]span // by what is excused then
	streams *longConnections
}

// begins starts the traffic, with a copy of the program that can be replaced.
func (s *scene) begins() *failures {
	s.replaceProgram()
	return &failures{scene: s, traffic: s.lab.traffic(), excused: map[string][]span{}}
}

// These steps of scripts follow `traffic`, which starts a client of 198.51.100.10:80. Its webs are rs1 and so on, and
// that of the fallback server, dir.
//
//	row NUMBER FAULT      begins a row of the table
//	fails NAMESPACE [HOW] a server begins to fail: by web NAMESPACE HOW, if it is told
//	absent NAMESPACE [HOW]  the same of one that is not in the table now
//	leaves NAMESPACE…     waits until failing servers are out of the table
//	heals NAMESPACE [HOW] its checks pass from now on
//	returns NAMESPACE…    waits until healed servers are in the table
//	flaps NAMESPACE       it closes and opens its port for ten seconds, and fails at last
//	excuse WHAT           since mark, requests may get no answer (unserved), or that of the fallback (fallback),
//	                      or of the backup server rs5 (backup), which gets none at other times; or they may
//	                      break when their server is removed (cut)
//	note TEXT             the row says this, with the seconds since mark for %s
//	streams N             opens connections without an end; `streams end` ends them, and none ended before
//	streams NAMESPACE     some of them lead to a server, others don't
//	asked NAMESPACE LEAST MOST  a server answers LEAST to MOST of the next twenty requests
//	restarts NUMBER HOW FAULT  a row with a restart (stop, kill, restart, upgrade). The table must not change
//	serving N TIME        waits until N servers are in the table, which stay so for TIME
//	recover DOWN UP       servers answer checks with 500 in the order DOWN, and two stay. They become healthy in
//	                      the order UP: the table has the healthy ones, and others up to two
//	awake                 the daemon, which was away, sees from now on what fails
//	suspends, jumps NUMBER  rows of the daemon and of the clock, see those functions
//	report                prints the table, and fails if a row breaks the rule
var failureSteps = map[string]func(f *failures, args []string){
	"row":    func(f *failures, args []string) { f.begin(args[0], args[1]) },
	"fails":  func(f *failures, args []string) { f.fails(args[0], args[1:]...) },
	"absent": func(f *failures, args []string) { f.fails(args[0], args[1:]...).seen = time.Now() },
	"leaves": func(f *failures, args []string) {
		for _, name := range args {
			f.row().out += f.seen(f.outage(name)) + " "
		}
	},
	"heals": func(f *failures, args []string) { f.heals(args[0], args[1:]...) },
	"returns": func(f *failures, args []string) {
		for _, name := range args {
			f.until(bound, entry(name)+" ")
			f.row().back += seconds(time.Since(f.outage(name).healed)) + " "
		}
	},
	"flaps":  func(f *failures, args []string) { f.flaps(args[0]) },
	"excuse": func(f *failures, args []string) { f.excuse(args[0], f.since) },
	"note": func(f *failures, args []string) {
		f.row().note("%s", strings.ReplaceAll(args[0], "%s", seconds(time.Since(f.since))))
	},
	"streams": func(f *failures, args []string) { f.stream(args[0]) },
	"asked": func(f *failures, args []string) {
		n := f.asked(args[0], time.Now())
		f.row().note("%s gets %d of the next %d requests", args[0], n, following)
		if n < f.number(args[1]) || n > f.number(args[2]) {
			f.t.Errorf("%s gets %d of %d requests, want %v", args[0], n, following, args[1:])
		}
	},
	"restarts": func(f *failures, args []string) {
		how := map[string]func(*row){"stop": f.stopAndStart, "kill": f.killAndStart,
			"restart": f.restartCommand, "upgrade": f.upgrade}
		f.restart(args[0], args[2], how[args[1]])
	},
	"serving":  func(f *failures, args []string) { f.serving(f.number(args[0]), f.time(args[1])) },
	"recover":  func(f *failures, args []string) { f.recovers(args[0], args[1]) },
	"suspends": func(f *failures, args []string) { f.suspend(args[0]) },
	"jumps":    func(f *failures, args []string) { f.clockJumps(args[0]) },
	"awake": func(f *failures, _ []string) {
		for _, o := range f.outages {
			if o.seen.IsZero() {
				o.awake = time.Now()
			}
		}
	},
	"report": func(f *failures, _ []string) { f.report() },
}

// row is one line of the table.
type row struct {
	span
	number, fault string
	out, back     string // seconds until the fault was seen
	notes         []string

	requests, failed, sorry int
	kinds                   map[string]int
	broken                  string
}

type span struct{ from, until time.Time }

func (s span) covers(t time.Time) bool { return !t.Before(s.from) && t.Before(s.until) }

// outage is a time in which a server must not get requests, except at the beginning.
type outage struct {
	server  string
	from    time.Time // when the server failed
	awake   time.Time // when the daemon could first see it; zero: at once
	seen    time.Time // when the server was out of the table
	healed  time.Time // when its checks began to pass again
	flapped bool
}

const (
	backupServer = "rs5"
	following    = 20 // requests
)

var all = []string{"rs1", "rs2", "rs3", "rs4"}

// address is the address of a server by its name: rs1 is 192.0.2.21:80.
func address(name string) string { return "192.0.2.2" + strings.TrimPrefix(name, "rs") + ":80" }

func entry(name string) string { return "-t " + natVIP + ":80 -r " + address(name) }

// begin starts a row, between two moments without faults, and ends the last row.
func (f *failures) begin(number, fault string) *row {
	time.Sleep(500 * time.Millisecond)
	now := time.Now()
	if len(f.rows) > 0 {
		f.row().until = now
	}
	r := &row{span: span{from: now}, number: number, fault: fault, kinds: map[string]int{}}
	f.rows = append(f.rows, r)
	time.Sleep(500 * time.Millisecond)
	return r
}

// row is the current one.
func (f *failures) row() *row { return f.rows[len(f.rows)-1] }

func (r *row) note(format string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f", d.Seconds()) }

func (f *failures) fails(name string, how ...string) *outage {
	o := &outage{server: name, from: time.Now()}
	f.outages = append(f.outages, o)
	f.becomes(name, how)
	return o
}

// becomes changes a web server, if it is told how.
func (f *failures) becomes(name string, how []string) {
	if len(how) > 0 {
		f.webs[name].becomes(how[0])
	}
}

// outage is the last one of a server.
func (f *failures) outage(name string) *outage {
	for _, o := range slices.Backward(f.outages) {
		if o.server == name {
			return o
		}
	}
	f.t.Fatalf("%s has not failed", name)
	return nil
}

// seen waits until a failing server is out, and returns how long that took. If this kernel stood still meanwhile, a
// failure of that time doesn't count for the daemon, and the check is repeated at once.
func (f *failures) seen(o *outage) string {
	f.t.Helper()
	from := o.from
	if o.awake.After(from) {
		from = o.awake
	}
	out := func() bool { return unlike(f.table(), []string{"no " + entry(o.server)}) == "" }
	for !out() && time.Since(from)-f.idle.since(from) <= bound {
		time.Sleep(20 * time.Millisecond)
	}
	if lost := f.idle.since(from); lost >= maxLostInRow {
		f.row().note("this kernel stood still for %s s", seconds(lost))
	}
	took := f.untilFrom(from, bound, "no "+entry(o.server))
	o.seen = time.Now()
	return seconds(took)
}

func (f *failures) heals(name string, how ...string) {
	f.outage(name).healed = time.Now()
	f.becomes(name, how)
}

func (f *failures) excuse(what string, from time.Time) {
	f.excused[what] = append(f.excused[what], span{from, time.Now()})
}

func (f *failures) excuses(what string, q *request) bool {
	return slices.ContainsFunc(f.excused[what], func(s span) bool { return s.covers(q.start) })
}

func (f *failures) flaps(name string) {
	o := f.fails(name, "stop")
	o.flapped = true
	for range 7 {
		time.Sleep(700 * time.Millisecond)
		f.webs[name].start()
		time.Sleep(700 * time.Millisecond)
		f.webs[name].stop()
	}
	o.awake = time.Now()
}

func (f *failures) stream(what string) {
	f.t.Helper()
	if n, err := strconv.Atoi(what); err == nil {
		f.streams = f.hold(n)
		return
	}
	if what == "end" {
		if early := f.streams.end(); early != "" {
			f.row().broken = "a connection without an end ended: " + early
		}
		return
	}
	n := 0
	testkit.OK(f.t, f.connections(func(port int, real string) {
		if real == what && slices.Contains(f.streams.ports(), port) {
			n++
		}
	}))
	f.row().note("%d of %d connections without an end are at %s", n, len(f.streams.conns), what)
	if n == 0 || n == len(f.streams.conns) {
		f.t.Errorf("%d of %d connections without an end are at %s", n, len(f.streams.conns), what)
	}
}

// asked counts the requests that a server answers, of the first ones that begin after a time.
func (f *failures) asked(name string, after time.Time) int {
	f.t.Helper()
	var servers []string
	f.await(30*time.Second, func() bool {
		servers = nil
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, q := range f.requests {
			if !q.start.Before(after) {
				servers = append(servers, q.server)
			}
		}
		return len(servers) >= following
	}, "fewer requests than", following)
	isIts := func(server string) bool { return server == name }
	others := slices.DeleteFunc(slices.Clone(servers[:following]), isIts)
	return following - len(others)
}

// becomes starts or ends a web server, changes its network, or sets its mode.
func (w *web) becomes(how string) {
	changes := map[string]func(){"start": w.start, "stop": w.stop, "unplug": w.unplug, "plug": w.plug,
		"drop": w.drop, "accept": w.accept}
	if change := changes[how]; change != nil {
		change()
	} else {
		w.set(mode(how))
	}
}

// on sets the mode of a server.
func (m mode) on() func(*web) { return func(w *web) { w.set(m) } }

func (w *web) unplug() { w.l.sh("ip -n %sdir link set p-%s-br0 down", w.l.prefix, w.ns) }
func (w *web) plug()   { w.l.sh("ip -n %sdir link set p-%s-br0 up", w.l.prefix, w.ns) }

// drop makes every packet get lost that the server sends to the director or its clients.
func (w *web) drop() { w.routes("add") }

func (w *web) accept() { w.routes("del") }

func (w *web) routes(verb string) {
	w.l.sh("ip -n %[1]s%[2]s route %[3]s blackhole 192.0.2.1; ip -n %[1]s%[2]s route %[3]s blackhole "+
		"198.51.100.0/24", w.l.prefix, w.ns, verb)
}

// restart ends a daemon and starts another one, which must not change the table.
func (f *failures) restart(number, fault string, how func(*row)) {
	f.twice(func(last bool) bool {
		r := f.begin(number, fault)
		was, before := f.table(), len(f.logText())
		how(r)
		time.Sleep(3 * time.Second)
		return r.unchanged(f, was, before, last)
	})
}

// twice plays a row, and plays it again if it asks for that.
func (f *failures) twice(play func(last bool) bool) { _ = play(false) || play(true) }

func (f *failures) stopAndStart(r *row) {
	start := time.Now()
	f.does("stop")
	r.note("stop took %s s", seconds(time.Since(start)))
	start = time.Now()
	f.does("start")
	r.note("start returned after %s s", seconds(time.Since(start)))
}

func (f *failures) killAndStart(*row) {
	f.kill()
	time.Sleep(500 * time.Millisecond)
	f.does("start")
}

func (f *failures) restartCommand(r *row) {
	start := time.Now()
	f.does("restart")
	r.note("restart took %s s", seconds(time.Since(start)))
}

// suspend stops the daemon for 5 s while its checks are under way: none of them may count.
func (f *failures) suspend(number string) {
	defer f.eachHealthy(well)
	f.twice(func(last bool) bool {
		r := f.begin(number, "daemon stopped (SIGSTOP) for 5 s, checks on their way")
		f.eachHealthy(slow)
		time.Sleep(1500 * time.Millisecond)
		was, before := f.table(), len(f.logText())
		f.signal(syscall.SIGSTOP)
		time.Sleep(5 * time.Second)
		f.signal(syscall.SIGCONT)
		time.Sleep(3 * time.Second)
		return r.unchanged(f, was, before, last)
	})
}

// eachHealthy sets the mode of the healthy servers.
func (f *failures) eachHealthy(m mode) {
	for _, name := range all {
		if w := f.webs[name]; w.isWell() {
			w.set(m)
		}
	}
}

// unchanged marks the rule as broken if the table changed, even for a moment. It returns false if the row must be
// played again, because this kernel stood still.
func (r *row) unchanged(f *failures, was string, before int, last bool) bool {
	n, lines := f.changes(before)
	if n == 0 && f.table() == was {
		return true
	}
	if lost := f.idle.since(r.from); lost >= maxLostInRow && !last {
		r.note("%d changes while this kernel stood still for %s s", n, seconds(lost))
		f.until(bound+checkTimeout, strings.Split(strings.TrimSpace(was), "\n")...)
		return false
	}
	r.broken = fmt.Sprintf("%d changes:\n%s", n, lines)
	return true
}

// report applies the rule to every request, and prints the table.
func (f *failures) report() {
	f.begin("", "*the end*")
	requests := f.traffic.end()
	f.rows = f.rows[:len(f.rows)-1]
	if len(requests) < 500 {
		f.t.Errorf("only %d requests: the rows say nothing", len(requests))
	}
	for _, q := range requests {
		for _, r := range f.rows {
			if r.covers(q.start) {
				f.count(r, q)
			}
		}
	}
	var out strings.Builder
	out.WriteString("\n| | fault | requests | failed | sorry | fault → out | recovery → in | rule | notes |\n" +
		"|---|---|---|---|---|---|---|---|---|\n")
	for _, r := range f.rows {
		held := "held"
		if r.broken != "" {
			held = "**broken**"
			f.t.Errorf("%s %s: %s", r.number, r.fault, r.broken)
		}
		fmt.Fprintf(&out, "| %s | %s | %d | %d | %d | %s | %s | %s | %s |\n", r.number, r.fault, r.requests,
			r.failed, r.sorry,
			strings.TrimSpace(r.out), strings.TrimSpace(r.back), held, r.remarks())
	}
	f.t.Log(out.String())
	for _, needed := range f.excused["backup"] {
		if !slices.ContainsFunc(requests, func(q *request) bool {
			return q.server == backupServer && needed.covers(q.start)
		}) {
			f.t.Error("the backup server got no request while it was needed")
		}
	}
}

func (r *row) remarks() string {
	notes := slices.Clone(r.notes)
	var kinds []string
	for kind, n := range r.kinds {
		kinds = append(kinds, fmt.Sprintf("%d %s", n, kind))
	}
	slices.Sort(kinds)
	if len(kinds) > 0 {
		notes = append(notes, strings.Join(kinds, ", "))
	}
	return strings.Join(notes, "; ")
}

// count adds a request to its row.
func (f *failures) count(r *row, q *request) {
	r.requests++
	if q.failure != "" {
		r.failed++
		r.kinds[q.failure]++
	}
	if q.server == sorryServer {
		r.sorry++
	}
	if why := f.against(q); why != "" && r.broken == "" {
		r.broken = fmt.Sprintf("%.3f s after its begin: %s", q.start.Sub(r.from).Seconds(), why)
	}
}

// against returns why a request breaks the rule; empty if it doesn't.
func (f *failures) against(q *request) string {
	isBackup := len(f.excused["backup"]) > 0 && (q.server == backupServer || q.sentTo == backupServer)
	switch {
	case isBackup && !f.excuses("backup", q):
		return "the backup server was asked when it was not needed"
	case waited(q.failure) && f.idle.since(q.start)-f.idle.since(q.end) > maxAway:
	case f.excuses("unserved", q):
	case q.server == sorryServer:
		if !f.excuses("fallback", q) {
			return "the fallback server answered while a server was up"
		}
	case q.failure == "":
		for _, o := range f.outages {
			if o.server == q.server && f.tooEarly(o, q) {
				return q.server + " was asked before it had passed a check"
			}
		}
	case !f.early(q) && !(f.excuses("cut", q) && f.cut(q)):
		return fmt.Sprintf("%s, sent to %q", q.failure, q.sentTo)
	}
	return ""
}

// tooEarly: the request began after the server was out, and was answered before the server passed a check.
func (f *failures) tooEarly(o *outage, q *request) bool {
	if o.flapped || o.seen.IsZero() || q.start.Before(o.seen) {
		return false
	}
	passed := f.webs[o.server].passedAfter(o.healed)
	return q.end.Before(o.healed) || o.healed.IsZero() || passed.IsZero() || q.end.Before(passed)
}

// early: the request was sent to a failing server before its failure could be seen, or while no server was up.
func (f *failures) early(q *request) bool {
	if q.sentTo == sorryServer && f.excuses("fallback", q) {
		return true // under way when the fallback server was removed
	}
	return slices.ContainsFunc(f.outages, func(o *outage) bool {
		return (q.sentTo == o.server || q.sentTo == "") && !q.end.Before(o.from) && !q.start.After(o.seen)
	})
}

// removals are the lines of the log about removed servers, with the time and the server.
var removals = regexp.MustCompile(`\[(.{24})\|.* Deleted real server: (\S+) `)

// cut reports whether a request was under way to a server when that was removed. The kernel ends such connections.
func (f *failures) cut(q *request) bool {
	for _, m := range removals.FindAllStringSubmatch(f.logText(), -1) {
		at := testkit.Must(time.ParseInLocation(time.ANSIC, m[1], time.Local))(f.t)
		if m[2] == address(q.sentTo) && !at.Before(q.start.Truncate(time.Second)) && at.Before(q.end) {
			return true
		}
	}
	return false
}

func (f *failures) serving(n int, stays time.Duration) {
	f.t.Helper()
	are := func() bool { return strings.Count(f.table(), natVIP+":80 -r 192.0.2.2") == n }
	f.await(2*bound, are, "not in service:", n, f.table)
	time.Sleep(stays)
	testkit.Equal(f.t, are(), true, n, "servers stay in service", f.table())
}

func (f *failures) recovers(down, up string) {
	f.t.Helper()
	for _, n := range strings.Split(down, "") {
		f.webs["rs"+n].set(misread)
		time.Sleep(50 * time.Millisecond)
	}
	const twoChecks = 220 * time.Millisecond
	f.serving(2, twoChecks)
	var healthy []string
	for _, n := range strings.Split(up, "") {
		f.webs["rs"+n].set(well)
		healthy = append(healthy, entry("rs"+n))
		f.until(2*bound, healthy...)
		f.serving(max(2, len(healthy)), twoChecks)
	}
}
