package viavip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/protocol"
	"ldirectord/checker/wire"
	"ldirectord/internal/health"
	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
	"ldirectord/ipvsctl"
)

func TestJudge(t *testing.T) {
	ours, unjudged := checker.Result{Cause: checker.Shortage}, checker.Result{Cause: checker.Unjudged}
	for _, row := range []struct {
		r            checker.Result
		stayed, ipv6 bool
		k            Kernel
		want         string
	}{
		{up, true, false, Kernel{}, ""},
		{up, true, false, Kernel{Local: true, Strict: true}, ""},
		{up, false, false, Kernel{}, "lost"},
		{silent, false, false, Kernel{}, "lost"},
		{silent, true, false, Kernel{}, ""},
		{ours, true, false, Kernel{Strict: true}, ""},
		{unjudged, true, false, Kernel{Strict: true}, ""},
		{silent, true, false, Kernel{Local: true, Device: "s0"}, "net.ipv4.conf.s0.accept_local is 0"},
		{silent, true, false, Kernel{Local: true}, "net.ipv4.conf.all.accept_local is 0"},
		{silent, true, true, Kernel{Local: true, Device: "s0", Strict: true}, ""},
		{silent, true, false, Kernel{Local: true, AcceptLocal: true}, ""},
		{silent, true, false, Kernel{Local: true, AcceptLocal: true, Strict: true, Device: "s0"},
			"net.ipv4.conf.s0.rp_filter and net.ipv4.conf.all.rp_filter is 1"},
		{silent, true, false, Kernel{Local: true, AcceptLocal: true, Strict: true, Same: true}, ""},
		{silent, true, false, Kernel{Strict: true, Device: "s0"}, "it is not on s0"},
		{silent, true, false, Kernel{Strict: true, Same: true}, ""},
	} {
		if void := Judge(row.r, row.stayed, row.ipv6, row.k); !strings.Contains(void, row.want) ||
			(void == "") != (row.want == "") {
			t.Errorf("%+v: %q", row, void)
		}
	}
}

// In these tests the director's address is 127.0.0.1, servers have the addresses from 127.0.0.2 on, and the virtual
// address is 127.0.0.9.
var virtual = netip.MustParseAddr("127.0.0.9")

func way(server string, forward lvs.Forward) checker.Through {
	return checker.Through{Virtual: virtual, Server: netip.MustParseAddr(server), Forward: forward}
}

// gate is the way to one of the servers.
var gate = way("127.0.0.2", lvs.Route)

type fake struct {
	*Services
	table  *ipvsctl.Memory
	saved  []ipvsctl.PrivateService
	full   error
	astray bool   // packets don't come to their services
	only   uint16 // with astray: only those to this port; 0: all
	silent bool   // the table does not answer
	rule   string // that leads packets with a mark elsewhere
	knocks int    // connections that a check had the kernel count
	// what the table has of the next connection; nil: of each what astray says
	knock func() error
	count lvs.Counters // the counters of every destination
}

// countingTable is the table of a fake, with counters.
type countingTable struct {
	*ipvsctl.Memory
	f *fake
}

func (c countingTable) Services(ctx context.Context, keys ...lvs.Key) (lvs.Table, error) {
	if c.f.silent {
		<-ctx.Done()
		return nil, fmt.Errorf("connections: %w", context.Cause(ctx))
	}
	all, err := c.Memory.Services(ctx, keys...)
	for _, service := range all {
		for addr := range service.Counters {
			service.Counters[addr] = c.f.count
		}
	}
	return all, err
}

// connect makes a check's connection to a port. The kernel adds its packets to the counters later.
func (f *fake) connect(port uint16) error {
	f.knocks++
	if f.knock != nil {
		return f.knock()
	}
	if !f.astray || f.only != 0 && f.only != port {
		f.count.Inactive++
	}
	return nil
}

func newFake(table *ipvsctl.Memory, former ...ipvsctl.PrivateService) *fake {
	f := &fake{Services: New(), table: table, rule: "a rule"}
	f.Start(Options{
		Table: countingTable{table, f}, Former: former,
		Config:  "'/etc/x.cf'",
		Diverts: func(context.Context, uint32, bool) string { return f.rule },
		Save:    func(all []ipvsctl.PrivateService) error { f.saved = all; return f.full },
		Taken: func(context.Context) func(uint32) bool {
			return func(m uint32) bool { return m == ipvsctl.FirstPrivate+1 }
		},
	})
	f.machine.devices, f.machine.read = map[netip.Addr]net.Interface{netip.MustParseAddr("127.0.0.1"): {Name: "lo",
		MTU: 9000}}, time.Now().Add(24*time.Hour)
	return f
}

// alone is a fake with a table of its own.
func alone() *fake { return newFake(ipvsctl.NewMemory(nil)) }

// played is a test whose clock is fake, with such a fake.
func played(t *testing.T, test func(t *testing.T, f *fake)) {
	synctest.Test(t, func(t *testing.T) { test(t, alone()) })
}

// set makes these the ways of the file.
func (f *fake) set(t *testing.T, ways ...checker.Through) { f.Set(t.Context(), ways, nil) }

// inTable lists the private services of a table: mark, destination and the number of its method.
func inTable(t *testing.T, table *ipvsctl.Memory) string {
	t.Helper()
	all := testkit.Must(table.Read(t.Context()))(t)
	text := ""
	for _, key := range all.Keys() {
		text += fmt.Sprintf("%x", key.Mark)
		for _, d := range all[key].Dests {
			text += fmt.Sprintf(" %v %d", d.Addr, d.Forward)
		}
		text += "\n"
	}
	return text
}

// use makes a check, and returns why it is void.
func (f *fake) use(t *testing.T, w checker.Through) (void string) {
	t.Helper()
	var now passage
	if err := f.reach(t, w, &now); err != nil {
		return err.Error()
	}
	want := wire.Via{To: virtual, Mark: now.Key.Mark, Source: netip.MustParseAddr("127.0.0.1"), MSS: 1400,
		Ports: &f.ports}
	testkit.Equal(t, now.via, want, "the way")
	return f.judge(t.Context(), &now, up)
}

// reach makes a connection of a check, and has it counted if the way is doubted.
func (f *fake) reach(t *testing.T, w checker.Through, p *passage) error {
	doubted, err := f.ready(t.Context(), w, p)
	if doubted && err == nil {
		_, err = f.surely(t.Context(), p, forever, f.asked(giving(up), 0))
	}
	return err
}

// Two servers never share a mark, and no server gets a mark that a rule routes elsewhere. Without a free mark their
// checks are void, until a reload finds one.
func TestNoMarkIsFree(t *testing.T) {
	table := ipvsctl.NewMemory(nil)
	f := newFake(table)
	free := f.Taken
	f.Taken = func(context.Context) func(uint32) bool { return func(m uint32) bool { return m < 0x4c800000 } }
	ways := []checker.Through{gate, way("127.0.0.3", lvs.Route),
		way("127.0.0.4", lvs.Tunnel)}
	f.set(t, ways...)
	for _, w := range ways[:2] {
		testkit.Contains(t, f.use(t, w), "other programs use all marks from 0x4c000000 to 0x4cffffff (ip rule)",
			w)
	}
	if void := f.use(t, ways[2]); void != "" || inTable(t, table) != "4c800000 127.0.0.4:0 2\n" {
		t.Errorf("tunnels have marks of their own: %s, the table has\n%s", void, inTable(t, table))
	}
	f.Taken = free
	f.set(t, ways...)
	testkit.Equal(t, f.use(t, ways[0]), "", "after a reload")
}

func TestServicesComeAndGo(t *testing.T) {
	table := ipvsctl.NewMemory(nil)
	// a service of another daemon
	table.Do(t.Context(), lvs.Op{Kind: lvs.AddService, Key: lvs.Key{Mark: ipvsctl.FirstPrivate + 2},
		Settings: ipvsctl.Private})
	f := newFake(table)
	tunnel, other := way("127.0.0.2", lvs.Tunnel), way("127.0.0.3", lvs.Route)
	expect := func(when, want string) {
		t.Helper()
		testkit.Equal(t, inTable(t, table), "4c000002\n"+want, when, "the table")
	}
	f.Set(t.Context(), []checker.Through{gate, tunnel, other}, []lvs.Key{{Mark: ipvsctl.FirstPrivate + 3}})
	if len(f.saved) != 3 {
		t.Errorf("written down before they are made: %v", f.saved)
	}
	expect("nobody checks yet", "")
	for _, w := range []checker.Through{gate, tunnel, other} {
		testkit.Equal(t, f.use(t, w), "", w)
	}
	// mark 1 is used by a rule, 2 by another daemon, 3 by the file; tunnels use the other half of the marks
	testkit.Equal(t, inTable(t, table),
		"4c000000 127.0.0.2:0 3\n4c000002\n4c000004 127.0.0.3:0 3\n4c800000 127.0.0.2:0 2\n",
		"all were checked: the table")
	f.Close(t.Context())
	expect("at the end", "")
}

// Two daemons, or a daemon and a probe, may check the same server. They use different private services.
func TestNobodySharesAService(t *testing.T) {
	table := ipvsctl.NewMemory(nil)
	one, two := newFake(table), newFake(table)
	for _, f := range []*fake{one, two} {
		f.set(t, gate)
		f.use(t, gate)
	}
	testkit.Equal(t, inTable(t, table), "4c000000 127.0.0.2:0 3\n4c000002 127.0.0.2:0 3\n", "the table")
	two.Close(t.Context())
	testkit.Equal(t, one.use(t, gate), "", "when the other one has ended")
}

func TestAServiceThatIsLost(t *testing.T) {
	f := alone()
	f.set(t, gate)
	var before passage
	f.reach(t, gate, &before)
	f.table.Do(t.Context(), lvs.Op{Kind: lvs.DelService, Key: before.Key})
	if void := f.use(t, gate); void == "" {
		t.Error("lost, and it counts")
	}
	testkit.Equal(t, f.use(t, gate), "", "made again")
	if void := f.judge(t.Context(), &before, up); void == "" {
		t.Error("an answer from before the service was made again counts")
	}
	testkit.Equal(t, f.use(t, gate), "", "after that one")
}

// A private service that was changed by hand proves nothing about its server: with weight 0 the kernel refuses the
// check, and with masq the server is checked at its own address. The service is restored.
func TestAServiceThatIsChanged(t *testing.T) {
	for what, change := range map[string]func(*lvs.Dest){
		"no weight":      func(d *lvs.Dest) { d.Weight = 0 },
		"another method": func(d *lvs.Dest) { d.Forward = lvs.Masq },
		"a threshold":    func(d *lvs.Dest) { d.Upper = 1 },
	} {
		f := alone()
		f.set(t, gate)
		var now passage
		f.reach(t, gate, &now)
		changed := now.Dest
		change(&changed)
		testkit.OK(t, f.table.Do(t.Context(),
			lvs.Op{Kind: lvs.EditDest, Key: now.Key, Dest: changed})[0])
		testkit.Equal(t, f.judge(t.Context(), &now,
			checker.Result{Cause: checker.Refused}), "the private service was lost", what,
			"a failure counts")
		testkit.Equal(t, f.use(t, gate), "", what, "afterwards")
		table, _ := f.table.Services(t.Context(), now.Key)
		if dest, _ := table[now.Key].Dests.At(now.Dest.Addr); dest != now.Dest {
			t.Errorf("%s: the table has %v", what, table)
		}
	}
}

func TestTheNextDaemon(t *testing.T) {
	table := ipvsctl.NewMemory(nil)
	f := newFake(table)
	a, b, c := gate, way("127.0.0.3", lvs.Route), way("127.0.0.4", lvs.Route)
	f.set(t, a, b, c)
	for _, w := range []checker.Through{a, b, c} {
		f.use(t, w)
	}
	former := f.saved
	for _, p := range former { // the mark of one of them belongs to another daemon now
		if p.Dest.Addr.Addr() == c.Server {
			table.Do(t.Context(), lvs.Op{Kind: lvs.DelDest, Key: p.Key, Dest: p.Dest},
				lvs.Op{Kind: lvs.AddDest, Key: p.Key,
					Dest: lvs.Dest{Addr: netip.MustParseAddrPort("127.0.0.99:0"), Weight: 1}})
		}
	}
	next := newFake(table, former...)
	next.set(t, b)
	testkit.Equal(t, next.use(t, b), "", "adopted")
	testkit.Equal(t, inTable(t, table), "4c000002 127.0.0.3:0 3\n4c000003 127.0.0.99:0 0\n", "the table")
	if len(next.saved) != 1 {
		t.Errorf("written down: %v", next.saved)
	}
	next.Close(t.Context())
	if got, want := inTable(t, table), "4c000003 127.0.0.99:0 0\n"; got != want || len(next.saved) != 0 {
		t.Errorf("at the end the table has\n%swant\n%s; written down is %v", got, want, next.saved)
	}
}

func TestAServiceThatIsNotWantedAnyMore(t *testing.T) {
	f := alone()
	f.set(t, gate)
	var last passage
	f.ready(t.Context(), gate, &last)
	f.set(t)
	if got := inTable(t, f.table); got != "" || len(f.saved) != 0 {
		t.Errorf("the table has %s, written down is %v", got, f.saved)
	}
	if void := f.judge(t.Context(), &last, up); void == "" {
		t.Error("an answer that came without the service counts")
	}
	if f.reach(t, gate, &passage{}) == nil {
		t.Error("it is made again")
	}
}

func TestNothingIsMadeThatIsNotWrittenDown(t *testing.T) {
	f := alone()
	f.full = errors.New("no space left")
	f.set(t, gate)
	testkit.Equal(t, f.use(t, gate), "no space left")
	testkit.Equal(t, inTable(t, f.table), "", "the table")
}

// What checks return.
var (
	up      = checker.Result{OK: true}
	refused = checker.Result{Detail: "connect: refused", Cause: checker.Refused}
	silent  = checker.Result{Detail: "connect: no answer in 5s", Cause: checker.Timeout, Took: 5 * time.Second}
)

// late is a success after some seconds.
func late(seconds time.Duration) checker.Result {
	return checker.Result{OK: true, Took: seconds * time.Second}
}

var wayNames = map[checker.Way]string{checker.WayOwn: "itself", checker.WayThrough: "through", checker.WayVoid: "void"}

// said is what a result says of its server, and by which way.
func said(r checker.Result) string {
	text := "down " + wayNames[r.Way]
	if r.OK {
		text = "up " + wayNames[r.Way]
	}
	if r.Cause == checker.Unjudged {
		text += ", unjudged"
	}
	if r.OwnAnswers {
		text += ", answers at its own"
	}
	return text
}

// giving is a checker that returns these results.
func giving(list ...checker.Result) *answers { return &answers{list: list} }

// answers is a checker of one address. It returns the results of a list one after the other, and repeats the last.
// Each check takes as long as its result says.
type answers struct {
	list    []checker.Result
	then    func()                  // called during each check
	connect func(port uint16) error // called for each connection that is counted
	port    uint16
	asked   int // by how many connections that were not refused
}

func (a *answers) Check(ctx context.Context) checker.Result {
	if via := wire.ViaTo(ctx, netip.AddrPortFrom(virtual, a.port)); via != nil && via.Starter != nil {
		if err := via.Starter.Start(func() error { return a.connect(a.port) }); err != nil {
			return checker.Result{Cause: checker.Shortage, Detail: err.Error()}
		}
	}
	r := a.list[min(a.asked, len(a.list)-1)]
	a.asked++
	if a.then != nil {
		a.then()
	}
	select {
	case <-time.After(r.Took):
		return r
	case <-ctx.Done():
		return checker.Result{Cause: checker.Shortage, Detail: "stopped"}
	}
}

func TestCheck(t *testing.T) {
	up := checker.Result{OK: true, Detail: "200 OK"}
	drains := checker.Result{OK: true, Report: health.Report{Admin: health.Drain}}
	wrong := checker.Result{Detail: "500 Oops", Cause: checker.Answer}
	const isOn = "; at 127.0.0.2 it answers: is 127.0.0.9 on it? ldirectord '/etc/x.cf' realserver-script 127.0.0.2"
	for _, row := range []struct {
		name         string
		through, own checker.Result
		want         checker.Result
		took         time.Duration
		asked        int // how often the server's own address was checked
	}{
		{"up", up, silent, checker.Result{OK: true, Detail: "200 OK"}, 0, 0},
		{"up, and told", drains, silent, drains, 0, 0},
		{"slow", late(3), silent, checker.Result{OK: true}, 3 * time.Second, 0},
		{"without the virtual address", silent, up, checker.Result{OwnAnswers: true, Cause: checker.Timeout,
			Detail: "through 127.0.0.9: connect: no answer in 5s" + isOn}, 5 * time.Second, 1},
		{"without it, and slow", silent, checker.Result{OK: true, Took: 900 * time.Millisecond},
			checker.Result{OwnAnswers: true, Cause: checker.Timeout,
				Detail: "through 127.0.0.9: connect: no answer in 5s" + isOn}, 5900 * time.Millisecond,
			1},
		{"bound to its own address", refused, up, checker.Result{OwnAnswers: true, Cause: checker.Refused,
			Detail: "through 127.0.0.9: connect: refused" + isOn}, 0, 1},
		{"wrong page", wrong, up, checker.Result{OwnAnswers: true, Cause: checker.Answer,
			Detail: "through 127.0.0.9: 500 Oops; at 127.0.0.2 it answers as expected"}, 0, 1},
		{"wrong pages", wrong, wrong,
			checker.Result{Cause: checker.Answer, Detail: "500 Oops; through 127.0.0.9: 500 Oops"}, 0, 1},
		{"dead", silent, silent, checker.Result{Cause: checker.Timeout,
			Detail: "through 127.0.0.9: connect: no answer in 5s"}, 6 * time.Second, 1},
		{"refused, then silent", refused, silent, checker.Result{Cause: checker.Refused,
			Detail: "connect: no answer in 5s; through 127.0.0.9: connect: refused"}, 5 * time.Second, 1},
		{"our own shortage", checker.Result{Cause: checker.Shortage}, up,
			checker.Result{Cause: checker.Shortage}, 0, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			played(t, func(t *testing.T, f *fake) {
				through, own := giving(row.through), giving(row.own)
				c := f.check(t, through, own)
				began := time.Now()
				got := c.Check(t.Context())
				got.Took = 0
				row.want.Way = checker.WayThrough
				if got != row.want || time.Since(began) != row.took || own.asked != row.asked {
					t.Errorf("after %v, own address asked %d times: %+v\nwant after %v, %d: %+v",
						time.Since(began), own.asked, got, row.took, row.asked, row.want)
				}
			})
		})
	}
}

func (f *fake) check(t *testing.T, through, own checker.Checker) checker.Checker {
	t.Helper()
	return f.checkOf(t, "127.0.0.2:80", through, own)
}

func (f *fake) checkOf(t *testing.T, target string, through, own checker.Checker) checker.Checker {
	t.Helper()
	spec := checker.Spec{Type: "connect", Timeout: 5 * time.Second, Through: gate}
	spec.Target = netip.MustParseAddrPort(target)
	if a, ok := through.(*answers); ok {
		through = f.asked(a, spec.Target.Port())
	}
	f.set(t, spec.Through)
	return testkit.Must(f.New(spec, func(s checker.Spec) (checker.Checker, error) {
		if s.Target.Addr() == virtual {
			return through, nil
		}
		return own, nil
	}))(t)
}

// asked is a checker whose connections a fake counts.
func (f *fake) asked(a *answers, port uint16) *answers {
	a.connect, a.port = f.connect, port
	return a
}

// When the table is flushed during each check, no server goes up or down because of this.
func TestAnswersWithoutTheService(t *testing.T) {
	played(t, func(t *testing.T, f *fake) {
		flush := func() {
			all, _ := f.table.Read(t.Context())
			for key := range all {
				f.table.Do(t.Context(), lvs.Op{Kind: lvs.DelService, Key: key})
			}
		}
		through, own := giving(up),
			giving(checker.Result{OK: true, Warning: "ends soon"})
		c := f.check(t, through, own)
		through.then = func() {
			if through.asked == 1 {
				flush()
			}
		}
		testkit.Equal(t, said(c.Check(t.Context())), "up through", "flushed once")
		testkit.Equal(t, [2]int{through.asked, own.asked}, [2]int{2, 0}, "flushed once, asked")
		through.then = flush
		want := checker.Result{OK: true, Way: checker.WayVoid,
			Warning: "not checked through 127.0.0.9: the private service was lost; ends soon"}
		for range 2 {
			testkit.Equal(t, c.Check(t.Context()), want, "flushed always")
		}
		through.then, through.list = nil, []checker.Result{refused}
		c.Check(t.Context()) // the first failure after a loss is ignored
		testkit.Equal(t, said(c.Check(t.Context())), "down through, answers at its own")
		through.then = flush
		want = checker.Result{Cause: checker.Unjudged, Way: checker.WayVoid,
			Detail: "not checked through 127.0.0.9: the private service was lost"}
		testkit.Equal(t, c.Check(t.Context()), want, "a server that is down, flushed")
		own.list = []checker.Result{refused}
		testkit.Equal(t, said(c.Check(t.Context())), "down void", "its own address fails, too")
		through.then = nil
		c.Check(t.Context())
		testkit.Equal(t, said(c.Check(t.Context())), "down through", "at both")
		through.then, own.list = flush, []checker.Result{{OK: true}}
		testkit.Equal(t, c.Check(t.Context()), want, "it answers at its own address, flushed")
		own.list = []checker.Result{refused}
		f.Close(t.Context())
		testkit.Equal(t, c.Check(t.Context()), refused, "after the end")
	})
}

// While the table does not answer, a server that did not pass yet stays out, although its own address answers.
func TestNoServerComesInWhileTheTableIsSilent(t *testing.T) {
	played(t, func(t *testing.T, f *fake) {
		c := f.check(t, giving(up), giving(up))
		f.silent = true
		const void = "not checked through 127.0.0.9: the table does not answer"
		testkit.Equal(t, c.Check(t.Context()),
			checker.Result{Cause: checker.Unjudged, Way: checker.WayVoid, Detail: void},
			"before its first success")
		f.silent = false
		c.Check(t.Context())
		f.silent = true
		if r := c.Check(t.Context()); !r.OK || r.Warning != void {
			t.Errorf("after it: %+v", r)
		}
	})
}

// Where no rule leads connections elsewhere, one to another port shows whether it is their source ports. While these
// are scarce, a server that did not pass yet stays out.
func TestSourcePortsAreScarce(t *testing.T) {
	for _, row := range []struct {
		what    string
		rule    string
		counted bool // a connection to another port
		waits   bool
		why     string
	}{
		{"a rule", "a rule", true, false, wire.Astray + ": a rule"},
		{"no rule, and nothing is counted", "", false, false,
			wire.Astray + ": no rule was found that would do that (iptables, nft, ip rule)"},
		{"another port is counted", "", true, true, errScarce.Error()},
	} {
		t.Run(row.what, func(t *testing.T) {
			played(t, func(t *testing.T, f *fake) {
				f.astray, f.rule = true, row.rule
				f.Services.knock = func(to netip.AddrPort, via wire.Via) error {
					if to.Addr() != virtual || to.Port() < firstUser || via.Mark == 0 {
						t.Errorf("a connection to %v with mark %#x", to, via.Mark)
					}
					if row.counted {
						f.count.Inactive++
					}
					return nil
				}
				c := f.check(t, giving(up), giving(up))
				why := "not checked through 127.0.0.9: " + row.why
				r := c.Check(t.Context())
				if waits := r.Cause == checker.Unjudged; waits != row.waits || r.OK == row.waits ||
					r.Detail+r.Warning != why {
					t.Errorf("before its first success: %+v", r)
				}
				f.astray = false
				time.Sleep(wayRenewed)
				c.Check(t.Context())
				f.astray = true
				time.Sleep(summedUp + 1)
				if r := c.Check(t.Context()); !r.OK || r.Warning != why {
					t.Errorf("after it: %+v", r)
				}
			})
		})
	}
}

// While source ports are scarce each check makes two connections. A server that is back comes in with the first that is
// counted, not a minute later.
func TestSourcePortsAreFreeAgain(t *testing.T) {
	played(t, func(t *testing.T, f *fake) {
		f.Services.knock = func(netip.AddrPort, wire.Via) error { f.count.Inactive++; return nil }
		c := f.check(t, giving(up), giving(up))
		f.astray, f.rule = true, ""
		// the first one is made again at once
		for _, want := range []int{maxTries + fewTries, fewTries, fewTries} {
			before := f.knocks
			testkit.Equal(t, said(c.Check(t.Context())), "down void, unjudged")
			testkit.Equal(t, f.knocks-before, want, "connections")
			time.Sleep(time.Second)
		}
		f.astray = false
		testkit.Equal(t, said(c.Check(t.Context())), "up through", "with free ports")
	})
}

// A check that began while no answer could come back is void, even if an answer could have come at its end.
func TestTheWayIsOpenedMeanwhile(t *testing.T) {
	if sysctl("all", "accept_local") != "0" || sysctl("lo", "accept_local") != "0" {
		t.Skip("accept_local is set here")
	}
	played(t, func(t *testing.T, f *fake) {
		c := f.check(t, giving(silent), giving(up))
		f.machine.devices[virtual] = net.Interface{Name: "lo"} // packets from an own address are dropped
		testkit.Equal(t, said(c.Check(t.Context())), "up void", "while the way is closed")
		delete(f.machine.devices, virtual)
		testkit.Equal(t, said(c.Check(t.Context())), "up void", "as it is opened")
		testkit.Equal(t, said(c.Check(t.Context())), "down through, answers at its own", "when it is open")
	})
}

// When check warns that a check always fails, it also does so for the same check through the virtual address.
func TestACheckThatIsLeftOutIsKnown(t *testing.T) {
	build := func(s checker.Spec) (checker.Checker, error) { return protocol.New(s, &protocol.Env{}) }
	spec := checker.Spec{Type: "negotiate", Service: "oracle", Target: netip.MustParseAddrPort("127.0.0.2:1521"),
		Through: checker.Through{Virtual: netip.MustParseAddr("127.0.0.9")}}
	own := testkit.Must(build(spec))(t)
	c, err := New().New(spec, build)
	if err != nil || (checker.Idle(c) == nil) != (checker.Idle(own) == nil) {
		t.Errorf("%v; its own check: %v, through the virtual address: %v", err, checker.Idle(own),
			checker.Idle(c))
	}
}

// Other rules may change the marks of checks. A check whose packets don't come to its service is void, and is not
// made: no server goes up or down because of it. This is noticed at once when a check fails, or passes after a
// failure, and for other checks when no packets come to the service.
func TestAWayThatLeadsElsewhere(t *testing.T) {
	played(t, func(t *testing.T, f *fake) {
		down := checker.Result{Cause: checker.Timeout}
		through, own := giving(up), giving(up)
		c := f.check(t, through, own)
		ask := func(when string, counts bool, want checker.Result) {
			t.Helper()
			time.Sleep(3 * time.Second)
			r := c.Check(t.Context())
			void := r.Warning + r.Detail
			const why = "not checked through 127.0.0.9: " + wire.Astray + ": a rule"
			if r.OK != want.OK || (r.Way == checker.WayThrough) != counts || !counts && void != why {
				t.Errorf("%s: %+v", when, r)
			}
		}
		passes := func() { f.count.Traffic.PacketsIn++ }
		through.then = passes
		ask("first", true, up)
		for range 9 {
			ask("up", true, up)
		}
		if f.knocks > 2 {
			t.Errorf("%d packets more than checks need", f.knocks)
		}

		f.astray, through.then, through.list = true, nil, []checker.Result{down}
		ask("a healthy server seems to fail", false, up)
		asked, knocks := through.asked, f.knocks
		for range 10 {
			ask("later", false, up)
		}
		if through.asked != asked || f.knocks > knocks {
			t.Errorf("checks were sent elsewhere, %d, and %d packets", through.asked-asked, f.knocks-knocks)
		}
		f.astray, through.then = false, passes
		time.Sleep(wayRenewed)
		ask("without the rule a server that lacks the address is out", true, down)

		f.astray, through.then, through.list = true, nil, []checker.Result{up}
		ask("it seems to pass", false, checker.Result{})
		f.astray, through.then = false, passes
		time.Sleep(wayRenewed)
		ask("without the rule it is back", true, up)

		f.astray, through.then = true, nil
		for i := 0; ; i++ {
			if r := c.Check(t.Context()); r.Way == checker.WayVoid {
				break
			}
			if i > 3 {
				t.Fatal("checks that pass elsewhere count")
			}
			time.Sleep(3 * time.Second)
		}
		own.list = []checker.Result{down}
		if r := c.Check(t.Context()); r.OK || !r.Conclusive() {
			t.Errorf("a server that dies meanwhile: %+v", r)
		}
	})
}

// A connection that ends while another one begins does not make a result count.
func TestAConnectionThatEnds(t *testing.T) { synctest.Test(t, aConnectionThatEnds) }

func aConnectionThatEnds(t *testing.T) {
	f := alone()
	f.set(t, gate)
	f.knock = func() error {
		if f.knocks > 1 {
			f.count.Active++
		}
		return nil
	}
	if void := f.use(t, gate); void != "" || f.knocks != 2 {
		t.Errorf("%q after %d", void, f.knocks)
	}
}

// A first connection that is counted late does not make a server count as up by its own address.
func TestAConnectionThatIsCountedLate(t *testing.T) {
	played(t, func(t *testing.T, f *fake) {
		down := checker.Result{Cause: checker.Timeout}
		c := f.check(t, giving(down), giving(up))
		began := time.Now()
		f.knock = func() error {
			if time.Since(began) >= countedBy {
				f.count.Inactive++
			}
			return nil
		}
		testkit.Equal(t, said(c.Check(t.Context())), "down through, answers at its own")
		testkit.Equal(t, f.knocks, maxTries, "connections")
	})
}

// Two checks of one server share its service. Packets of one check prove nothing about the other.
func TestTwoChecksOfAServer(t *testing.T) {
	played(t, func(t *testing.T, f *fake) {
		passes := giving(up)
		passes.then = func() { f.count.Traffic.PacketsIn++ }
		one, two := f.checkOf(t, "127.0.0.2:80", passes, passes), f.checkOf(t, "127.0.0.2:81", passes, passes)
		one.Check(t.Context())
		two.Check(t.Context())
		f.astray, f.only = true, 81
		for began := time.Now(); two.Check(t.Context()).Way == checker.WayThrough; time.Sleep(2 * time.Second) {
			if one.Check(t.Context()).Way != checker.WayThrough {
				t.Fatal("the one that comes to its service is void")
			}
			if time.Since(began) > eachRenewed+3*time.Second {
				t.Fatal("the one that does not come to it counts")
			}
		}
	})
}
