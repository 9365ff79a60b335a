package director

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/icmp"
	"ldirectord/checker/protocol"
	"ldirectord/checker/settings"
	"ldirectord/checker/wire"
	"ldirectord/internal/core"
	"ldirectord/internal/health"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/maintenance"
	"ldirectord/internal/notify"
	"ldirectord/internal/orders"
	"ldirectord/internal/plan"
	known "ldirectord/internal/resolve"
	"ldirectord/internal/testkit"
	"ldirectord/internal/view"
	"ldirectord/ipvsctl"
	"ldirectord/parser"
)

// A scenario is a file of steps. After each step are its results: operations on the table in the syntax of ipvsadm, log
// lines after "log:", hooks after "hook:". The steps are
//
//	config NAME      followed by the configuration, each line after "| "
//	table            followed, in the same way, by the table found at the start
//	start NAME       start the director; start NAME standby: start it as a standby
//	standby, serve   the order to become a standby, and to serve
//	begin-standby    the order to become a standby, without waiting for its results
//	reload NAME      load another configuration; begin-reload NAME: without waiting for its results
//	list NAME        load another configuration, which differs in the servers of lists
//	name HOST ADDRESS…  a host name gets an address, and a running director gets it too; a name has none before
//	lost HOST           the name server no longer knows the name
//	stop, handover   end the director
//	up, down ADDR:PORT…   the results of the checks of these servers from now on
//	through ADDR:PORT…  the checks fail only through the virtual address, with checkvip
//	void ADDR:PORT…  the path through the virtual address can't be judged; the servers' own addresses answer
//	no-route         without a local route to a virtual address the path through it is void
//	wrong ADDR:PORT…  the servers can be connected to, and answer wrongly
//	short ADDR:PORT  the checks fail because this machine lacks resources
//	no-pings         this machine doesn't let the daemon send pings
//	tell ADDR:PORT LINE  the answer to the checks there, in the words of an agent
//	certificate NAME DAYS ADDR:PORT…  the checks there see this certificate, which ends in DAYS
//	shows TEXT ADDR:PORT…  same finds this text in the answers to the checks there
//	takes DURATION ADDR:PORT…  how much longer the checks there take
//	hang ADDR:PORT   the checks there take 20 seconds
//	silent ADDR:PORT the checks there get no answer in their negotiatetimeout
//	unjudged ADDR:PORT  the answers can't be judged
//	hand OP          change the table by hand, with an operation as in the results
//	hooks DURATION   how long commands take from now on; only the ends of those that are waited for are results
//	drain VIRTUAL REAL, undrain   the operator's order, which replaces all others; the next daemon doesn't find it
//	order VIRTUAL REAL ORDER [for DURATION] [why TEXT]   one more order; ORDER is drain, maint, weight N, or
//	                 ready to end it; with - as REAL, ORDER is obey
//	obey ID…         the order to obey in these virtual services and no others; the next daemon doesn't find it
//	maintain NAME, unmaintain NAME   add or remove a file in MAINTENANCE, the folder of the configuration
//	break, fix       the table refuses every change, or accepts them again; `break marks`: so do the mark rules;
//	                 `break devices`: no address can be changed
//	late DURATION how long the table takes from now on, for each operation and reading. What it does is done first
//	carry ADDR:PORT ACTIVE INACTIVE PERSISTENT   the connections of a server from now on
//	traffic ADDR:PORT CONNECTIONS IN OUT         more new connections of a server, and packets of its clients
//	crash            end the director as kill -9 does: it records nothing any more
//	stall ADDR:PORT  a check of the server fails while this machine stands still
//	ends ADDR:PORT…  the idle connections to these servers end, see watch
//	gives-up ADDR:PORT  the connection there can't be kept
//	why VIRTUAL REAL the history of a server
//	device NAME up|down   the state of a device on which addresses are announced
//	devices DURATION how long a change of all devices takes from now on
//	withdraw ADDRESS…, announce ADDRESS…   the operator's order; * for every address
//	machine [KIND TROUBLE TEXT]   what a look at this machine finds: one condition, or nothing
//	marks DURATION   how much longer a change of the mark rules takes from now on
//	damage TEXT      change the mark rules by hand
//	wait DURATION
//
// uses reports whether a scenario has one of these directives, separated by |.
func uses(scenario, directives string) bool {
	return directives != "" && regexp.MustCompile(`(?m)[|;]\s*(`+directives+`)\b|gate.*; `+
		`*(`+directives+`)`).MatchString(scenario)
}

func TestMain(m *testing.M) {
	time.Local = time.UTC // scenarios show when orders end
	os.Exit(m.Run())
}

func TestScenarios(t *testing.T) {
	for _, file := range testkit.Files(t, "../../testdata/scenario/*.txt") {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text := testkit.Read(t, file)
			if uses(text, os.Getenv("WITHOUT")) {
				t.Skip("it uses a directive that testdata/deletion took away")
			}
			var got string
			folder := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				s := newScenario(t)
				s.folder = folder
				got = s.play(text)
			})
			testkit.Golden(t, file, got)
		})
	}
}

type scenario struct {
	t        *testing.T
	configs  map[string]string
	folder   string // maintenancedir
	orders   orders.All
	running  string                  // the name of the configuration
	names    map[string]netip.Addr   // of hosts
	current  *plan.Plan              // the last one that the director got
	past     map[string][]netip.Addr // addresses of the names when the file was last read, and earlier ones
	table    *recorder
	marks    *markRecorder
	devices  *devices
	watches  *idle
	hookTime time.Duration
	noPings  atomic.Bool
	noRoute  atomic.Bool
	director *Director
	journal  *notify.Journal
	end      context.CancelCauseFunc
	ended    chan error

	mu         sync.Mutex
	done       []string // operations and hooks since the last step
	said       []string // log lines since the last step
	health     map[netip.AddrPort]checker.Result
	dead       bool           // the daemon was killed
	departures []judge.Record // for the next daemon
	moving     []judge.Record // for the next daemon
}

func newScenario(t *testing.T) *scenario {
	s := &scenario{t: t, configs: map[string]string{}, names: map[string]netip.Addr{},
		past: map[string][]netip.Addr{}, health: map[netip.AddrPort]checker.Result{}}
	s.table = &recorder{Memory: ipvsctl.NewMemory(nil), s: s, carries: map[netip.AddrPort]lvs.Counters{}}
	s.marks = &markRecorder{s: s}
	s.devices = newDevices(s.say)
	return s
}

// play runs the steps of a scenario and returns its text with what really happened.
func (s *scenario) play(text string) string {
	var out strings.Builder
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if strings.HasPrefix(line, "> ") {
			continue
		}
		out.WriteString(line)
		if i < len(lines)-1 {
			out.WriteString("\n")
		}
		if line == "" || line[0] == '#' || line[0] == '|' {
			continue
		}
		var body []string
		for k := i + 1; k < len(lines) && strings.HasPrefix(lines[k], "|"); k++ {
			body = append(body, strings.TrimPrefix(strings.TrimPrefix(lines[k], "|"), " "))
		}
		s.step(strings.Fields(line), strings.Join(body, "\n")+"\n")
		time.Sleep(20 * time.Millisecond) // for checks that the step began
		synctest.Wait()
		for _, said := range s.take() {
			fmt.Fprintf(&out, "> %s\n", said)
		}
	}
	if s.end != nil {
		s.stop(ErrHandover)
	}
	time.Sleep(time.Second) // checks in flight end
	return out.String()
}

func (s *scenario) step(words []string, body string) {
	s.t.Helper()
	ctx := s.t.Context()
	switch words[0] {
	case "config":
		s.configs[words[1]] = body
	case "table":
		for op := range strings.SplitSeq(strings.TrimSpace(body), "\n") {
			s.hand(strings.Fields(op))
		}
	case "start":
		s.start(words[1], len(words) > 2)
	case "reload", "begin-reload":
		s.running = words[1]
		p := s.waitingPlan(words[1], false)
		if words[0] == "reload" {
			testkit.OK(s.t, s.director.Reload(ctx, p, false))
			break
		}
		go func() {
			if err := s.director.Reload(ctx, p, false); err != nil {
				s.t.Error(err)
			}
		}()
	case "list":
		s.running = words[1]
		testkit.OK(s.t, s.director.Reload(ctx, s.waitingPlan(words[1], false), true))
	case "name":
		for pair := range slices.Chunk(words[1:], 2) {
			s.names[pair[0]] = netip.MustParseAddr(pair[1])
		}
		if s.running == "" {
			break
		}
		testkit.OK(s.t, s.director.Reload(ctx, s.waitingPlan(s.running, true), true))
	case "lost":
		delete(s.names, words[1])
	case "stop":
		s.stop(nil)
	case "handover":
		s.stop(ErrHandover)
	case "crash":
		s.mu.Lock()
		s.dead = true
		s.mu.Unlock()
		s.stop(ErrHandover)
	case "tell":
		line := strings.Join(words[2:], " ")
		reported, _ := health.ReadAgent(line)
		s.show(words[1:2], func(r *checker.Result) {
			*r = checker.Result{OK: reported.State != health.Down, Report: reported, Cause: checker.Answer,
				Stage: wire.AtMatch, Detail: fmt.Sprintf("says %q", line)}
		})
	case "certificate":
		// the same all day
		ends := time.Now().Truncate(24 * time.Hour).Add(s.duration(words[2]+"h") * 24).Unix()
		s.show(words[3:], func(r *checker.Result) {
			r.Cert, r.CertEnd = crc32.ChecksumIEEE([]byte(words[1])), ends
		})
	case "takes":
		took := s.duration(words[1])
		s.show(words[2:], func(r *checker.Result) { r.Took = took })
	case "shows":
		s.show(words[2:], func(r *checker.Result) { r.Shows = words[1] })
	case "up", "down", "wrong", "short", "hang", "silent", "unjudged", "through", "void":
		s.show(words[1:], func(r *checker.Result) { *r = conditions[words[0]] })
	case "no-pings":
		s.noPings.Store(true)
	case "no-route":
		s.noRoute.Store(true)
	case "hand":
		s.hand(words[1:])
	case "standby", "serve":
		testkit.OK(s.t, s.director.SetStandby(ctx, words[0] == "standby"))
	case "begin-standby":
		go s.director.SetStandby(ctx, true)
	case "obey":
		s.obey(words[1:])
	case "drain":
		s.director.Order(ctx, orders.All{{Virtual: words[1], Real: words[2]}: {Kind: orders.Drain}}, nil)
	case "undrain":
		s.director.Order(ctx, nil, nil)
	case "order":
		s.order(words[1:])
	case "maintain":
		testkit.Write(s.t, filepath.Join(s.folder, words[1]), "")
	case "unmaintain":
		testkit.OK(s.t, os.Remove(filepath.Join(s.folder, words[1])))
	case "break", "fix":
		broken := &s.table.broken
		switch {
		case len(words) > 1 && words[1] == "devices":
			broken = &s.devices.broken
		case len(words) > 1:
			broken = &s.marks.broken
		}
		broken.Store(words[0] == "break")
	case "late":
		s.table.late.Store(int64(s.duration(words[1])))
	case "hooks":
		s.hookTime = s.duration(words[1])
	case "carry", "traffic": // traffic: new connections, packets in, packets out
		s.mu.Lock()
		addr := netip.MustParseAddrPort(words[1])
		c := s.table.carries[addr]
		if words[0] == "carry" {
			c = lvs.Counters{}
			fmt.Sscan(strings.Join(words[2:], " "), &c.Active, &c.Inactive, &c.Persistent)
		} else {
			var more lvs.Traffic
			fmt.Sscan(strings.Join(words[2:], " "), &more.Connections, &more.PacketsIn, &more.PacketsOut)
			c.Traffic.Connections += more.Connections
			c.Traffic.PacketsIn += more.PacketsIn
			c.Traffic.PacketsOut += more.PacketsOut
		}
		s.table.carries[addr] = c
		s.mu.Unlock()
	case "stall":
		s.stall(netip.MustParseAddrPort(words[1]))
	case "ends":
		for _, a := range words[1:] {
			s.watches.end(netip.MustParseAddrPort(a))
		}
	case "gives-up":
		s.watches.giveUp(netip.MustParseAddrPort(words[1]))
	case "why":
		now := testkit.Must(s.director.Why(ctx, words[1], words[2]))(s.t)
		for _, line := range remembered(now) {
			s.say(line)
		}
	case "device":
		s.devices.down[words[1]] = words[2] == "down"
		s.devices.changed <- struct{}{}
	case "devices":
		s.devices.slow = s.duration(words[1])
	case "machine":
		var found []view.Condition
		if len(words) > 1 {
			found = []view.Condition{{Kind: words[1], Text: strings.Join(words[3:], " ")}}
			_ = found[0].Trouble.UnmarshalText([]byte(words[2])) // never fails
		}
		testkit.OK(s.t, s.director.Looked(ctx, found))
	case "marks":
		s.marks.slow = s.duration(words[1])
	case "withdraw", "announce":
		for _, addr := range words[1:] {
			kind := map[string]string{"withdraw": "withdraw", "announce": "ready"}[words[0]]
			s.order([]string{addr, "-", kind})
		}
	case "damage":
		s.marks.damage(strings.Join(words[1:], " "))
	case "wait":
		time.Sleep(s.duration(words[1]))
	default:
		s.t.Fatalf("unknown step %q", words)
	}
}

// show changes what the checks of servers see of them.
func (s *scenario) show(addrs []string, change func(*checker.Result)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, addr := range addrs {
		a := netip.MustParseAddrPort(addr)
		r, known := s.health[a]
		r.OK = r.OK || !known
		change(&r)
		s.health[a] = r
	}
}

func (s *scenario) order(words []string) {
	s.t.Helper()
	o := orders.Order{Kind: orders.Kind(words[2]), Since: atSecond(0)}
	for i := 3; i < len(words); i++ {
		switch {
		case words[i] == "for":
			o.Until = atSecond(s.duration(words[i+1]))
		case words[i] == "why":
			o.Why = strings.Join(words[i+1:], " ")
			i = len(words)
		case o.Kind == orders.Weigh && o.Weight == 0:
			fmt.Sscan(words[i], &o.Weight)
		}
	}
	was := s.orders
	s.orders = orders.All{} // the director has the former ones
	maps.Copy(s.orders, was)
	at := lvs.Backend{Virtual: words[0], Real: strings.Trim(words[1], "-")}
	var ready orders.All
	if s.orders[at] = o; o.Kind == orders.Ready {
		delete(s.orders, at)
		ready = orders.All{at: o}
	}
	if s.running == "" {
		return
	}
	testkit.OK(s.t, s.director.Order(s.t.Context(), s.orders, ready))
}

// atSecond is the last second before a time from now.
func atSecond(in time.Duration) time.Time { return time.Unix(time.Now().Add(in).Unix(), 0).UTC() }

// obey gives orders to obey, in addition to the others. The next daemon finds none of them.
func (s *scenario) obey(ids []string) {
	all := orders.All{}
	maps.Copy(all, s.orders)
	for _, id := range ids {
		all[lvs.Backend{Virtual: id}] = orders.Order{Kind: orders.Obey, Since: atSecond(0)}
	}
	s.director.Order(s.t.Context(), all, nil)
}

func (s *scenario) duration(word string) time.Duration {
	s.t.Helper()
	return testkit.Must(time.ParseDuration(word))(s.t)
}

func (s *scenario) newJournal() *notify.Journal {
	return notify.NewJournal(func(e notify.Event) {
		mailed := ""
		if e.Servers > 0 {
			mailed = fmt.Sprintf(" [%s; %s for %v before; %d of %d left]", e.Name, e.Before,
				e.Lasted.Round(time.Second), e.Left, e.Servers)
		}
		s.say("log: " + e.Text + mailed)
	})
}

func (s *scenario) start(name string, standby bool) {
	s.journal = s.newJournal()
	s.mu.Lock()
	s.dead = false
	s.mu.Unlock()
	s.director = New(Deps{
		Table: s.table, Marks: s.marks, Announcer: s.devices, Maintenance: maintenance.New(nil).Watch,
		World: core.World{
			Tell:    []core.Receiver{core.Words(s.journal.Emit), core.Posts(s.Post), core.Commands(s.Run)},
			Standby: standby, Departing: s.departures, Leave: s.keep(&s.departures),
			Orders: s.orders, Moving: s.moving, Move: s.keep(&s.moving),
		},
	})
	s.watches = newIdle(s.director, s.say)
	s.running = name
	s.current = nil
	s.run(s.waitingPlan(name, false))
}

// run runs the director until it is to end.
func (s *scenario) run(p *plan.Plan) {
	ctx, end := context.WithCancelCause(context.Background())
	s.end, s.ended = end, make(chan error, 1)
	go func() { s.ended <- s.director.Run(ctx, p) }()
}

func (s *scenario) stop(cause error) {
	s.ends(cause)
	s.end, s.running = nil, ""
	testkit.OK(s.t, s.journal.Close(context.Background()))
}

// ends ends the director, and returns how long that took.
func (s *scenario) ends(cause error) time.Duration {
	begun := time.Now()
	s.end(cause)
	testkit.OK(s.t, <-s.ended)
	return time.Since(begun)
}

// keep keeps what a daemon records for the next one, as the state file does: without monotonic times.
func (s *scenario) keep(records *[]judge.Record) func([]judge.Record) {
	return func(all []judge.Record) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.dead {
			return
		}
		*records = slices.Clone(all)
		for i := range *records {
			for _, at := range (*records)[i].Times() {
				*at = at.Round(0)
			}
		}
	}
}

// Host and Port implement parser.Resolver.
func (s *scenario) Host(_ context.Context, name string, _ bool) ([]netip.Addr, error) {
	if a, ok := s.names[name]; ok {
		return []netip.Addr{a}, nil
	}
	return nil, errors.New("no answer")
}

func (s *scenario) Port(context.Context, string, string) (uint16, error) {
	return 0, errors.New("no such service")
}

func (s *scenario) plan(name string) *plan.Plan { return s.planWith(name, parser.Options{Resolver: s}) }

// waitingPlan is a plan in which servers may wait for their addresses. It replaces the current one: its names may have
// changed, or the whole file.
func (s *scenario) waitingPlan(name string, refines bool) *plan.Plan {
	o := parser.Options{Resolver: s, Wait: true, Refines: refines}
	if s.current != nil {
		o.Before = s.current.Config
	}
	s.current = s.planWith(name, o)
	return s.current
}

func (s *scenario) planWith(name string, o parser.Options) *plan.Plan {
	o.Last = func(key known.Key) []netip.Addr { return s.past[key.Host] }
	cfg, found := parser.Parse(s.t.Context(), name,
		[]byte(strings.ReplaceAll(s.configs[name], "MAINTENANCE", s.folder)), o)
	if found.HasErrors() || s.configs[name] == "" {
		s.t.Fatal(name, found)
	}
	for _, n := range cfg.Names {
		s.past[n.Host] = append([]netip.Addr{n.Addr}, n.Earlier...)
	}
	p, found := plan.New(cfg, func(spec checker.Spec) (checker.Checker, error) {
		return checkFunc(func() checker.Result { return s.check(spec) }), nil
	})
	if found.HasErrors() {
		s.t.Fatal(found)
	}
	return p
}

// Run implements the receiver of commands.
func (s *scenario) Run(h notify.Hook) {
	s.say("hook: " + h.Argv[len(h.Argv)-1])
	if h.Ended == nil {
		return
	}
	time.AfterFunc(s.hookTime, func() {
		s.say("hook ends")
		h.Ended()
	})
}

// Post posts a state. That takes as long as a command.
func (s *scenario) Post(virtual string, state []byte, tried func()) {
	s.say("post: " + strings.TrimSuffix(string(state), "\n"))
	if tried != nil {
		time.AfterFunc(s.hookTime, func() {
			s.say("post ends")
			tried()
		})
	}
}

func (s *scenario) say(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := &s.done
	if strings.HasPrefix(text, "log: ") {
		list = &s.said
	}
	if !s.dead { // a killed daemon says nothing
		*list = append(*list, text)
	}
}

// take returns what happened since the last call: the operations and hooks, then the log lines.
func (s *scenario) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := append(s.done, s.said...)
	s.done, s.said = nil, nil
	return all
}

// check answers for a server. Each check takes a different time, so that the order of results is always the same.
func (s *scenario) check(spec checker.Spec) checker.Result {
	octets := spec.Target.Addr().As4()
	time.Sleep(time.Duration(octets[3])*time.Millisecond +
		time.Duration(int(spec.Target.Port()%900)+len(spec.Type))*time.Microsecond)
	lost := s.noRoute.Load() && !s.devices.isLocal(spec.Through.Virtual)
	s.mu.Lock()
	if r := s.health[spec.Target]; r.Took < 0 { // whatever happens to the server meanwhile
		s.mu.Unlock()
		time.Sleep(spec.NegotiateTimeout)
		return r
	}
	if until := s.health[spec.Target].Took; until > 0 {
		s.mu.Unlock()
		time.Sleep(until)
		s.mu.Lock()
	}
	defer s.mu.Unlock()
	switch {
	case spec.Type == "on":
		return checker.Result{OK: true}
	case spec.Type == "ping" && s.noPings.Load():
		return noPings(spec)
	}
	r, ok := s.health[spec.Target]
	switch {
	case !ok:
		r = checker.Result{OK: true}
	case !spec.Through.Virtual.IsValid() && (r.OwnAnswers || r.Way == checker.WayVoid):
		return checker.Result{OK: true}
	}
	if lost && spec.Through.Virtual.IsValid() && (r.OK || r.OwnAnswers) {
		r = checker.Result{OK: true, Way: checker.WayVoid,
			Warning: "not checked through it: nothing leads there from here"}
	}
	if spec.Through.Virtual.IsValid() && r.Way != checker.WayVoid {
		r.Way = checker.WayThrough
	}
	return r
}

// noPings is the result of a check if no socket for pings can be opened.
func noPings(spec checker.Spec) checker.Result {
	c, err := protocol.New(spec, &protocol.Env{Pinger: denied{}})
	if err != nil {
		panic(err)
	}
	return c.Check(context.Background())
}

type denied struct{}

func (denied) Ping(context.Context, netip.Addr, settings.Path, time.Duration) (time.Duration, error) {
	return 0, icmp.ErrDenied
}

// conditions of servers are the results of their checks.
var conditions = map[string]checker.Result{
	"up":   {OK: true},
	"down": {Detail: "connect: refused", Cause: checker.Refused, Stage: wire.AtConnect},
	"hang": {Took: 20 * time.Second},
	"through": {Detail: "no answer in 5s; at its own address it answers", Cause: checker.Timeout,
		Stage: wire.AtConnect, OwnAnswers: true},
	"void":     {OK: true, Way: checker.WayVoid, Warning: "its private service was gone"},
	"wrong":    {Detail: "status 500", Cause: checker.Answer, Stage: wire.AtMatch},
	"silent":   {Detail: "no answer in time", Cause: checker.Timeout, Stage: wire.AtAnswer, Took: -1},
	"short":    {Cause: checker.Shortage, Detail: "too many open files"},
	"unjudged": {Cause: checker.Unjudged, Detail: "cannot be judged: matching took too long with /a/"},
}

// hand applies an operation in the syntax of ipvsadm: -A -t V -s S, -E …, -D -t V, -a -t V -r R -g -w N, -e …, -d -t V
// -r R.
func (s *scenario) hand(words []string) {
	s.t.Helper()
	op := lvs.Op{
		Kind: map[string]lvs.OpKind{
			"-A": lvs.AddService, "-E": lvs.EditService, "-D": lvs.DelService,
			"-a": lvs.AddDest, "-e": lvs.EditDest, "-d": lvs.DelDest,
		}[words[0]],
		Key:      lvs.Key{Protocol: lvs.TCP, Addr: netip.MustParseAddrPort(words[2])},
		Settings: lvs.Settings{Scheduler: "wrr", Netmask: 0xffffffff},
		Dest:     lvs.Dest{Forward: lvs.Route, Weight: 1},
	}
	for i := 3; i < len(words); i++ {
		switch words[i] {
		case "-s":
			op.Settings.Scheduler = words[i+1]
		case "-r":
			op.Dest.Addr = netip.MustParseAddrPort(words[i+1])
		case "-w":
			fmt.Sscan(words[i+1], &op.Dest.Weight)
		case "-x":
			fmt.Sscan(words[i+1], &op.Dest.Upper)
		case "-m":
			op.Dest.Forward = lvs.Masq
		}
	}
	testkit.OK(s.t, s.table.Memory.Do(s.t.Context(), op)[0])
}

// recorder is a table in memory that reports every operation.
type recorder struct {
	*ipvsctl.Memory
	s       *scenario
	broken  atomic.Bool
	late    atomic.Int64                    // how long an answer takes, in nanoseconds
	carries map[netip.AddrPort]lvs.Counters // guarded by s.mu
}

// answer waits until the table answers, or until nobody waits for that any more.
func (r *recorder) answer(ctx context.Context) error {
	late := time.Duration(r.late.Load())
	if late == 0 {
		return nil
	}
	select {
	case <-time.After(late):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *recorder) Services(ctx context.Context, keys ...lvs.Key) (lvs.Table, error) {
	if err := r.answer(ctx); err != nil {
		return nil, err
	}
	table, err := r.Memory.Services(ctx, keys...)
	return r.carry(table), err
}

// Read returns the connections too, as the kernel does.
func (r *recorder) Read(ctx context.Context) (lvs.Table, error) {
	if err := r.answer(ctx); err != nil {
		return nil, err
	}
	table, err := r.Memory.Read(ctx)
	return r.carry(table), err
}

// carry adds the scenario's connections to a table.
func (r *recorder) carry(table lvs.Table) lvs.Table {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	for key, service := range table {
		service.Counters = map[netip.AddrPort]lvs.Counters{}
		for _, d := range service.Dests {
			service.Counters[d.Addr] = r.carries[d.Addr]
		}
		table[key] = service
	}
	return table
}

func (r *recorder) Do(ctx context.Context, ops ...lvs.Op) []error {
	return each(ops, func(op lvs.Op) error {
		if r.broken.Load() {
			return fmt.Errorf("%s: no answer", op)
		}
		r.s.say(op.String())
		return cmp.Or(r.Memory.Do(ctx, op)[0], r.answer(ctx))
	})
}

// each makes changes one after the other.
func each(ops []lvs.Op, do func(lvs.Op) error) (results []error) {
	for _, op := range ops {
		results = append(results, do(op))
	}
	return results
}

// markRecorder are mark rules that report every change. Reading them takes a while, as programs do.
type markRecorder struct {
	s      *scenario
	broken atomic.Bool
	slow   time.Duration // of each Sync

	mu      sync.Mutex // guards the fields below
	current []lvs.MarkRule
	damaged []string
}

func (m *markRecorder) damage(text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.damaged = append(m.damaged, text)
}

func (m *markRecorder) Sync(_ context.Context, want []lvs.MarkRule) ([]string, error) {
	time.Sleep(5*time.Millisecond + m.slow)
	if m.broken.Load() {
		return nil, errors.New("iptables: no answer")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.EqualFunc(m.current, want, lvs.MarkRule.Equal) {
		m.s.say(fmt.Sprintf("marks: %v", inWords(want)))
	}
	fixed := m.damaged
	m.current, m.damaged = want, nil
	return fixed, nil
}

// inWords are rules as an operator writes them.
func inWords(rules []lvs.MarkRule) (words []string) {
	for _, r := range rules {
		dest, ports := r.Dest.String(), "all"
		if r.Dest.IsSingleIP() {
			dest = r.Dest.Addr().String()
		}
		if len(r.Ports) > 0 {
			ports = strings.ReplaceAll(strings.Trim(fmt.Sprint(r.Ports), "[]"), " ", ",")
		}
		words = append(words, fmt.Sprintf("mark %d for %s %s %s", r.Mark, dest, r.Protocol, ports))
	}
	return words
}

type checkFunc func() checker.Result

func (f checkFunc) Check(context.Context) checker.Result { return f() }
