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
	for _, row := range testkit.Table(t, "../../testdata/judge/reload.txt", 6) {
		what, before, does, after, then, want := row[0], row[1], row[2], row[3], row[4], row[5]
		p := &played{Case: inService(4, 4, 4, 4), now: noon}
		p.Members[3].Backup = strings.HasPrefix(what, "backupbelow")
		p.Index()
		p.Section.set(t, before)
		p.decide()
		p.do(t, does)
		p.reload(t, after)
		got := p.String()
		if then != "" {
			p.do(t, then)
			got += ", " + p.String()
		}
		if p.Weigh(); strings.HasPrefix(what, "minservers") && !p.Strength.Enough {
			got += ", too few"
		}
		testkit.Equal(t, got, want, what)
	}
}
