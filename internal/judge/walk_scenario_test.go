package judge

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"text/template"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

// A sequence of the walk can be played as a scenario of testdata/scenario (go test ./director -update adds the
// results). What a scenario can't express becomes a comment that begins with "#!". All checks lack resources and have
// no result, except the one that a step is about. Unlike in the walk, the director looks at the table by itself.

const (
	playedVirtual = "10.1.0.1:80"
	playedID      = "tcp:" + playedVirtual
)

// play is a scenario that is being written.
type play struct {
	sl      *slice
	checks  [2]int // for each server: 1 if its check was replaced
	files   []string
	configs []string
	steps   []string
}

func (p *play) say(lines ...string) { p.steps = append(p.steps, lines...) }

// scenario writes a sequence of events that begins with world w.
func (sl *slice) scenario(w *world, events []event) string {
	p := &play{sl: sl}
	if sl.has(strength|together_) || sl.has(brake) && sl.has(rerouted_) {
		p.say("#! addresses on devices are needed, or checkvip without gate")
	}
	if len(w.table) > 0 {
		p.say("table", "| -A -t "+playedVirtual+" -s wrr")
	}
	for _, d := range w.table {
		p.say("| " + p.dest("-a", slotOf(d.Addr), d.Weight, false))
	}
	for _, e := range events {
		if e.mishap.kind != allWell {
			p.say(fmt.Sprintf("#! operation %d of the next step: %s", e.at+1,
				[...]string{"", "refused", "made, but an error is returned",
					"the daemon ends before it"}[e.mishap.kind]))
		}
		p.step(w, e)
		if w.apply(e); e.kind == edit {
			p.edited(w, e)
		}
		for _, did := range w.did {
			p.say("# - " + did)
		}
		p.say("# " + w.describe())
	}
	p.say("wait 30s")
	return strings.Join(append(p.configs, p.steps...), "\n") + "\n"
}

// dest is a change of a destination as an argument of ipvsadm.
func (p *play) dest(op string, slot int, weight uint32, gate bool) string {
	words := fmt.Sprintf("%s -t %s -r %s", op, playedVirtual, addrs[slot])
	if op == "-d" {
		return words
	}
	if !gate && !p.sl.has(brake) { // checkvip needs gate
		words += " -m"
	}
	return fmt.Sprintf("%s -w %d", words, weight)
}

// server is the server's name in the file: a host name, or its address.
func (p *play) server(i int) string {
	if p.named(i) {
		return [...]string{"a", "b"}[i] + ".example:80"
	}
	return addrs[[...]int{atA, atB}[i]].String()
}

func (p *play) named(server int) bool { return p.sl.has([...]capability{moved_, found_}[server]) }

// playedFile is the configuration of a world. It has what one of some capabilities brings.
const playedFile = `
| checkinterval = 10
{{- if not (has "window" "observe")}}
| failurecount = 2
| risecount = 2
{{- end}}
| quiescent = {{if has "quiescent"}}yes{{else}}no{{end}}
| repair = {{if has "repair"}}yes{{else}}no{{end}}
{{- if has "guard"}}
| keepserving = 50%
{{- end}}{{if has "holddown"}}
| holddown = 1000,2000
{{- end}}{{if has "pace"}}
| pace = 1/1000
{{- end}}{{if has "comeback"}}
| comeback = order
{{- end}}{{if has "paceout"}}
| paceout = 1/1000
{{- end}}{{if has "onfail"}}
| onfail = 2000
{{- end}}{{if has "cut"}}
| onfail = cut
{{- end}}{{if has "leavers"}}
| draintime = 2000
{{- end}}{{if has "slowstart"}}
| slowstart = 3000
{{- end}}{{if has "window"}}
| window = 2/3
{{- end}}{{if has "maintenance"}}
| maintenancedir = MAINTENANCE
{{- end}}{{if has "moved" "found"}}
| resolve = 3600
{{- end}}
| virtual = {{.Virtual}}
{{- range .Reals}}
|         {{.}}
{{- end}}
|         service = http
|         checktype = {{if has "off"}}off{{else}}negotiate{{end}}
{{- if has "fallback"}}
|         fallback = {{.Fallback}}
{{- end}}{{if .Twice}}
|         alsocheck = http 81
{{- end}}{{if has "brake"}}
|         checkvip = yes
{{- end}}`

// file is the name of a world's configuration.
func (p *play) file(w *world) string {
	values := struct {
		Virtual, Fallback string
		Reals             []string
		Twice             bool
	}{Virtual: playedVirtual, Fallback: fmt.Sprint(addrs[sorry], " ", p.forward(false)), Twice: p.sl.checks > 1}
	for i := range w.lines {
		if w.lines[i].in {
			values.Reals = append(values.Reals, p.real(w, i))
		}
	}
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(name string) bool {
			return w.has(1 << slices.Index(capabilityNames[:], name))
		})
	}
	var b strings.Builder
	file := template.Must(template.New("").Funcs(template.FuncMap{"has": has}).Parse(playedFile))
	if err := file.Execute(&b, values); err != nil {
		panic(err)
	}
	text := strings.TrimSpace(b.String())
	at := slices.Index(p.files, text)
	if at < 0 {
		at = len(p.files)
		p.files = append(p.files, text)
		p.configs = append(p.configs, fmt.Sprintf("config file%d\n%s", at+1, text))
	}
	return fmt.Sprintf("file%d", at+1)
}

func (p *play) real(w *world, i int) string {
	l := &w.lines[i]
	return fmt.Sprintf("%s = %s %s %d %q \"ok\"", [...]string{"real", "backup"}[bit(l.backup)], p.server(i),
		p.forward(l.gate), l.weight,
		[...]string{"one", "two"}[p.checks[i]])
}

func (p *play) forward(gate bool) string {
	return [...]string{"masq", "gate"}[bit(gate || p.sl.has(brake))]
}

// step writes an event, before it happens.
func (p *play) step(w *world, e event) {
	switch e.kind {
	case start:
		p.names(w)
		p.say("short "+p.all(), "start "+p.file(w))
	case kill:
		p.say("crash")
	case result:
		p.results(int(e.b), map[int]uint8{slotOf(w.Servers[e.a].Dest.Addr): e.c})
	case wakeUp:
		all := map[int]uint8{}
		for n, i := range w.pair() {
			all[slotOf(w.Servers[i].Dest.Addr)] = [...]uint8{e.a, e.b}[n]
		}
		p.results(int(e.c), all)
	case order:
		p.say(fmt.Sprintf("order %s %s %s", playedID, p.server(int(e.a)),
			[...]string{"ready", "drain", "maint", "weight 3"}[e.b]))
	case ready:
		p.say(fmt.Sprintf("order %s %s ready", playedID, p.server(w.cfg.server[e.a])))
	case obey:
		p.say(fmt.Sprintf("order %s - %s", playedID, [...]string{"obey", "ready"}[bit(w.obey)]))
	case file:
		p.say([...]string{"maintain ", "unmaintain "}[bit(w.files[e.a])] + p.server(int(e.a)))
	case change:
		d, in := w.table.At(addrs[e.a])
		gate := in && d.Forward == lvs.Route || !in && int(e.a) < sorry && w.lines[e.a/atB].gate
		op := [...]string{"-a", "-e"}[bit(in)]
		if e.b == byHandAbsent {
			op = "-d"
		}
		p.say("hand " + p.dest(op, int(e.a), [...]uint32{0, 0, handWeight}[e.b], gate))
	case removal:
		p.say("hand -D -t " + playedVirtual)
	case connect:
		p.say(fmt.Sprintf("carry %s %d 0 0", addrs[e.a], bit(!w.conns[e.a])))
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

// edited writes the change of the file, or of a name.
func (p *play) edited(w *world, e event) {
	if e.c > 0 {
		p.say("#! another section's check of it says already: " + [...]string{"", "passes", "fails"}[e.c])
	}
	if e.b == editCheck {
		p.checks[e.a] ^= 1
	}
	resolved := e.b == editName || e.b == editAddress
	if resolved {
		p.names(w)
	}
	if !w.dead && (!resolved || e.b == editAddress && w.lines[e.a].waits) {
		p.say("reload " + p.file(w))
	}
}

func (p *play) names(w *world) {
	for i := range w.lines {
		host, _, _ := strings.Cut(p.server(i), ":")
		switch l := &w.lines[i]; {
		case !p.named(i):
		case l.waits:
			p.say("lost " + host)
		default:
			p.say(fmt.Sprintf("name %s %s", host, addrs[l.slot(i)].Addr()))
		}
	}
}

// checkAt is the address that a check of a slot connects to.
func checkAt(slot, check int) string {
	return netip.AddrPortFrom(addrs[slot].Addr(), uint16(80+check)).String()
}

// all are the addresses of all checks.
func (p *play) all() string {
	var list []string
	for check := range p.sl.checks {
		list = append(list, checkAt(atA, check), checkAt(atA2, check), checkAt(atB, check))
	}
	return strings.Join(list, " ")
}

// results makes checks have results once.
func (p *play) results(check int, found map[int]uint8) {
	var over []string
	for slot := range slots {
		if c, is := found[slot]; is {
			at := checkAt(slot, check)
			if c >= tellsAll {
				p.say("tell " + at +
					[...]string{" ready 100%", " drain", " ready 50%", " maint",
						"\n#! it is silent"}[c-tellsAll])
			} else {
				p.say([...]string{"up", "down", "down", "wrong", "through", "through", "void"}[c] +
					" " + at)
			}
			over = append(over, at)
		}
	}
	p.say("wait 9940ms", "short "+strings.Join(over, " ")) // three steps are one interval
}

// The director's tests play the sequences that the walk writes: testdata/scenario/walked.txt, which has the results
// too.
func TestASequenceOfTheWalkIsAScenario(t *testing.T) {
	want := testkit.Read(t, "../../testdata/scenario/walked.txt")
	steps := func(text string) (all string) {
		for line := range strings.Lines(text) {
			if line[0] != '>' && (line[0] != '#' || line[1] == '!') {
				all += line
			}
		}
		return all
	}
	fails, mishap := 1+uint8(NotReached), mishap{kind: refused}
	sl := newSlice(guarded|hand|ordering|reload|crashes|brake|fallback_, 1)
	got := sl.scenario(sl.roots()[2], []event{
		{kind: start},
		{kind: result, a: 0, c: fails},
		{kind: result, a: 0, c: fails}, // the guard lets one go
		{kind: result, a: 1, c: fails},
		{kind: result, a: 1, c: fails}, // the guard holds the other one
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
	testkit.Equal(t, steps(got), steps(want), "the walk writes")
	testkit.Contains(t, sl.scenario(sl.roots()[0], []event{{kind: start}, {kind: result, mishap: mishap}}), "#!",
		"a refused change is not marked with #!")
}
