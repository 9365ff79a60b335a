package judge

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
)

// A sequence of the walk as a scenario for testdata/scenario. Checks are short of something of this machine and say
// nothing, but for the one that a step is about. Other than in the walk, the director looks at the table by itself.

const (
	playedVirtual = "10.1.0.1:80"
	playedID      = "tcp:" + playedVirtual
)

// playedAt is the address of a slot for one of a server's checks.
func playedAt(slot, check int) string {
	addr := netip.AddrFrom4([4]byte{10, 2, 0, byte(1 + slot)})
	return netip.AddrPortFrom(addr, uint16(80+check)).String()
}

// playable reports whether a scenario can say what happens.
func (e event) playable() bool { return e.mishap.kind == allWell && (e.kind != edit || e.c == 0) }

// scenario writes a sequence as one that can be played; "" where it can't.
func (sl *slice) scenario(root *world, events []event) string {
	// addresses on devices; checkvip asks gate alone
	if sl.has(strength|together_) || sl.has(brake) && sl.has(rerouted_) {
		return ""
	}
	p := &play{sl: sl, files: map[playedFile]string{}}
	for slot, d := range root.table {
		if slot == 0 {
			p.say("table", "| -A -t "+playedVirtual+" -s wrr")
		}
		p.say("| " + playedDest("-a", d.Weight, slotOf(d.Addr), sl.has(brake)))
	}
	w := root
	for _, e := range events {
		if !e.playable() {
			return ""
		}
		p.step(w, e)
		if w.apply(e); e.kind == edit {
			p.edited(w, e)
		}
		w = sl.decode(w.encode())
	}
	p.say("wait 30s")
	return strings.Join(append(p.configs, p.steps...), "\n") + "\n"
}

type playedFile struct {
	shape
	checks [2]int
}

// play is a scenario on its way.
type play struct {
	sl      *slice
	files   map[playedFile]string // names of the configurations
	checks  [2]int                // of each server: the other one, or not
	configs []string
	steps   []string
}

func (p *play) say(lines ...string) { p.steps = append(p.steps, lines...) }

func playedDest(op string, weight uint32, slot int, gate bool) string {
	words := fmt.Sprintf("%s -t %s -r %s", op, playedVirtual, playedAt(slot, 0))
	if op == "-d" {
		return words
	}
	if !gate {
		words += " -m"
	}
	return fmt.Sprintf("%s -w %d", words, weight)
}

// file names the configuration of a world.
func (p *play) file(w *world) string {
	s := playedFile{shape{lines: w.lines}, p.checks}
	if p.sl.has(moved_) {
		s.lines[0].at = 0 // the name says where it leads
	}
	s.lines[0].waits, s.lines[1].waits = false, false
	if name := p.files[s]; name != "" {
		return name
	}
	name := fmt.Sprintf("file%d", len(p.files)+1)
	p.files[s] = name
	yes := map[bool]string{true: "yes", false: "no"}
	lines := []string{"checkinterval = 10", "failurecount = 2", "risecount = 2", "quiescent = " +
		yes[p.sl.has(quiescent)],
		"repair = " + yes[p.sl.has(repair)]}
	for _, row := range []struct {
		has  capability
		line string
	}{
		{guarded, "keepserving = 50%"}, {leavers, "draintime = 2000"}, {windows, "window = 2/3"},
		{maintained, "maintenancedir = MAINTENANCE"}, {moved_ | found_, "resolve = 3600"},
	} {
		if p.sl.has(row.has) {
			lines = append(lines, row.line)
		}
	}
	if p.sl.has(windows) {
		lines = append(lines[:1], lines[3:]...)
	}
	lines = append(lines, "virtual = "+playedVirtual)
	for i := range s.lines {
		l := &s.lines[i]
		if !l.in {
			continue
		}
		host := playedAt([...]int{atA, atB}[i], 0)
		if p.named(i) {
			host = [...]string{"a", "b"}[i] + ".example:80"
		}
		lines = append(lines, fmt.Sprintf("        real = %s %s %d %q \"ok\"", host,
			[...]string{"masq", "gate"}[bit(l.gate || p.sl.has(brake))], l.weight,
			[...]string{"one", "two"}[p.checks[i]]))
	}
	kind := "negotiate"
	if p.sl.has(off_) {
		kind = "off"
	}
	lines = append(lines, "        service = http", "        checktype = "+kind)
	if p.sl.has(fallback_) {
		lines = append(lines, "        fallback = "+
			playedAt(sorry, 0)+[...]string{" masq", " gate"}[bit(p.sl.has(brake))])
	}
	if p.sl.checks > 1 {
		lines = append(lines, "        alsocheck = http 81")
	}
	if p.sl.has(brake) {
		lines = append(lines, "        checkvip = yes")
	}
	p.configs = append(p.configs, "config "+name, "| "+strings.Join(lines, "\n| "))
	return name
}

// named reports whether a server is called by a host name.
func (p *play) named(server int) bool { return p.sl.has([...]capability{moved_, found_}[server]) }

// step says what an event is, before it happens.
func (p *play) step(w *world, e event) {
	server := func(i int) string {
		if p.named(i) {
			return [...]string{"a", "b"}[i] + ".example:80"
		}
		return playedAt([...]int{atA, atB}[i], 0)
	}
	switch e.kind {
	case start:
		p.names(w)
		p.say("short "+p.all(), "start "+p.file(w))
	case kill:
		p.say("crash")
	case result:
		p.results(e.b, map[int]uint8{slotOf(w.addr(int(e.a))): e.c})
	case wakeUp:
		all := map[int]uint8{}
		for n, i := range w.pair() {
			all[slotOf(w.addr(i))] = [...]uint8{e.a, e.b}[n]
		}
		p.results(e.c, all)
	case order:
		p.say(fmt.Sprintf("order %s %s %s", playedID, server(int(e.a)),
			[...]string{"ready", "drain", "maint", "weight 3"}[e.b]))
	case obey:
		p.say(fmt.Sprintf("order %s - %s", playedID, [...]string{"obey", "ready"}[bit(w.obey)]))
	case file:
		p.say([...]string{"maintain ", "unmaintain "}[bit(w.files[e.a])] + server(int(e.a)))
	case change:
		p.hand(w, e)
	case removal:
		p.say("hand -D -t " + playedVirtual)
	case connect:
		p.say(fmt.Sprintf("carry %s %d 0 0", playedAt(int(e.a), 0), bit(!w.conns[e.a])))
	case lookAtLeaver:
		p.say("wait 1s")
	case look, retry, shortage:
		p.say("wait 10s")
	case time_:
		p.say("wait 1000s")
	case demote:
		p.say("standby")
	case promote:
		p.say("serve")
	}
}

// edited says that the file, or a name, is another one.
func (p *play) edited(w *world, e event) {
	if e.b == editCheck {
		p.checks[e.a] ^= 1
	}
	switch {
	case e.b == editName, e.b == editAddress:
		p.names(w)
		if e.b == editAddress && w.lines[e.a].waits && !w.dead {
			p.say("reload " + p.file(w))
		}
	case !w.dead:
		p.say("reload " + p.file(w))
	}
}

func (p *play) names(w *world) {
	for i := range w.lines {
		switch l := &w.lines[i]; {
		case !p.named(i):
		case l.waits:
			p.say("lost " + [...]string{"a", "b"}[i] + ".example")
		default:
			addr := netip.MustParseAddrPort(playedAt(l.slot(i), 0)).Addr()
			p.say(fmt.Sprintf("name %s.example %s", [...]string{"a", "b"}[i], addr))
		}
	}
}

// all are the addresses of all checks.
func (p *play) all() string {
	var list []string
	for check := range p.sl.checks {
		for _, slot := range []int{atA, atA2, atB} {
			list = append(list, playedAt(slot, check))
		}
	}
	return strings.Join(list, " ")
}

// results has checks find something once.
func (p *play) results(check uint8, found map[int]uint8) {
	var over []string
	for slot := range slots {
		if c, is := found[slot]; is {
			at := playedAt(slot, int(check))
			p.say([...]string{"up", "down", "down", "wrong", "through", "through", "void"}[c] + " " + at)
			over = append(over, at)
		}
	}
	p.say("wait 9940ms", "short "+strings.Join(over, " ")) // with three steps an interval
}

// hand says what somebody changes in the table.
func (p *play) hand(w *world, e event) {
	d, in := w.table.At(addrs[e.a])
	gate := in && d.Forward != destAt(0, false, 0).Forward || !in && int(e.a) < sorry && w.lines[e.a/atB].gate
	op := [...]string{"-a", "-e"}[bit(in)]
	if e.b == byHandAbsent {
		op = "-d"
	}
	weight := uint32(0)
	if e.b == byHandOther {
		weight = handWeight
	}
	p.say("hand " + playedDest(op, weight, int(e.a), gate || p.sl.has(brake)))
}

// What the walk writes is what the director's tests play: testdata/scenario/walked.txt, which has what came of it too.
func TestASequenceOfTheWalkIsAScenario(t *testing.T) {
	sl := newSlice(guarded|hand|ordering|reload|crashes|brake|fallback_, 1)
	want, err := os.ReadFile("../testdata/scenario/walked.txt")
	if err != nil {
		t.Fatal(err)
	}
	var steps []string
	for line := range strings.Lines(string(want)) {
		if line[0] != '>' && line[0] != '#' {
			steps = append(steps, line)
		}
	}
	got := sl.scenario(sl.roots()[2], []event{
		{kind: start},
		{kind: result, a: 0, c: 1 + uint8(NotReached)},
		{kind: result, a: 0, c: 1 + uint8(NotReached)}, // the guard lets one go
		{kind: result, a: 1, c: 1 + uint8(NotReached)},
		{kind: result, a: 1, c: 1 + uint8(NotReached)}, // the other one is held
		{kind: obey},
		{kind: result, a: 1},
		{kind: result, a: 1},
		{kind: order, a: 1, b: uint8(Weigh)},
		{kind: change, a: atB, b: byHandOther},
		{kind: look},
		{kind: edit, a: 1, b: editWeight},
		{kind: result, a: 1, c: ownOnly},
		{kind: kill},
		{kind: start},
	})
	if got != strings.Join(steps, "") {
		t.Errorf("the walk writes:\n%s", got)
	}
	refused := event{kind: result, mishap: mishap{kind: refused}}
	if got := sl.scenario(sl.roots()[0], []event{{kind: start}, refused}); got != "" {
		t.Errorf("one change that is refused alone can't be played:\n%s", got)
	}
}
