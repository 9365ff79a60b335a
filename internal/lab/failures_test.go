package lab

import (
	"cmp"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The faults of docs/measured/failures.md, with a client that makes requests all the time. The rule has two parts.
// While a server is configured whose last check passed, no request fails, except those sent to a failing server before
// its failure can be seen. And no request goes to a server that has not passed a check.
func TestKernelFailures(t *testing.T) {
	f := newFailures(t)
	f.coldStart()
	f.breaks("1", "server process killed", (*web).stop, (*web).start)
	f.breaks("2", "hangs, port open", silent.on(), well.on())
	f.allDie()
	f.dies("rs2", func() {
		f.reloadOther("10d")
		f.restart("13d", "stop (cleanstop=no) + start", f.stopAndStart)
		f.restart("14d", "kill -9 + start", f.killAndStart)
		f.suspend("15d")
	})
	f.clockJumps("15c")
	f.addDead()
	f.realByHand()
	f.virtualByHand()
	f.report()
}

// All rows of the page.
func TestKernelLongFailures(t *testing.T) {
	onlyLong(t)
	f := newFailures(t)
	f.coldStart()
	f.breaks("1", "server process killed", (*web).stop, (*web).start)
	f.breaks("2", "hangs, port open", silent.on(), well.on())
	f.breaks("3", "link down", (*web).unplug, (*web).plug)
	f.breaks("4", "packets dropped", (*web).drop, (*web).accept)
	f.breaks("5", "HTTP 500", broken.on(), well.on())
	f.breaks("6", "answers after 3 s", late.on(), well.on())
	f.breaks("7", "wrong content", content.on(), well.on())
	f.flaps()
	f.allDie()
	f.reloadOther("10")
	f.dies("rs2", func() { f.reloadOther("10d") })
	f.addDead()
	f.drains()
	f.removes()
	f.reweighs()
	f.restart("13", "stop (cleanstop=no) + start", f.stopAndStart)
	f.dies("rs2", func() { f.restart("13d", "the same while one server is dead", f.stopAndStart) })
	f.restart("14", "kill -9 + start", f.killAndStart)
	f.dies("rs3", func() { f.restart("14d", "the same while one server is dead", f.killAndStart) })
	f.restart("14r", "restart", f.restartCommand)
	f.dies("rs3", func() { f.restart("14rd", "the same while one server is dead", f.restartCommand) })
	f.restart("14u", "the program is replaced, restart", f.upgrade)
	f.suspend("15")
	f.dies("rs3", func() { f.suspend("15d") })
	f.clockJumps("15c")
	for i, how := range f.interruptions() {
		f.interrupted(fmt.Sprintf("17%c", 'a'+i), how)
	}
	f.realByHand()
	f.virtualByHand()
	f.report()
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

// failures is the lab with a client's traffic, and the table of what the client saw.
type failures struct {
	*lab
	*traffic
	path    string
	method  string         // the forwarding method
	weights map[string]int // of the configured servers
	served  []string       // the servers that fail in allDie
	other   int            // a setting of another virtual service
	more    string         // settings of the virtual service, with its scheduler unless it is rr
	webs    map[string]*web
	rows    []*row
	outages []*outage
	gaps    []span // times without the virtual service: the director answers the client itself, or refuses
	sorry   []span // times in which the fallback server may serve
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

var all = []string{"rs1", "rs2", "rs3", "rs4"}

func newFailures(t *testing.T) *failures {
	f := &failures{lab: newLabOf(t, 5), method: "masq", served: all, weights: map[string]int{},
		webs: map[string]*web{}}
	for _, name := range append([]string{sorryServer, "rs5"}, all...) {
		f.webs[name] = f.web(name)
	}
	f.webs["rs5"].set(silent)
	for _, name := range all {
		f.weights[name] = 1
	}
	f.replaceProgram()
	f.configure()
	f.traffic = f.lab.traffic()
	return f
}

func (f *failures) configure() {
	var reals strings.Builder
	for _, name := range append([]string{"rs5"}, all...) {
		if weight, in := f.weights[name]; in {
			fmt.Fprintf(&reals, "        real = %s %s %d\n", address(name), f.method, weight)
		}
	}
	f.path = f.config(fmt.Sprintf(`checkinterval = 1
checktimeout = 2
negotiatetimeout = 2
cleanstop = no
fallback = 127.0.0.1:80 gate
virtual = %s:80
%s        service = http
        request = "check"
        receive = "OK"
%svirtual = %s:81
        real = %s masq %d
        checktype = on
`, natVIP, reals.String(), cmp.Or(f.more, "        scheduler = rr\n"), natVIP, address("rs1"), 1+f.other))
}

// address is the address of a server by its name: rs1 is 192.0.2.21:80.
func address(name string) string { return "192.0.2.2" + strings.TrimPrefix(name, "rs") + ":80" }

func entry(name string) string { return "-t " + natVIP + ":80 -r " + address(name) }

// begin starts a row, between two moments without faults, and ends the last row.
func (f *failures) begin(number, fault string) *row {
	time.Sleep(500 * time.Millisecond)
	now := time.Now()
	if len(f.rows) > 0 {
		f.rows[len(f.rows)-1].until = now
	}
	r := &row{span: span{from: now}, number: number, fault: fault, kinds: map[string]int{}}
	f.rows = append(f.rows, r)
	time.Sleep(500 * time.Millisecond)
	return r
}

func (r *row) note(format string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f", d.Seconds()) }

// fails makes a server fail.
func (f *failures) fails(name string, how func(*web)) *outage {
	o := &outage{server: name, from: time.Now()}
	f.outages = append(f.outages, o)
	how(f.webs[name])
	return o
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
		f.rows[len(f.rows)-1].note("this kernel stood still for %s s", seconds(lost))
	}
	took := f.untilFrom(from, bound, "no "+entry(o.server))
	o.seen = time.Now()
	return seconds(took)
}

// heals repairs a server, and waits until it is in.
func (f *failures) heals(o *outage, how func(*web)) string {
	f.t.Helper()
	o.healed = time.Now()
	how(f.webs[o.server])
	f.until(bound, entry(o.server)+" ")
	return seconds(time.Since(o.healed))
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

// coldStart is the row of the first start: one of four servers is dead, and the client already makes requests.
func (f *failures) coldStart() {
	o := f.fails("rs4", (*web).stop)
	o.seen = o.from
	r := f.begin("0", "cold start, one of four dead")
	f.does(f.path, "start")
	f.until(bound, entry("rs1"), entry("rs2"), entry("rs3"))
	f.gaps = append(f.gaps, span{r.from, time.Now()})
	r.note("servers in after %s s", seconds(time.Since(r.from)))
	r.back = f.heals(o, (*web).start)
}

func (f *failures) breaks(number, fault string, fail, heal func(*web)) {
	r := f.begin(number, fault)
	o := f.fails("rs1", fail)
	r.out = f.seen(o)
	time.Sleep(1300 * time.Millisecond)
	r.back = f.heals(o, heal)
}

func (f *failures) flaps() {
	r := f.begin("8", "flapping: port closed/open every 0.7 s for 10 s")
	o := f.fails("rs1", (*web).stop)
	o.flapped = true
	before := len(f.logText())
	for range 7 {
		time.Sleep(700 * time.Millisecond)
		f.webs["rs1"].start()
		time.Sleep(700 * time.Millisecond)
		f.webs["rs1"].stop()
	}
	f.until(bound, "no "+entry(o.server))
	o.seen = time.Now()
	if strings.Contains(f.more, "holddown") {
		f.does(f.path, "set", address("rs1"), "ready") // otherwise holddown keeps it out
	}
	r.back = f.heals(o, (*web).start)
	r.note("taken out %d times", strings.Count(f.logText()[before:], "] Deleted real server: "+address("rs1")))
}

// allDie: all servers fail. The fallback server serves until the first server is back. It returns the weights of the
// servers at their return.
func (f *failures) allDie() (came []uint32) {
	r := f.begin("9", fmt.Sprintf("all %d die, fallback server, back one by one", len(f.served)))
	var dead []*outage
	for _, name := range f.served {
		dead = append(dead, f.fails(name, (*web).stop))
	}
	last := dead[len(dead)-1].from
	f.until(bound, "-t "+natVIP+":80 -r 127.0.0.1:80")
	r.note("fallback server in after %s s", seconds(time.Since(last)))
	for _, o := range dead {
		r.out += f.seen(o) + " "
	}
	time.Sleep(time.Second)
	for i, o := range dead {
		r.back += f.heals(o, (*web).start) + " "
		for _, service := range f.read() {
			if service.Key.Addr.Port() == 80 {
				came = append(came, service.Dests.Weight(netip.MustParseAddrPort(address(o.server))))
			}
		}
		if i == 0 {
			f.until(time.Second, "no "+natVIP+":80 -r 127.0.0.1:80")
			f.sorry = append(f.sorry, span{last, time.Now()})
		}
	}
	r.note("weights at the return: %v", came)
	return came
}

// dies makes a server hang while something else happens: requests to it would hang too, so it would be noticed if it
// came in.
func (f *failures) dies(name string, then func()) {
	r := f.begin("", fmt.Sprintf("*preparation: %s hangs*", name))
	o := f.fails(name, silent.on())
	r.out = f.seen(o)
	then()
	r = f.begin("", fmt.Sprintf("*%s is back*", name))
	r.back = f.heals(o, well.on())
}

func (f *failures) reloadOther(number string) {
	r := f.begin(number, "reload that changes another virtual")
	f.other++
	f.reload()
	f.until(time.Second, fmt.Sprintf("-t %s:81 -r %s -m -w %d", natVIP, address("rs1"), 1+f.other))
	r.note("the reload acts after %s s", seconds(time.Since(r.from)-500*time.Millisecond))
	time.Sleep(2 * time.Second)
}

func (f *failures) reload() {
	f.configure()
	f.does(f.path, "reload")
}

func (f *failures) addDead() {
	r := f.begin("11", "reload that adds a server that hangs")
	o := &outage{server: "rs5", from: r.from, seen: r.from}
	f.outages = append(f.outages, o)
	f.weights["rs5"] = 1
	f.reload()
	time.Sleep(3 * time.Second)
	r.back = f.heals(o, well.on())
	time.Sleep(time.Second)
	f.weights["rs5"] = 0 // requests under way to a server are cut when it is removed
	f.reload()
	f.until(time.Second, entry("rs5")+" -m -w 0")
	time.Sleep(500 * time.Millisecond)
	delete(f.weights, "rs5")
	f.reload()
	f.until(time.Second, "no "+entry("rs5"))
}

// drains: with weight 0 in the file a server's connections continue. Then the server is removed and added again.
func (f *failures) drains() {
	r := f.begin("12", "drain: weight 0, long connections end, removal, back")
	long := f.hold(8)
	f.weights["rs2"] = 0
	start := time.Now()
	f.reload()
	f.until(time.Second, entry("rs2")+" -m -w 0")
	r.out = seconds(time.Since(start))
	drained := time.Now()
	time.Sleep(3 * time.Second)
	if lost := long.end(); lost != "" {
		r.broken = "a long connection ended: " + lost
	}
	time.Sleep(300 * time.Millisecond)
	delete(f.weights, "rs2")
	f.reload()
	f.until(time.Second, "no "+entry("rs2"))
	time.Sleep(time.Second)
	f.outages = append(f.outages, &outage{server: "rs2", from: drained, seen: drained, healed: time.Now()})
	f.weights["rs2"] = 1
	start = time.Now()
	f.reload()
	f.until(bound, entry("rs2")+" -m -w 1")
	r.back = seconds(time.Since(start))
	r.note("%d long connections", len(long.conns))
}

// removes: a reload removes a healthy server from the file, another one adds it again.
func (f *failures) removes() {
	r := f.begin("12x", "reload that removes a healthy server, and adds it again, five times")
	for range 5 {
		o := &outage{server: "rs2", from: time.Now()}
		f.outages = append(f.outages, o)
		delete(f.weights, "rs2")
		f.reload()
		f.until(time.Second, "no "+entry("rs2"))
		o.seen = time.Now()
		time.Sleep(time.Second)
		o.healed = time.Now()
		f.weights["rs2"] = 1
		f.reload()
		f.until(bound, entry("rs2")+" -m -w 1")
		time.Sleep(time.Second)
	}
	r.note("the kernel cuts what is on its way to a server that is removed")
}

func (f *failures) reweighs() {
	r := f.begin("12w", "reload that changes weights")
	f.weights["rs1"], f.weights["rs2"] = 5, 3
	f.reload()
	f.until(time.Second, entry("rs1")+" -m -w 5", entry("rs2")+" -m -w 3")
	r.note("the reload acts after %s s", seconds(time.Since(r.from)-500*time.Millisecond))
	time.Sleep(time.Second)
	f.weights["rs1"], f.weights["rs2"] = 1, 1
	f.reload()
	time.Sleep(time.Second)
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
	f.does(f.path, "stop")
	r.note("stop took %s s", seconds(time.Since(start)))
	start = time.Now()
	f.does(f.path, "start")
	r.note("start returned after %s s", seconds(time.Since(start)))
}

func (f *failures) killAndStart(*row) {
	f.kill()
	time.Sleep(500 * time.Millisecond)
	f.does(f.path, "start")
}

func (f *failures) restartCommand(r *row) {
	start := time.Now()
	f.does(f.path, "restart")
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

func (f *failures) realByHand() {
	r := f.begin("16a", "real server deleted by hand")
	cut := &outage{server: "rs2", from: time.Now()} // requests under way to it are cut by the kernel
	f.sh("ip netns exec %sdir ipvsadm -d -t %s:80 -r %s", f.prefix, natVIP, address("rs2"))
	cut.seen, cut.healed = time.Now(), time.Now()
	f.outages = append(f.outages, cut)
	time.Sleep(2 * time.Second)
	if unlike(f.table(), []string{"no " + entry("rs2")}) != "" {
		r.note("came back by itself")
	} else {
		r.note("stays until the next transition or a reload")
	}
	start := time.Now()
	f.does(f.path, "reload")
	f.until(time.Second, entry("rs2")+" -m -w 1")
	r.note("reload repairs it in %s s", seconds(time.Since(start)))
}

func (f *failures) virtualByHand() {
	r := f.begin("16b", "virtual service deleted by hand")
	start := time.Now()
	f.sh("ip netns exec %sdir ipvsadm -D -t %s:80", f.prefix, natVIP)
	f.until(time.Second*11/10, entry("rs1"), entry("rs2"), entry("rs3"), entry("rs4"))
	f.gaps = append(f.gaps, span{start, time.Now()})
	r.back = seconds(time.Since(start))
	time.Sleep(time.Second)
}

// report applies the rule to every request, and prints the table.
func (f *failures) report() {
	f.begin("", "*the end*")
	requests := f.traffic.end()
	f.rows = f.rows[:len(f.rows)-1]
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
	switch {
	case waited(q.failure) && f.idle.since(q.start)-f.idle.since(q.end) > maxAway:
	case slices.ContainsFunc(f.gaps, func(s span) bool { return s.covers(q.start) }):
	case q.server == sorryServer:
		if !slices.ContainsFunc(f.sorry, func(s span) bool { return s.covers(q.start) }) {
			return "the fallback server answered while a server was up"
		}
	case q.failure == "":
		for _, o := range f.outages {
			if o.server == q.server && f.tooEarly(o, q) {
				return q.server + " was asked before it had passed a check"
			}
		}
	case !f.excused(q):
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

// excused: the request was sent to a failing server before its failure could be seen, or while no server was up.
func (f *failures) excused(q *request) bool {
	if q.sentTo == sorryServer && slices.ContainsFunc(f.sorry, func(s span) bool { return s.covers(q.start) }) {
		return true // under way when the fallback server was removed
	}
	return slices.ContainsFunc(f.outages, func(o *outage) bool {
		return (q.sentTo == o.server || q.sentTo == "") && !q.end.Before(o.from) && !q.start.After(o.seen)
	})
}
