package shadow

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/director"
	"ldirectord/internal/lvs"
	"ldirectord/internal/maintenance"
	"ldirectord/internal/plan"
	"ldirectord/internal/testkit"
	"ldirectord/internal/testkit/plans"
	"ldirectord/internal/view"
	"ldirectord/ipvsctl"
	"ldirectord/parser"
)

const config = `checkinterval = 5
checktimeout = 2
failurecount = 2
quiescent = no
fallback = 192.0.2.99:80 masq
virtual = 192.0.2.10:80
	real = 192.0.2.21:80 masq
	real = 192.0.2.22:80 masq 3
	checktype = connect
`

// farm is real servers, and a table that the shadow takes for the kernel's.
type farm struct {
	t     *testing.T
	table *ipvsctl.Memory
	// the daemon that was started last
	daemon *director.Director

	mu    sync.Mutex // guards what follows
	lines []string
	ran   []string // the programs that ran
	last  Report
	file  *plan.Plan // another file for the shadow to follow
	down  map[string]bool
}

// newFarm is used in fake time. At first all servers are up.
func newFarm(t *testing.T) *farm {
	return &farm{t: t, table: ipvsctl.NewMemory(nil), down: map[string]bool{}}
}

// play runs a test in fake time.
func play(t *testing.T, test func(t *testing.T, f *farm)) {
	synctest.Test(t, func(t *testing.T) { test(t, newFarm(t)) })
}

// carrying is a table in which the kernel counts a connection for each server.
type carrying struct{ *ipvsctl.Memory }

func (c carrying) Services(ctx context.Context, keys ...lvs.Key) (lvs.Table, error) {
	table, err := c.Memory.Services(ctx, keys...)
	for key, service := range table {
		service.Counters = map[netip.AddrPort]lvs.Counters{}
		for _, dest := range service.Dests {
			service.Counters[dest.Addr] = lvs.Counters{Active: 1}
		}
		table[key] = service
	}
	return table, err
}

// locked locks the farm, and returns the function that unlocks it.
func (f *farm) locked() (unlock func()) {
	f.mu.Lock()
	return f.mu.Unlock
}

func (f *farm) set(down bool, addr string) {
	defer f.locked()()
	f.down[addr] = down
}

// follow makes the shadow follow another file.
func (f *farm) follow(text string) {
	p := f.plan(text)
	defer f.locked()()
	f.file = p
}

// said are the lines so far.
func (f *farm) said() []string {
	defer f.locked()()
	return slices.Clone(f.lines)
}

// now are the current differences.
func (f *farm) now() []Difference {
	defer f.locked()()
	return f.last.Now
}

// server is a check of one of the servers.
type server struct {
	f    *farm
	spec checker.Spec
}

func (s server) Check(context.Context) checker.Result {
	time.Sleep(10 * time.Millisecond)
	defer s.f.locked()()
	if s.spec.Command != "" {
		s.f.ran = append(s.f.ran, s.spec.Command)
	}
	if s.f.down[s.spec.Target.Addr().String()] {
		return checker.Result{Cause: checker.Refused, Detail: "connect: refused"}
	}
	return checker.Result{OK: true, Detail: "connected"}
}

func (f *farm) plan(text string) *plan.Plan {
	f.t.Helper()
	return plans.Of(f.t, text, parser.Options{DirExist: func(string) bool { return true }},
		func(s checker.Spec) (checker.Checker, error) { return server{f, s}, nil })
}

// live starts a daemon on the table. The returned function ends it like kill -9.
func (f *farm) live(text string) (kill func()) {
	ctx, end := context.WithCancelCause(f.t.Context())
	d := director.New(director.Deps{Table: carrying{f.table},
		Maintenance: maintenance.New(nil).Watch})
	f.daemon = d
	done := make(chan error, 1)
	plan := f.plan(text)
	go func() { done <- d.Run(ctx, plan) }()
	synctest.Wait()
	return func() { end(director.ErrHandover); <-done }
}

// shadow starts a shadow. The returned function ends it and returns its report.
func (f *farm) shadow(text string, programs bool) (stop func() Report) {
	ctx, end := context.WithCancel(f.t.Context())
	done := make(chan Report, 1)
	first := f.plan(text)
	go func() {
		r, err := Run(ctx, Options{
			Live: carrying{f.table}, Plan: first, Programs: programs,
			Changed: func() *plan.Plan { defer f.locked()(); p := f.file; f.file = nil; return p },
			Say:     func(line string) { defer f.locked()(); f.lines = append(f.lines, line) },
			Update:  func(r Report) error { defer f.locked()(); f.last = r; return nil },
		})
		if err != nil {
			f.t.Error(err)
		}
		done <- r
	}()
	synctest.Wait()
	return func() Report { end(); return <-done }
}

// beside starts a daemon, and a shadow a second later. The functions end them after both have made checks.
func (f *farm) beside(text string) (kill func(), stop func() Report) {
	kill = f.live(text)
	time.Sleep(time.Second)
	stop = f.shadow(text, false)
	time.Sleep(10 * time.Second)
	return kill, stop
}

func (f *farm) do(ops ...lvs.Op) {
	f.t.Helper()
	testkit.OK(f.t, errors.Join(f.table.Do(f.t.Context(), ops...)...))
}

var web = lvs.Key{Protocol: lvs.TCP, Addr: netip.MustParseAddrPort("192.0.2.10:80")}

// A daemon that makes its checks at other times has no lasting difference, even when servers go down and come back.
func TestAnotherPhaseIsNoDifference(t *testing.T) {
	play(t, func(t *testing.T, f *farm) {
		kill := f.live(config)
		defer kill()
		time.Sleep(2300 * time.Millisecond)
		stop := f.shadow(config, false)
		for round := range 20 {
			time.Sleep(time.Duration(20+7*round%9) * time.Second)
			f.set(true, "192.0.2.21")
			f.set(round%3 == 0, "192.0.2.22")
			time.Sleep(time.Duration(20+5*round%9) * time.Second)
			f.set(false, "192.0.2.21")
			f.set(false, "192.0.2.22")
		}
		time.Sleep(30 * time.Second)
		r := stop()
		if r.Lasting != 0 || r.Virtuals == 0 || len(f.said()) > 0 || !r.Ended || r.Unread != 0 ||
			r.Writes != 0 {
			t.Errorf("%+v\n%q", r, f.said())
		}
		if r.Virtuals != 1 || r.Servers != 2 {
			t.Errorf("compared: %d, %d", r.Virtuals, r.Servers)
		}
		for what, s := range map[string]Sightings{"failures": r.Failures, "recoveries": r.Recoveries} {
			seen := s.Together + s.Shadow.First + s.Live.First
			testkit.Equal(t, seen, map[string]int{"failures": 27, "recoveries": 27}[what], what)
			if s.Shadow.First == 0 || s.Live.First == 0 || s.Shadow.Most > 8 || s.Live.Most > 8 {
				t.Errorf("%s: which was first, and by how much: %+v", what, s)
			}
		}
	})
}

// The summary has how often each of the two was first, and by how much on average and at most.
func TestTheSumOfWhoWasFirst(t *testing.T) {
	var s Sightings
	for _, by := range []time.Duration{2, 6, 1} {
		s.lead(Shadow, by*time.Second)
	}
	s.lead(Live, 4*time.Second)
	var text strings.Builder
	s.print(&text, "Failures")
	testkit.Equal(t, text.String(), "Failures: together: 0; shadow first: 3, by 3s, at most 6s; live "+
		"first: 1, by 4s, at most 4s\n")
}

// A table that can't be read is reported once. The comparison continues when it can be read.
func TestATableThatCannotBeRead(t *testing.T) {
	play(t, func(t *testing.T, f *farm) {
		defer f.live(config)()
		time.Sleep(time.Second)
		broken := &flaky{Memory: f.table}
		ctx := testkit.Within(t, 30*time.Second)
		time.AfterFunc(5500*time.Millisecond, func() { broken.set(true) })
		time.AfterFunc(15500*time.Millisecond, func() { broken.set(false) })
		r, err := Run(ctx, Options{Live: broken, Plan: f.plan(config),
			Say:    func(l string) { f.lines = append(f.lines, l) },
			Update: func(Report) error { return nil }})
		if err != nil || r.Unread != 10 || r.Readings < 18 ||
			fmt.Sprint(f.said()) != "[The live table can't be read: broken]" {
			t.Errorf("%v %+v %q", err, r, f.said())
		}
		broken.set(true)
		if _, err := Run(ctx, Options{Live: broken, Plan: f.plan(config)}); err == nil {
			t.Error("it begins without a table")
		}
	})
}

type flaky struct {
	*ipvsctl.Memory
	mu     sync.Mutex
	broken bool
}

func (f *flaky) set(broken bool) { f.mu.Lock(); f.broken = broken; f.mu.Unlock() }

func (f *flaky) Read(ctx context.Context) (lvs.Table, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken {
		return nil, errors.New("broken")
	}
	return f.Memory.Read(ctx)
}

// The Perl ldirectord makes its checks one after the other, so the time that they take together is part of the delay
// that is normal.
func TestWhatTheTimesExplain(t *testing.T) {
	f := &farm{t: t}
	took := func(d time.Duration) view.Server {
		return view.Server{ServerResult: view.ServerResult{Last: checker.Result{Took: d}}}
	}
	now := &view.Snapshot{Virtuals: []view.Virtual{{Servers: []view.Server{took(
		4 * time.Second)}}, {Servers: []view.Server{took(time.Second), took(time.Second)}}}}
	// failurecount × (interval + timeout of connect + time of all checks) + slack
	s := &shadow{}
	s.Programs = true
	s.adopt(f.plan(config))
	testkit.Equal(t, s.explain(now)[web], 2*(5+2+6)*time.Second+slack)
	// a check that is followed takes no time here, and up to checktimeout in the live daemon
	s = &shadow{Options: Options{Say: func(string) {}}}
	text := strings.Replace(config, "connect", "external\n\tcheckcommand = /bin/true", 1)
	s.adopt(f.plan(text))
	s.adopt(f.plan(text))
	testkit.Equal(t, s.explain(now)[web], 2*(5+2+6+2*2)*time.Second+slack)
}
