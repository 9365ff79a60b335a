package lab

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/lab/always"
	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

const (
	chaosTime  = 60 * time.Second
	seedTime   = 15 * time.Second        // for each seed of the long test
	chaosGap   = 1200 * time.Millisecond // the longest time between two events
	chaosQuiet = 10 * time.Second        // until the table must be right
	repairTime = 2 * time.Second         // until a change by hand is undone
	longChaos  = 20                      // number of seeds of the long test
)

// A minute of random trouble from a seed: servers die, hang and flap, the file is edited, servers get maintenance and
// orders, the table is changed by hand, and the daemon is killed, stopped, restarted and suspended. Then the table
// must be what the file and the servers' health require. CHAOS_SEED sets another seed, CHAOS_TIME another time.
func TestKernelChaos(t *testing.T) {
	seed, length := uint64(1), chaosTime
	var err error
	if s := os.Getenv("CHAOS_SEED"); s != "" {
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("CHAOS_SEED: %v", err)
		}
	}
	if s := os.Getenv("CHAOS_TIME"); s != "" {
		if length, err = time.ParseDuration(s); err != nil {
			t.Fatalf("CHAOS_TIME: %v", err)
		}
	}
	playChaos(t, seed, length)
}

func TestKernelLongChaos(t *testing.T) {
	onlyLong(t)
	for seed := range uint64(longChaos) {
		t.Run(strconv.FormatUint(seed+1, 10), func(t *testing.T) { playChaos(t, seed+1, seedTime) })
	}
}

// chaos is the lab, and the state that it should have.
type chaos struct {
	*lab
	rand        *rand.Rand
	maintenance string // folder
	webs        map[string]*web
	health      map[string]bool
	maintained  map[string]bool
	services    []*chaosService
	foreign     bool // a virtual service outside the file is in the table
	begun       time.Time
	events      []string
}

// chaosService is a virtual service of the file.
type chaosService struct {
	vip       string
	masq      bool
	in        bool // the file has it
	scheduler string
	quiescent bool
	fallback  bool
	interval  int
	count     int
	weights   map[string]int
	ordered   map[string]string // the orders, including those for servers that are not in the file now
}

func playChaos(t *testing.T, seed uint64, length time.Duration) {
	c := &chaos{
		lab: newLabOf(t, 4), rand: rand.New(rand.NewPCG(seed, 0)), begun: time.Now(),
		webs: map[string]*web{}, health: map[string]bool{}, maintained: map[string]bool{},
	}
	c.maintenance = filepath.Join(c.dir, "maintenance")
	testkit.OK(t, os.Mkdir(c.maintenance, 0o700))
	for _, name := range all {
		c.webs[name], c.health[name] = c.web(name), true
	}
	for i, vip := range []string{natVIP, drVIP} {
		c.services = append(c.services, &chaosService{vip: vip, masq: i == 0, ordered: map[string]string{}})
		c.draw(c.services[i])
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("again: CHAOS_SEED=%d CHAOS_TIME=%v, -run TestKernelChaos; it did\n%s\nthe file:\n%s",
				seed, length, strings.Join(c.events, "\n"), c.text())
		}
	})
	c.write()
	c.does("start")
	for time.Since(c.begun) < length {
		c.pause()
		c.event()
	}
	c.becomes(chaosQuiet)
	c.intrude()
	c.becomes(repairTime)
	c.does("stop")
}

func (c *chaos) pause() { time.Sleep(time.Duration(c.rand.Int64N(int64(chaosGap)))) }

func (c *chaos) coin() bool { return c.rand.IntN(2) == 0 }

func (c *chaos) say(format string, args ...any) {
	c.events = append(c.events, fmt.Sprintf("%6.2f ", time.Since(c.begun).Seconds())+fmt.Sprintf(format, args...))
}

func (c *chaos) server() string { return all[c.rand.IntN(len(all))] }

func (c *chaos) service() *chaosService { return c.services[c.rand.IntN(len(c.services))] }

// event plays a random event.
func (c *chaos) event() {
	kinds := []struct {
		share int
		play  func()
	}{
		{8, c.turn}, {2, c.flap}, {1, c.blackout}, {5, c.edit}, {3, c.maintain}, {4, c.order}, {5, c.byHand},
		{3, c.killDaemon}, {2, c.restartDaemon}, {1, c.suspendDaemon},
	}
	total := 0
	for _, k := range kinds {
		total += k.share
	}
	at := c.rand.IntN(total)
	for _, k := range kinds {
		if at -= k.share; at < 0 {
			k.play()
			return
		}
	}
}

// turn ends a server's process, makes it hang or answer wrongly, or repairs it.
func (c *chaos) turn() {
	name := c.server()
	w := c.webs[name]
	if !c.health[name] {
		c.say("%s is healthy", name)
		w.stop()
		w.start()
		c.health[name] = true
		return
	}
	c.health[name] = false
	if how := []mode{"", silent, broken, content, late}[c.rand.IntN(5)]; how != "" {
		c.say("%s answers %s", name, how)
		w.set(how)
		return
	}
	c.say("%s ends", name)
	w.stop()
}

func (c *chaos) flap() {
	name := c.server()
	c.say("%s flaps", name)
	for range 1 + c.rand.IntN(3) {
		c.webs[name].stop()
		c.pause()
		c.webs[name].start()
		c.pause()
	}
	c.health[name] = true
}

// blackout ends all servers. They come back one by one.
func (c *chaos) blackout() {
	c.say("all end")
	for _, name := range all {
		c.webs[name].stop()
	}
	c.pause()
	for _, i := range c.rand.Perm(len(all)) {
		c.pause()
		c.webs[all[i]].start()
		c.health[all[i]] = true
	}
}

// edit changes the file. The daemon reads it by itself, after HUP, or by the command reload.
func (c *chaos) edit() {
	c.draw(c.service())
	c.write()
	switch c.rand.IntN(3) {
	case 0:
		c.say("edit")
	case 1:
		c.say("edit, HUP")
		c.signal(syscall.SIGHUP)
	default:
		c.say("edit, reload")
		c.does("reload")
	}
}

func (c *chaos) maintain() {
	name := c.server()
	file := filepath.Join(c.maintenance, address(name))
	if c.maintained[name] = !c.maintained[name]; c.maintained[name] {
		c.say("maintenance of %s", name)
		testkit.Write(c.t, file, "")
		return
	}
	c.say("end of maintenance of %s", name)
	testkit.OK(c.t, os.Remove(file))
}

// order gives an order for a server of the file, or ends it.
func (c *chaos) order() {
	v, name := c.service(), c.server()
	if _, in := v.weights[name]; !v.in || !in {
		return
	}
	what := "ready"
	if v.ordered[name] == "" {
		what = []string{"drain", "maint", "weight 4"}[c.rand.IntN(3)]
	}
	c.say("set %s of %s %s", name, v.vip, what)
	v.ordered[name] = strings.TrimPrefix(what, "ready")
	c.does(append([]string{"set", "--force", v.vip + ":80", address(name)}, strings.Fields(what)...)...)
}

// byHand changes the table as an operator may do.
func (c *chaos) byHand() {
	v := c.service()
	at, real := "-t "+v.vip+":80", "-r "+address(c.server())
	command := []string{
		"-D " + at,
		"-E " + at + " -s sed",
		"-d " + at + " " + real,
		"-d " + at + " " + real,
		"-e " + at + " " + real + " -m -w 0",
		"-e " + at + " " + real + " -g -w 9",
		"-a " + at + " -r 192.0.2.29:80 -m -w 1",
		"-A -t 192.0.2.200:80 -s rr",
	}[c.rand.IntN(8)]
	c.foreign = c.foreign || strings.HasPrefix(command, "-A")
	c.ipvsadm(command)
}

// intrude adds a server outside the file to every virtual service.
func (c *chaos) intrude() {
	for _, v := range c.services {
		c.ipvsadm("-a -t " + v.vip + ":80 -r 192.0.2.29:80 -m -w 1")
	}
}

// ipvsadm changes the table. A change of an entry that does not exist is not a failure.
func (c *chaos) ipvsadm(command string) {
	c.say("ipvsadm %s", command)
	c.sh("ip netns exec %sdir ipvsadm %s 2>/dev/null || true", c.prefix, command)
}

// killDaemon ends the daemon as a crash does. The next one may find another file.
func (c *chaos) killDaemon() {
	c.say("kill -9")
	c.kill()
	if c.coin() {
		c.draw(c.service())
		c.write()
	}
	c.pause()
	c.say("start")
	c.does("start")
}

func (c *chaos) restartDaemon() {
	if c.coin() {
		c.say("restart")
		c.does("restart")
		return
	}
	c.say("stop, start")
	c.does("stop")
	c.pause()
	c.does("start")
}

func (c *chaos) suspendDaemon() {
	c.say("STOP, CONT")
	c.signal(syscall.SIGSTOP)
	time.Sleep(2 * time.Second)
	c.signal(syscall.SIGCONT)
}

// becomes waits until the table is right, and checks that it stays so.
func (c *chaos) becomes(limit time.Duration) {
	c.t.Helper()
	c.say("quiet")
	for begin := time.Now(); len(c.wrong()) > 0 && time.Since(begin)-c.idle.since(begin) < limit; {
		time.Sleep(100 * time.Millisecond)
	}
	c.say("right")
	time.Sleep(2 * time.Second)
	if wrong := c.wrong(); len(wrong) > 0 {
		c.t.Errorf("%s\nthe table is\n%slog:\n%s", strings.Join(wrong, "\n"), c.table(), c.logText())
	}
}

// draw gives a virtual service random settings.
func (c *chaos) draw(v *chaosService) {
	v.in = c.rand.IntN(6) > 0
	v.scheduler = []string{"wrr", "wlc", "rr"}[c.rand.IntN(3)]
	v.quiescent, v.fallback = c.coin(), c.coin()
	v.interval, v.count = 1+c.rand.IntN(2), 1+c.rand.IntN(2)
	v.weights = map[string]int{}
	for _, name := range all {
		if c.rand.IntN(4) > 0 {
			v.weights[name] = c.rand.IntN(4)
		}
	}
}

func (c *chaos) write() { c.config(c.text()) }

func (c *chaos) text() string {
	yes := map[bool]string{true: "yes", false: "no"}
	var out strings.Builder
	fmt.Fprintf(&out,
		"autoreload = yes\nrepair = yes\nchecktimeout = 1\nnegotiatetimeout = 1\nmaintenancedir = %s\n",
		c.maintenance)
	for _, v := range c.services {
		if !v.in {
			continue
		}
		fmt.Fprintf(&out, "virtual = %s:80\n", v.vip)
		for _, name := range all {
			if weight, in := v.weights[name]; in {
				fmt.Fprintf(&out, "        real = %s %s %d\n", address(name),
					map[bool]string{true: "masq", false: "gate"}[v.masq], weight)
			}
		}
		if v.fallback {
			fmt.Fprintf(&out, "        fallback = 127.0.0.1:80\n")
		}
		fmt.Fprintf(&out,
			"        service = http\n        request = \"check\"\n        receive = \"OK\"\n        "+
				"scheduler = %s\n", v.scheduler)
		fmt.Fprintf(&out, "        quiescent = %s\n        checkinterval = %d\n        failurecount = %d\n",
			yes[v.quiescent], v.interval, v.count)
	}
	return out.String()
}

// wrong returns what is wrong with the table by the file, the servers' health and the operator's orders: missing or
// additional virtual services, wrong settings, and broken predicates of package always.
func (c *chaos) wrong() (all []string) {
	have, want := c.read(), lvs.Table{}
	add := func(vip, scheduler string) (lvs.Key, lvs.Dests) {
		key := lvs.Key{Protocol: lvs.TCP, Addr: netip.MustParseAddrPort(vip + ":80")}
		want[key] = lvs.VirtualService{Key: key, Settings: lvs.Settings{Scheduler: scheduler}}
		return key, have[key].Dests
	}
	if c.foreign {
		add("192.0.2.200", "rr")
	}
	for _, v := range c.services {
		if !v.in {
			continue
		}
		key, dests := add(v.vip, v.scheduler)
		c.moment(v, dests).Ask(func(n int, what string) {
			all = append(all, fmt.Sprintf("%s: %d, %s: %s", v.vip, n, always.Says[n], what))
		})
		service := want[key]
		service.Dests = dests
		want[key] = service
	}
	if got, settings := lvs.Format(have), lvs.Format(want); got != settings {
		all = append(all, "the virtual services should be\n"+settings)
	}
	return all
}

// moment is a virtual service as it should be, with the destinations that it has.
func (c *chaos) moment(v *chaosService, has lvs.Dests) *always.Moment {
	m := &always.Moment{Quiescent: v.quiescent, Repair: true, Follows: true, Table: has,
		Call: netip.AddrPort.String}
	forward := lvs.Route
	if v.masq {
		forward = lvs.Masq
	}
	for name, weight := range v.weights {
		order := v.ordered[name]
		d := lvs.Dest{Addr: netip.MustParseAddrPort(address(name)), Forward: forward, Weight: uint32(weight)}
		s := always.Server{Dest: d, Weight: d.Weight, Health: health.Down, Drained: order == "drain",
			Out: c.maintained[name] || order == "maint"}
		if order == "weight 4" {
			s.Weight = 4
		}
		if c.health[name] {
			s.Health = health.Up
		}
		m.Servers = append(m.Servers, s)
	}
	if v.fallback {
		m.Fallback = lvs.Dest{Addr: netip.MustParseAddrPort("127.0.0.1:80"), Forward: lvs.Route, Weight: 1}
	}
	return m
}
