package viavip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
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
	for _, row := range testkit.Table(t, "../../testdata/viavip/judge.txt", 3) {
		has := func(word string) bool { return slices.Contains(strings.Fields(row[1]), word) }
		k := Kernel{Local: has("local"), Same: has("same"), AcceptLocal: has("accept"), Strict: has("strict")}
		for _, device := range []string{"s0", "s0.7"} {
			if has(device) {
				k.Device = device
			}
		}
		void := Judge(results[row[0]], !has("lost"), has("ipv6"), k)
		if !strings.Contains(void, row[2]) || (void == "") != (row[2] == "") {
			t.Errorf("%q: %q", row, void)
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
	silent bool                   // the table does not answer
	rule   string                 // that leads packets with a mark elsewhere
	knocks int                    // connections that a check had the kernel count
	counts func(port uint16) bool // whether it does; nil: all
	others uint32                 // how many it counts of each to another port
	count  lvs.Counters           // the counters of every destination
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
	if f.counts == nil || f.counts(port) {
		f.count.Inactive++
	}
	return nil
}

func (f *fake) countNothing() { f.counts = func(uint16) bool { return false } }

// another is a connection to a port that no server has.
func (f *fake) another(to netip.AddrPort, via wire.Via) error {
	if to.Addr() != virtual || to.Port() < firstUser || via.Mark == 0 {
		return fmt.Errorf("a connection to %v with mark %#x", to, via.Mark)
	}
	f.count.Inactive += f.others
	return nil
}

func newFake(table *ipvsctl.Memory, former ...ipvsctl.PrivateService) *fake {
	f := &fake{Services: New(), table: table, rule: "a rule"}
	f.Services.knock = f.another
	f.Start(Options{
		Table: countingTable{table, f}, Former: former,
		Config: "/etc/x.cf",
		Diverts: func(context.Context, uint32, bool) (string, bool) {
			return f.rule, f.rule != "" && !strings.HasPrefix(f.rule, "perhaps")
		},
		Save: func(all []ipvsctl.PrivateService) error { f.saved = all; return f.full },
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
	testkit.Same(t, now.via, want, "the way")
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
	testkit.Equal(t, len(f.saved), 3, "written down before they are made", f.saved)
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

// A private service that was changed by hand proves nothing about its server: with weight 0 the kernel refuses the
// check, and with masq the server is checked at its own address. The service is restored. An answer from before does
// not count even then.
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
		testkit.Equal(t, f.judge(t.Context(), &now, up), "the private service was lost", what, "from before")
		testkit.Equal(t, f.use(t, gate), "", what, "after that one")
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
	testkit.Equal(t, len(next.saved), 1, "written down", next.saved)
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

var wayNames = map[checker.Way]string{checker.WayOwn: "itself", checker.WayThrough: "through", checker.WayVoid: "void"}

// said is what a result says of its server, and by which way.
func said(r checker.Result) string {
	text := fmt.Sprintf("down %s, %v", wayNames[r.Way], r.Cause)
	if r.OK {
		text = "up " + wayNames[r.Way]
	}
	if r.OwnAnswers {
		text += ", answers at its own"
	}
	if r.Report.Admin == health.Drain {
		text += ", drains"
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
	if via := wire.ViaTo(ctx, netip.AddrPortFrom(virtual, a.port)); via != nil && via.Start != nil {
		if err := via.Start(func() error { return a.connect(a.port) }); err != nil {
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
		isThrough := s.Target.Addr() == virtual
		testkit.Equal(t, s.Through == gate, isThrough, "the spec has the server")
		if isThrough {
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
		const down = "down through, timeout, answers at its own"
		testkit.Equal(t, said(c.Check(t.Context())), down, "when it is open")
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

// Two checks of one server share its service. Packets of one check prove nothing about the other.
func TestTwoChecksOfAServer(t *testing.T) {
	played(t, func(t *testing.T, f *fake) {
		passes := giving(up)
		passes.then = func() { f.count.Traffic.PacketsIn++ }
		one, two := f.checkOf(t, "127.0.0.2:80", passes, passes), f.checkOf(t, "127.0.0.2:81", passes, passes)
		one.Check(t.Context())
		two.Check(t.Context())
		f.counts = func(port uint16) bool { return port != 81 }
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
