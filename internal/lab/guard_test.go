package lab

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// The rows of keepserving in docs/measured/failures.md, each next to the same fault without it.
func TestKernelLongGuard(t *testing.T) {
	onlyLong(t)
	g := &guardLab{lab: newLabOf(t, 4), webs: map[string]*web{}}
	for _, name := range append([]string{sorryServer}, all...) {
		g.webs[name] = g.web(name)
	}
	g.path = g.settings("0")
	g.does(g.path, "start")
	g.until(bound, entry("rs1"), entry("rs2"), entry("rs3"), entry("rs4"))
	g.traffic = g.lab.traffic()
	time.Sleep(time.Second)
	for _, keep := range []string{"0", "50%"} {
		g.keep(keep)
		g.misread(keep)
		g.killed(keep)
		g.die(keep)
	}
	for _, keep := range []string{"0", "50%", "100%"} {
		g.keep(keep)
		g.unplugged(keep)
	}
	g.recoveries()
	g.report()
}

// guardLab is the lab with a client's traffic, and the rows that it fills.
type guardLab struct {
	*lab
	*traffic
	path  string
	every string // checkinterval
	webs  map[string]*web
	rows  []*guardRow
}

// guardRow is a time, and what the client may see in it.
type guardRow struct {
	span
	what, keep string
	may        int // the largest number of failed requests; negative: any number
}

func (g *guardLab) settings(keep string) string {
	var reals strings.Builder
	for _, name := range all {
		fmt.Fprintf(&reals, "        real = %s masq\n", address(name))
	}
	return g.config(fmt.Sprintf(`checkinterval = %s
negotiatetimeout = 2
cleanstop = no
keepserving = %s
fallback = 127.0.0.1:80 gate
virtual = %s:80
%s        service = http
        request = "check"
        receive = "OK"
        scheduler = rr
`, cmp.Or(g.every, "1"), keep, natVIP, reals.String()))
}

func (g *guardLab) keep(keep string) {
	g.settings(keep)
	g.does(g.path, "reload")
}

func (g *guardLab) begin(what, keep string, may int) *guardRow {
	r := &guardRow{span: span{from: time.Now()}, what: what, keep: keep, may: may}
	g.rows = append(g.rows, r)
	return r
}

// close ends a row after a moment, so that what comes late still counts. The last requests of the row have their
// answers before the next fault: a web server that stops ends the connections that it has.
func (g *guardLab) close(r *guardRow) {
	time.Sleep(500 * time.Millisecond)
	r.until = time.Now()
	time.Sleep(250 * time.Millisecond)
}

func (g *guardLab) each(m mode) {
	for _, name := range all {
		g.webs[name].set(m)
	}
}

func (g *guardLab) areIn(names ...string)  { g.awaitTable("", names) }
func (g *guardLab) areOut(names ...string) { g.awaitTable("no ", names) }

func (g *guardLab) awaitTable(no string, names []string) {
	g.t.Helper()
	var lines []string
	for _, name := range names {
		lines = append(lines, no+entry(name))
	}
	g.lab.until(2*bound, lines...)
}

// isIn are the servers in the table.
func (g *guardLab) isIn() (names []string) {
	table := g.table()
	for _, name := range all {
		if strings.Contains(table, entry(name)+" ") {
			names = append(names, name)
		}
	}
	return names
}

// expectHeld waits until the table has n servers, and checks that it stays so.
func (g *guardLab) expectHeld(n int) {
	g.t.Helper()
	for end := time.Now().Add(2 * bound); len(g.isIn()) != n && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
	time.Sleep(2500 * time.Millisecond) // until every server was checked, and the result is in the log
	if in := g.isIn(); len(in) != n {
		g.t.Errorf("in the table: %v, want %d servers", in, n)
	}
}

// misread: all four servers answer 500 to checks, but serve clients. They recover in another order.
func (g *guardLab) misread(keep string) {
	r := g.begin("all four answer 500 to checks, and still serve", keep, map[string]int{"0": -1}[keep])
	g.each(misread)
	if keep == "0" {
		g.areOut(all...)
		time.Sleep(time.Second)
	} else {
		g.expectHeld(2)
	}
	for _, name := range []string{"rs3", "rs1", "rs4", "rs2"} {
		g.webs[name].set(well)
		g.areIn(name)
	}
	g.areIn(all...)
	g.close(r)
}

// recoveries: all four servers answer 500 to checks, beginning in different orders, and recover in each possible
// order. At each step the table has the healthy servers. If they are fewer than two, it has other servers up to two.
func (g *guardLab) recoveries() {
	g.every = "100ms"
	g.keep("50%")
	r := g.begin("all four answer 500 to checks, and are healthy again in each of 24 orders", "50%", 0)
	orders := permutations(all)
	for i, order := range orders {
		for _, name := range orders[7*i%len(orders)] {
			g.webs[name].set(misread)
			time.Sleep(50 * time.Millisecond)
		}
		g.awaitServers(2)
		for n := range order {
			g.webs[order[n]].set(well)
			g.areIn(order[:n+1]...)
			g.awaitServers(max(2, n+1))
		}
	}
	g.close(r)
}

// awaitServers waits until the table has n servers, and checks that it stays so for two checks.
func (g *guardLab) awaitServers(n int) {
	g.t.Helper()
	testkit.Until(g.t, 2*bound, func() bool { return len(g.isIn()) == n }, "no", n, "servers in", g.table)
	time.Sleep(220 * time.Millisecond)
	if in := g.isIn(); len(in) != n {
		g.t.Errorf("in the table: %v, and no longer %d servers", in, n)
	}
}

// permutations are all orders of some names.
func permutations(names []string) (orders [][]string) {
	if len(names) == 0 {
		return [][]string{nil}
	}
	for i, first := range names {
		for _, rest := range permutations(slices.Delete(slices.Clone(names), i, i+1)) {
			orders = append(orders, append([]string{first}, rest...))
		}
	}
	return orders
}

// killed: the daemon is killed during the fault, and started again.
func (g *guardLab) killed(keep string) {
	if keep == "0" {
		return
	}
	r := g.begin("… kill -9 and start meanwhile", keep, 0)
	g.each(misread)
	g.expectHeld(2)
	before := fmt.Sprint(g.isIn())
	g.kill()
	time.Sleep(500 * time.Millisecond)
	g.does(g.path, "start")
	g.expectHeld(2)
	if after := fmt.Sprint(g.isIn()); after != before {
		g.t.Errorf("after the crash %s are in, before %s", after, before)
	}
	g.each(well)
	g.areIn(all...)
	g.close(r)
}

// die: three of four servers really die. Requests to the one that is held are refused, until obey.
func (g *guardLab) die(keep string) {
	r := g.begin("three of four die", keep, -1)
	for _, name := range all[1:] {
		g.webs[name].stop()
	}
	if keep == "0" {
		g.areOut(all[1:]...)
		g.close(r)
		r = g.begin("… afterwards", keep, 0)
		time.Sleep(2500 * time.Millisecond)
	} else {
		g.expectHeld(2)
		g.does(g.path, "obey", natVIP+":80")
		g.areOut(all[1:]...)
		g.close(r)
		r = g.begin("… after obey", keep, 0)
		time.Sleep(2 * time.Second)
	}
	for _, name := range all[1:] {
		g.webs[name].start()
	}
	g.areIn(all...)
	g.close(r)
}

// unplugged: the director's own link to the servers is down for a while. No server serves meanwhile, whatever
// keepserving is. The row measures which serve when the link is back.
func (g *guardLab) unplugged(keep string) {
	r := g.begin("the link of the director is down for 6 s", keep, -1)
	for _, name := range all {
		g.webs[name].unplug()
	}
	time.Sleep(6 * time.Second)
	want := map[string]int{"0": 0, "50%": 2, "100%": 4}[keep]
	for begun := time.Now(); len(g.isIn()) != want; time.Sleep(20 * time.Millisecond) {
		if time.Since(begun)-g.idle.since(begun) > bound { // late if this kernel stood still
			g.t.Errorf("keepserving = %s: in service %v, want %d", keep, g.isIn(), want)
			break
		}
	}
	r.until = time.Now()
	for _, name := range all {
		g.webs[name].plug()
	}
	r = g.begin("… the first 3 s after it is back", keep, map[string]int{"0": -1}[keep])
	time.Sleep(3 * time.Second)
	r.until = time.Now()
	g.areIn(all...)
}

// removals are the lines of the log about removed servers, with the time and the server.
var removals = regexp.MustCompile(`\[(.{24})\|.* Deleted real server: (\S+) `)

const clock = "15:04:05.000"

// cut reports whether a request was under way to a server when that was removed. The kernel ends such connections.
func (g *guardLab) cut(q *request) bool {
	for _, m := range removals.FindAllStringSubmatch(g.logText(), -1) {
		at := testkit.Must(time.ParseInLocation(time.ANSIC, m[1], time.Local))(g.t)
		if q.sentTo != "" && m[2] == address(q.sentTo) && !at.Before(q.start.Truncate(time.Second)) &&
			at.Before(q.end) {
			return true
		}
	}
	return false
}

func (g *guardLab) report() {
	requests := g.traffic.end()
	var out strings.Builder
	out.WriteString("\n| fault | keepserving | requests | failed | fallback pages |\n|---|---|---|---|---|\n")
	for _, r := range g.rows {
		n, failed, sorry := 0, 0, 0
		kinds := map[string]int{}
		for _, q := range requests {
			if !r.covers(q.start) {
				continue
			}
			n++
			if q.failure != "" {
				kinds[cmp.Or(q.sentTo, "?")+" "+q.failure]++
			}
			switch {
			case q.failure == "":
			case r.may < 0:
				failed++
			case !g.cut(q):
				failed++
				g.t.Logf("%s to %q from %s to %s", q.failure, q.sentTo, q.start.Format(clock),
					q.end.Format(clock))
			}
			if q.server == sorryServer {
				sorry++
			}
		}
		fmt.Fprintf(&out, "| %s | %s | %d | %d | %d | %v\n", r.what, r.keep, n, failed, sorry, kinds)
		if r.may >= 0 && failed+sorry > r.may {
			g.t.Errorf("%s, keepserving = %s: %d failed, %d pages of the fallback server", r.what, r.keep,
				failed, sorry)
		}
	}
	g.t.Log(out.String())
}
