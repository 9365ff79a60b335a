package judge

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

// The directives that act on the return or the failure of a server, as a reload may add, change and take them away. The
// values are as in the file; times are in seconds.
func (s *Section) set(t *testing.T, file string) {
	t.Helper()
	for line := range strings.FieldsSeq(file) {
		name, value, _ := strings.Cut(line, "=")
		var n, of int32
		fmt.Sscanf(strings.ReplaceAll(value, "/", " "), "%d %d", &n, &of)
		share, pace := lvs.Share{N: n}, lvs.Pace{Share: lvs.Share{N: n}, Every: time.Duration(of) * time.Second}
		switch seconds := time.Duration(n) * time.Second; name {
		case "pace":
			s.Pace = pace
		case "paceout":
			s.PaceOut = pace
		case "holddown":
			s.HoldDown, s.HoldDownMax = seconds, 4*seconds
		case "comeback":
			s.Comeback, _ = lvs.ParseComeback(value)
		case "slowstart":
			s.SlowStart = seconds
		case "onfail":
			s.OnFail = map[string]lvs.OnFail{"keep": lvs.Keep, "cut": lvs.Cut}[value] + lvs.OnFail(seconds)
		case "keepserving":
			s.KeepServing = share
		case "minservers":
			s.MinServers = lvs.LowHigh{Low: share, High: share}
		case "backupbelow":
			s.BackupBelow = lvs.LowHigh{Low: share, High: share}
		case "observe":
			s.Observe, _ = lvs.ParseObserve(value)
		default:
			t.Fatal(line)
		}
	}
}

// reload puts another file in force, with the same servers and checks. The table is read again.
func (p *played) reload(t *testing.T, file string) {
	was := p.Case
	next := *was.Section
	next.Policy, next.Observe = lvs.Policy{}, lvs.NotObserved
	next.set(t, file)
	p.Case = Case{Section: &next}
	for _, m := range next.Members {
		p.Servers = append(p.Servers, Server{Member: m})
	}
	p.Carry(&was, true, func(i int) int { return i }, func(i, k int) *Check { return was.Servers[i].Check(k) })
	for i := range p.Servers { // orders are given again
		if o := was.Servers[i].Order; o != (Order{}) {
			p.Servers[i].Ordered(o)
		}
	}
	for _, l := range was.Departing {
		p.SendOff(l, p.now)
	}
	p.Read(was.Have)
	p.decide()
}

// TestReloadOfAPolicy plays each directive in each state of a server: it happens in the file before, then a reload
// makes it the file after, then more happens. The weights are those after the reload, and at the end, with the time
// until the next decision. Four servers have weight 4; with backupbelow the last one is a backup server.
func TestReloadOfAPolicy(t *testing.T) {
	const (
		fall   = "1 lies, 2 lies, 3 lies"
		rise   = "1 passes, 2 passes, 3 passes"
		again  = "1 lies, 1 passes, 1 lies, 1 passes" // held down, with holddown
		twice  = "1 lies, 2 lies, 1 passes, 2 passes" // 2 waits for its turn, with pace
		climbs = "1 lies, 1 passes, 1s"               // with slowstart
	)
	for _, row := range []struct{ what, before, does, after, then, want string }{
		{"pace added, out", "", fall, "pace=1/10", rise, "---4, 4--4 10s"},
		{"pace changed, out", "pace=1/10", fall, "pace=2/10", rise, "---4, 44-4 10s"},
		{"pace taken away, out", "pace=1/10", fall, "", rise, "---4, 4444"},
		{"pace added, waits", "holddown=10", again, "holddown=10 pace=1/10", "10s", "-444 10s, 4444"},
		{"pace changed, waits", "pace=1/10", twice, "pace=2/10", "", "4444"},
		{"pace taken away, waits", "pace=1/10", twice, "", "", "4444"},
		{"pace added, climbs", "slowstart=4", climbs, "slowstart=4 pace=1/10", "2 lies, 2 passes", "1444 1s, 1144 1s"},
		{"pace changed, climbs", "slowstart=4 pace=1/10", climbs, "slowstart=4 pace=2/10", "2 lies, 2 passes", "1444 1s, 1144 1s"},
		{"pace taken away, climbs", "slowstart=4 pace=1/10", climbs, "slowstart=4", "2 lies, 2 passes", "1444 1s, 1144 1s"},
		{"pace added, held", "keepserving=2", fall, "keepserving=2 pace=1/10", rise, "--44, 4--4 10s"},
		{"pace changed, held", "keepserving=2 pace=1/10", fall, "keepserving=2 pace=2/10", rise, "--44, 44-4 10s"},
		{"pace taken away, held", "keepserving=2 pace=1/10", fall, "keepserving=2", rise, "--44, 4444"},
		{"pace added, drains", "", "1 drain", "pace=1/10", "1 undo", "0444, 4444"},
		{"pace changed, drains", "pace=1/10", "1 drain", "pace=2/10", "1 undo", "0444, 4444"},
		{"pace taken away, drains", "pace=1/10", "1 drain", "", "1 undo", "0444, 4444"},
		{"holddown added, out", "", fall, "holddown=10", rise + ", 1 lies, 1 passes", "---4, -444 10s"},
		{"holddown changed, out", "holddown=10", fall, "holddown=20", rise + ", 1 lies, 1 passes", "---4, -444 20s"},
		{"holddown taken away, out", "holddown=10", fall, "", rise + ", 1 lies, 1 passes", "---4, 4444"},
		{"holddown added, waits", "pace=1/10", twice, "pace=1/10 holddown=10", "10s", "4-44 10s, 4444"},
		{"holddown changed, waits", "holddown=10", again, "holddown=20", "10s", "-444 10s, 4444"},
		{"holddown taken away, waits", "holddown=10", again, "", "", "4444"},
		{"holddown added, climbs", "slowstart=4", climbs, "slowstart=4 holddown=10", "1 lies, 1 passes", "1444 1s, 1444 2s"},
		{"holddown changed, climbs", "slowstart=4 holddown=10", climbs, "slowstart=4 holddown=20", "1 lies, 1 passes", "1444 1s, -444 20s"},
		{"holddown taken away, climbs", "slowstart=4 holddown=10", climbs, "slowstart=4", "1 lies, 1 passes", "1444 1s, 1444 2s"},
		{"holddown added, held", "keepserving=2", fall, "keepserving=2 holddown=10", "1 passes, 3 passes, 3 lies, 3 passes", "--44, 4--4 10s"},
		{"holddown changed, held", "keepserving=2 holddown=10", fall, "keepserving=2 holddown=20", "1 passes, 3 passes, 3 lies, 3 passes", "--44, 4--4 20s"},
		{"holddown taken away, held", "keepserving=2 holddown=10", fall, "keepserving=2", "1 passes, 3 passes, 3 lies, 3 passes", "--44, 4-44"},
		{"holddown added, drains", "", "1 drain", "holddown=10", "1 lies, 1 undo, 1 passes", "0444, 4444"},
		{"holddown changed, drains", "holddown=10", "1 drain", "holddown=20", "1 lies, 1 undo, 1 passes", "0444, 4444"},
		{"holddown taken away, drains", "holddown=10", "1 drain", "", "1 lies, 1 undo, 1 passes", "0444, 4444"},
		{"comeback added, out", "", fall, "comeback=order", rise, "---4, 4--4"},
		{"comeback taken away, out", "comeback=order", fall, "", rise, "---4, 4444"},
		{"comeback added, waits", "holddown=10", again, "holddown=10 comeback=order", "10s", "-444 10s, -444"},
		{"comeback taken away, waits", "comeback=order", again, "", "", "4444"},
		{"comeback changed, waits", "comeback=order", again, "comeback=checks", "", "4444"},
		{"comeback added, climbs", "slowstart=4", climbs, "slowstart=4 comeback=order", "1 lies, 1 passes", "1444 1s, -444"},
		{"comeback taken away, climbs", "slowstart=4 comeback=order", climbs + ", 1 ready, 1s", "slowstart=4", "1s", "1444 1s, 2444 1s"},
		{"comeback added, held", "keepserving=2", fall, "keepserving=2 comeback=order", rise, "--44, 4--4"},
		{"comeback taken away, held", "keepserving=2 comeback=order", fall, "keepserving=2", rise, "--44, 4444"},
		{"comeback added, drains", "", "1 drain", "comeback=order", "1 undo", "0444, 4444"},
		{"comeback taken away, drains", "comeback=order", "1 drain", "", "1 undo", "0444, 4444"},
		{"slowstart added, out", "", "1 lies", "slowstart=4", "1 passes", "-444, 1444 2s"},
		{"slowstart changed, out", "slowstart=4", "1 lies", "slowstart=8", "1 passes", "-444, 1444 3s"},
		{"slowstart taken away, out", "slowstart=4", "1 lies", "", "1 passes", "-444, 4444"},
		{"slowstart added, waits", "pace=1/10", twice, "pace=1/10 slowstart=4", "10s", "4-44 10s, 4144 2s"},
		{"slowstart changed, waits", "pace=1/10 slowstart=4", twice, "pace=1/10 slowstart=8", "10s", "1-44 3s, 4144 3s"},
		{"slowstart taken away, waits", "pace=1/10 slowstart=4", twice, "pace=1/10", "10s", "4-44 10s, 4444"},
		{"slowstart added, climbs", "", climbs, "slowstart=4", "1s", "4444, 4444"},
		{"slowstart changed, climbs", "slowstart=4", climbs, "slowstart=8", "1s", "1444 2s, 1444 1s"},
		{"slowstart taken away, climbs", "slowstart=4", climbs, "", "1s", "4444, 4444"},
		{"slowstart added, held", "keepserving=2", fall, "keepserving=2 slowstart=4", "1 passes, 2 passes", "--44, 41-4 2s"},
		{"slowstart changed, held", "keepserving=2 slowstart=4", fall, "keepserving=2 slowstart=8", "1 passes, 2 passes", "--44, 41-4 3s"},
		{"slowstart taken away, held", "keepserving=2 slowstart=4", fall, "keepserving=2", "1 passes, 2 passes", "--44, 44-4"},
		{"slowstart added, drains", "", "1 drain", "slowstart=4", "1 undo", "0444, 1444 2s"},
		{"slowstart changed, drains", "slowstart=4", "1 drain", "slowstart=8", "1 undo", "0444, 1444 3s"},
		{"slowstart taken away, drains", "slowstart=4", "1 drain", "", "1 undo", "0444, 4444"},
		{"paceout added, out", "", "1 lies", "paceout=1/10", "2 lies, 3 lies", "-444, --44 10s"},
		{"paceout changed, out", "paceout=1/10", "1 lies", "paceout=2/10", "2 lies, 3 lies", "-444, --44 10s"},
		{"paceout taken away, out", "paceout=1/10", "1 lies", "", "2 lies, 3 lies", "-444, ---4"},
		{"paceout added, waits", "pace=1/10", twice + ", 10s", "pace=1/10 paceout=1/10", "1 lies", "4444, -444"},
		{"paceout changed, waits", "pace=1/10 paceout=1/10", twice + ", 10s", "pace=1/10 paceout=2/10", "1 lies", "4444, -444"},
		{"paceout taken away, waits", "pace=1/10 paceout=1/10", twice + ", 10s", "pace=1/10", "1 lies", "4444, -444"},
		{"paceout added, climbs", "slowstart=4", climbs, "slowstart=4 paceout=1/10", "1 lies, 2 lies", "1444 1s, -444 10s"},
		{"paceout changed, climbs", "slowstart=4 paceout=1/10", climbs, "slowstart=4 paceout=2/10", "1 lies, 2 lies", "1444 1s, -444 9s"},
		{"paceout taken away, climbs", "slowstart=4 paceout=1/10", climbs, "slowstart=4", "1 lies, 2 lies", "1444 1s, --44"},
		{"paceout added, held", "keepserving=2", fall, "keepserving=2 paceout=1/10", "1 passes", "--44, 4--4"},
		{"paceout changed, held", "keepserving=2 paceout=1/10", fall, "keepserving=2 paceout=2/10", "1 passes", "--44, 4-44 10s"},
		{"paceout taken away, held", "keepserving=2 paceout=1/10", fall, "keepserving=2", "1 passes", "--44, 4--4"},
		{"paceout added, drains", "", "1 drain", "paceout=1/10", "2 lies, 1 lies, 3 lies", "0444, --44 10s"},
		{"paceout changed, drains", "paceout=1/10", "1 drain", "paceout=2/10", "2 lies, 1 lies, 3 lies", "0444, ---4"},
		{"paceout taken away, drains", "paceout=1/10", "1 drain", "", "2 lies, 1 lies, 3 lies", "0444, ---4"},
		{"onfail added, out", "", "1 lies, 4s", "onfail=10", "1s, 1 passes", "-444, 4444"},
		{"onfail changed, out", "onfail=10", "1 lies, 4s", "onfail=20", "1s, 1 passes", "0444 16s, 4444"},
		{"onfail taken away, out", "onfail=10", "1 lies, 4s", "", "1s, 1 passes", "-444, 4444"},
		{"onfail changed, out", "onfail=keep", "1 lies, 4s", "onfail=10", "1s", "0444 10s, 0444 9s"},
		{"onfail changed, out", "onfail=10", "1 passes, 1 lies, 4s", "onfail=cut", "1s", "-444, -444"},
		{"onfail changed, out", "onfail=cut", "1 passes, 1 lies, 4s", "onfail=keep", "1s", "-444, -444"},
		{"onfail added, waits", "pace=1/10", twice + ", 4s", "pace=1/10 onfail=10", "6s", "4-44 6s, 4444"},
		{"onfail changed, waits", "pace=1/10 onfail=10", twice + ", 4s", "pace=1/10 onfail=20", "6s", "4044 6s, 4444"},
		{"onfail taken away, waits", "pace=1/10 onfail=10", twice + ", 4s", "pace=1/10", "6s", "4-44 6s, 4444"},
		{"onfail added, climbs", "slowstart=4", climbs, "slowstart=4 onfail=10", "1 lies", "1444 1s, 0444 10s"},
		{"onfail changed, climbs", "slowstart=4 onfail=10", climbs, "slowstart=4 onfail=20", "1 lies", "1444 1s, 0444 20s"},
		{"onfail taken away, climbs", "slowstart=4 onfail=10", climbs, "slowstart=4", "1 lies", "1444 1s, -444"},
		{"onfail added, held", "keepserving=2", fall, "keepserving=2 onfail=10", "1 passes, 5s, 2 passes", "--44, 4404 5s"},
		{"onfail changed, held", "keepserving=2 onfail=10", fall, "keepserving=2 onfail=20", "1 passes, 5s, 2 passes", "0044 20s, 4404 15s"},
		{"onfail taken away, held", "keepserving=2 onfail=10", fall, "keepserving=2", "1 passes, 5s, 2 passes", "--44, 44-4"},
		{"onfail added, drains", "", "1 drain", "onfail=10", "1 lies", "0444, 0444 10s"},
		{"onfail changed, drains", "onfail=10", "1 drain", "onfail=20", "1 lies", "0444, 0444 20s"},
		{"onfail taken away, drains", "onfail=10", "1 drain", "", "1 lies", "0444, -444"},
		{"keepserving added, out", "", fall, "keepserving=2", "4 lies", "---4, ---4"},
		{"keepserving changed, out", "keepserving=2", fall, "keepserving=4", "4 lies", "--44, --44"},
		{"keepserving taken away, out", "keepserving=2", fall, "", "4 lies", "---4, ----"},
		{"keepserving added, waits", "pace=1/10", twice, "pace=1/10 keepserving=2", "1s", "4-44 10s, 4-44 9s"},
		{"keepserving changed, waits", "pace=1/10 keepserving=2", twice, "pace=1/10 keepserving=4", "1s", "4444, 4444"},
		{"keepserving taken away, waits", "pace=1/10 keepserving=2", twice, "pace=1/10", "1s", "4-44 10s, 4-44 9s"},
		{"keepserving added, climbs", "slowstart=4", climbs, "slowstart=4 keepserving=2", "1 lies", "1444 1s, -444"},
		{"keepserving changed, climbs", "slowstart=4 keepserving=2", climbs, "slowstart=4 keepserving=4", "1 lies", "1444 1s, 4444"},
		{"keepserving taken away, climbs", "slowstart=4 keepserving=2", climbs, "slowstart=4", "1 lies", "1444 1s, -444"},
		{"keepserving added, held", "paceout=1/10", "1 lies, 2 lies, 3 lies", "paceout=1/10 keepserving=2", "10s, 10s", "-444 10s, --44"},
		{"keepserving changed, held", "keepserving=2", fall, "keepserving=4", "1 passes, 2 lies", "--44, 4-44"},
		{"keepserving taken away, held", "keepserving=2", fall, "", "3 passes", "---4, --44"},
		{"keepserving taken away, held", "keepserving=2 pace=1/10", fall, "pace=1/10", rise, "---4, 4--4 10s"},
		{"keepserving added, drains", "", "1 drain", "keepserving=2", "2 lies, 3 lies, 4 lies", "0444, 0-44"},
		{"keepserving changed, drains", "keepserving=2", "1 drain", "keepserving=4", "2 lies, 3 lies, 4 lies", "0444, 0444"},
		{"keepserving taken away, drains", "keepserving=2", "1 drain", "", "2 lies, 3 lies, 4 lies", "0444, 0---"},
		{"minservers added, out", "pace=1/10", fall, "pace=1/10 minservers=3", rise, "---4, 44-4 10s"},
		{"minservers changed, out", "pace=1/10 minservers=3", fall, "pace=1/10 minservers=4", rise, "---4, 4444"},
		{"minservers taken away, out", "pace=1/10 minservers=3", fall, "pace=1/10", rise, "---4, 4--4 10s"},
		{"minservers added, waits", "pace=1/10", twice, "pace=1/10 minservers=3", "1s", "4-44 10s, 4-44 9s"},
		{"minservers changed, waits", "pace=1/10 minservers=3", twice, "pace=1/10 minservers=4", "1s", "4444, 4444"},
		{"minservers taken away, waits", "pace=1/10 minservers=3", twice, "pace=1/10", "1s", "4-44 10s, 4-44 9s"},
		{"minservers added, climbs", "slowstart=4", climbs, "slowstart=4 minservers=3", "1s", "1444 1s, 2444 1s"},
		{"minservers changed, climbs", "slowstart=4 minservers=3", climbs, "slowstart=4 minservers=4", "1s", "1444 1s, 2444 1s"},
		{"minservers taken away, climbs", "slowstart=4 minservers=3", climbs, "slowstart=4", "1s", "1444 1s, 2444 1s"},
		{"minservers added, held", "keepserving=2", fall, "keepserving=2 minservers=3", "1 passes, 2 passes", "--44, 44-4"},
		{"minservers changed, held", "keepserving=2 minservers=3", fall, "keepserving=2 minservers=4", "1 passes, 2 passes", "--44, 44-4, too few"},
		{"minservers taken away, held", "keepserving=2 minservers=3", fall, "keepserving=2", "1 passes, 2 passes", "--44, 44-4"},
		{"minservers added, drains", "", "1 drain", "minservers=3", "1 undo", "0444, 4444"},
		{"minservers changed, drains", "minservers=3", "1 drain", "minservers=4", "1 undo", "0444, 4444"},
		{"minservers taken away, drains", "minservers=3", "1 drain", "", "1 undo", "0444, 4444"},
		{"backupbelow added, out", "", "1 lies", "backupbelow=3", "1 passes", "-444, 4440"},
		{"backupbelow changed, out", "backupbelow=3", "1 lies", "backupbelow=2", "1 passes", "-440, 4440"},
		{"backupbelow taken away, out", "backupbelow=3", "1 lies", "", "1 passes", "-440, 4440"},
		{"backupbelow added, waits", "pace=1/10", twice, "pace=1/10 backupbelow=3", "10s", "4-44 10s, 4440"},
		{"backupbelow changed, waits", "pace=1/10 backupbelow=3", twice, "pace=1/10 backupbelow=2", "10s", "4-40 10s, 4440"},
		{"backupbelow taken away, waits", "pace=1/10 backupbelow=3", twice, "pace=1/10", "10s", "4-40 10s, 4440"},
		{"backupbelow added, climbs", "slowstart=4", climbs, "slowstart=4 backupbelow=3", "3s", "1444 1s, 4440"},
		{"backupbelow changed, climbs", "slowstart=4 backupbelow=3", climbs, "slowstart=4 backupbelow=2", "3s", "1440 1s, 4440"},
		{"backupbelow taken away, climbs", "slowstart=4 backupbelow=3", climbs, "slowstart=4", "3s", "1440 1s, 4440"},
		{"backupbelow added, held", "keepserving=2", "1 lies, 2 lies", "keepserving=2 backupbelow=3", "1 passes, 2 passes", "-444, 4440"},
		{"backupbelow changed, held", "keepserving=2 backupbelow=3", "1 lies, 2 lies", "keepserving=2 backupbelow=2", "1 passes, 2 passes", "-444, 4440"},
		{"backupbelow taken away, held", "keepserving=2 backupbelow=3", "1 lies, 2 lies", "keepserving=2", "1 passes, 2 passes", "-440, 4440"},
		{"backupbelow added, drains", "", "1 drain", "backupbelow=3", "1 undo", "0444, 4440"},
		{"backupbelow changed, drains", "backupbelow=3", "1 drain", "backupbelow=2", "1 undo", "0440, 4440"},
		{"backupbelow taken away, drains", "backupbelow=3", "1 drain", "", "1 undo", "0440, 4440"},
		{"observe added, out", "holddown=10 keepserving=2", "1 lies", "holddown=10 keepserving=2 observe=out", "1 passes, 1 looks, 1 looks, 1 looks", "-444, 0444 10s"},
		{"observe changed, out", "holddown=10 keepserving=2 observe=out", "1 lies", "holddown=10 keepserving=2 observe=yes", "1 passes, 1 looks, 1 looks, 1 looks", "-444, 4444"},
		{"observe taken away, out", "holddown=10 keepserving=2 observe=out", "1 lies", "holddown=10 keepserving=2", "1 passes, 1 looks, 1 looks, 1 looks", "-444, 4444"},
		{"observe added, waits", "holddown=10 keepserving=2", again, "holddown=10 keepserving=2 observe=out", "10s, 1 looks, 1 looks, 1 looks", "-444 10s, 0444 20s"},
		{"observe changed, waits", "holddown=10 keepserving=2 observe=out", again, "holddown=10 keepserving=2 observe=yes", "10s, 1 looks, 1 looks, 1 looks", "-444 10s, 4444"},
		{"observe taken away, waits", "holddown=10 keepserving=2 observe=out", again, "holddown=10 keepserving=2", "10s, 1 looks, 1 looks, 1 looks", "-444 10s, 4444"},
		{"observe added, waits", "holddown=10 keepserving=2 observe=yes", "1 looks, 1 looks, 1 looks", "holddown=10 keepserving=2 observe=out", "9s", "0444 10s, 0444 1s"},
		{"observe changed, waits", "holddown=10 keepserving=2 observe=out", "1 looks, 1 looks, 1 looks", "holddown=10 keepserving=2 observe=yes", "9s", "0444 10s, 0444 1s"},
		{"observe taken away, waits", "holddown=10 keepserving=2 observe=out", "1 looks, 1 looks, 1 looks", "holddown=10 keepserving=2", "10s", "0444 10s, 4444"},
		{"observe added, climbs", "holddown=10 keepserving=2 slowstart=4", climbs, "holddown=10 keepserving=2 slowstart=4 observe=out", "1 looks, 1 looks, 1 looks", "1444 1s, 0444 10s"},
		{"observe changed, climbs", "holddown=10 keepserving=2 slowstart=4 observe=out", climbs, "holddown=10 keepserving=2 slowstart=4 observe=yes", "1 looks, 1 looks, 1 looks", "1444 1s, 1444 1s"},
		{"observe taken away, climbs", "holddown=10 keepserving=2 slowstart=4 observe=out", climbs, "holddown=10 keepserving=2 slowstart=4", "1 looks, 1 looks, 1 looks", "1444 1s, 1444 1s"},
		{"observe added, held", "holddown=10 keepserving=2", fall, "holddown=10 keepserving=2 observe=out", "3 looks, 3 looks, 3 looks", "--44, --44"},
		{"observe changed, held", "holddown=10 keepserving=2 observe=out", fall, "holddown=10 keepserving=2 observe=yes", "3 looks, 3 looks, 3 looks", "--44, --44"},
		{"observe taken away, held", "holddown=10 keepserving=2 observe=out", fall, "holddown=10 keepserving=2", "3 looks, 3 looks, 3 looks", "--44, --44"},
		{"observe added, drains", "holddown=10 keepserving=2", "1 drain", "holddown=10 keepserving=2 observe=out", "1 undo, 1 looks, 1 looks, 1 looks", "0444, 0444 10s"},
		{"observe changed, drains", "holddown=10 keepserving=2 observe=out", "1 drain", "holddown=10 keepserving=2 observe=yes", "1 undo, 1 looks, 1 looks, 1 looks", "0444, 4444"},
		{"observe taken away, drains", "holddown=10 keepserving=2 observe=out", "1 drain", "holddown=10 keepserving=2", "1 undo, 1 looks, 1 looks, 1 looks", "0444, 4444"},
	} {
		p := &played{Case: inService(4, 4, 4, 4), now: noon}
		p.Members[3].Backup = strings.HasPrefix(row.what, "backupbelow")
		p.Index()
		p.Section.set(t, row.before)
		p.decide()
		p.do(t, row.does)
		p.reload(t, row.after)
		got := p.String()
		if row.then != "" {
			p.do(t, row.then)
			got += ", " + p.String()
		}
		if p.Weigh(); strings.HasPrefix(row.what, "minservers") && !p.Strength.Enough {
			got += ", too few"
		}
		testkit.Equal(t, got, row.want, row.what)
	}
}
