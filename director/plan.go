// Package director turns a configuration and the results of checks into the desired IPVS table, and writes it. One
// goroutine owns all of its state.
package director

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/health"
	"ldirectord/checker/schedule"
	"ldirectord/judge"
	"ldirectord/lvs"
	"ldirectord/orders"
	"ldirectord/parser"
)

// Plan is a configuration made ready to run. All keys and settings of the table are computed and all checkers built, so
// that no mistake of the file can show up later.
type Plan struct {
	Config   *parser.Config
	TLS      checker.TLSSums   // sums of the files that the checks read
	Ways     []checker.Through // the paths of the checks through virtual addresses
	virtuals []*virtual
	tasks    []*schedule.Task       // every check once, in the order of the file
	jobs     map[job]*schedule.Task // the same by key, until the plan is in force
	// new checks by those that they replace, until the plan is in force
	heirs map[*schedule.Task]*schedule.Task
}

// Build makes the checker of a spec, as checker.New does.
type Build func(checker.Spec) (checker.Checker, error)

// NewPlan prepares a configuration. If no checker or table can carry something out, it returns a diagnostic with the
// position in the file. The plan is nil when there are errors among them.
func NewPlan(cfg *parser.Config, build Build) (*Plan, parser.Diagnostics) {
	b := newBuilder(cfg, build)
	p := b.Plan
	var found parser.Diagnostics
	all := make([]virtual, len(cfg.Virtuals))
	for i := range all {
		v := &all[i]
		found = append(found, b.virtual(v, cfg.Virtuals[i])...)
		p.virtuals = append(p.virtuals, v)
	}
	found = append(found, unreadablePatterns(cfg.Unsound, build)...)
	if found.HasErrors() {
		return nil, found
	}
	return p, found
}

// unreadablePatterns finds bad patterns in sections that have other errors: one mistake must not hide another.
func unreadablePatterns(sections []*parser.Virtual, build Build) (found parser.Diagnostics) {
	for _, cfg := range sections {
		cfg.Reals, cfg.Fallback = []parser.Real{{}}, nil
		if cfg.CheckType == parser.Off { // has no check that an agentport or alsocheck could come after
			continue
		}
		for _, d := range newBuilder(&parser.Config{}, build).virtual(&virtual{}, cfg).Errors() {
			if strings.HasPrefix(d.Text, "receive: ") || strings.HasPrefix(d.Text, "expect: ") {
				found = append(found, d)
			}
		}
	}
	return found
}

// planBuilder makes the checkers of a plan; equal checks share one.
type planBuilder struct {
	*Plan
	build Build
}

func newBuilder(cfg *parser.Config, build Build) *planBuilder {
	servers := 0
	for _, v := range cfg.Virtuals {
		servers += len(v.Reals)
	}
	// allocated at once: a growing map would hash every job again
	jobs := make(map[job]*schedule.Task, servers)
	return &planBuilder{&Plan{Config: cfg, TLS: checker.TLSSums{}, jobs: jobs}, build}
}

// task is the check of a job.
func (b *planBuilder) task(spec checker.Spec, j job) (*schedule.Task, error) {
	if t, ok := b.jobs[j]; ok {
		return t, nil
	}
	check, err := b.build(spec)
	if err != nil {
		return nil, err
	}
	t := &schedule.Task{Every: j.every, Checker: check}
	b.jobs[j] = t
	b.tasks = append(b.tasks, t)
	if spec.Through != (checker.Through{}) {
		b.Ways = append(b.Ways, spec.Through)
	}
	return t, nil
}

// Keys are the virtual services of the plan.
func (p *Plan) Keys() []lvs.Key { return keysOf(p.virtuals) }

func keysOf(virtuals []*virtual) []lvs.Key {
	keys := make([]lvs.Key, len(virtuals))
	for i, v := range virtuals {
		keys[i] = v.key
	}
	return keys
}

// Preview is the table of the plan if every server passes its checks, with these orders. With slowstart, servers that
// join others in service have their first weight.
func (p *Plan) Preview(given orders.All, have lvs.Table) lvs.Table {
	t := lvs.Table{}
	for _, v := range p.virtuals {
		now := judge.Case{Section: v.Section, State: v.State.Clone()}
		if now.Have = (lvs.Dests{}); v.SlowStart > 0 {
			now.Have = append(now.Have, have[v.key].Dests...)
		}
		for _, s := range v.servers {
			now.Servers[s.At].AssumeAll(health.Assume(health.Up))
			now.Servers[s.At].Ordered(decisive(orderOf(given, v, s)))
		}
		t[v.key] = lvs.VirtualService{Key: v.key, Settings: v.settings,
			Dests: lvs.DestsOf(judge.Decide(now, time.Unix(1, 0)).Places)}
	}
	return t
}

// Check is one check of a plan and where it is used.
type Check struct {
	Virtual, Real string
	Name          string // http, or http 80 if the server has several checks
	Spec          checker.Spec
	Task          *schedule.Task // nil with checktype=off, and without an address
	Waits         string         // why the server has no address; "" when it has one
}

// Checks lists every check of the plan in the order of the file.
func (p *Plan) Checks() []Check { return p.ChecksOf("", "") }

// ChecksOf lists the checks of the servers that an operator names, as for Snapshot.Backends.
func (p *Plan) ChecksOf(virtual, real string) (list []Check) {
	for _, v := range p.virtuals {
		if !lvs.IsNamed(v.cfg.ID, virtual) {
			continue
		}
		for _, s := range v.entries() {
			name, other := s.names()
			isMeant := real == "" || lvs.IsServer(name, real) || lvs.IsServer(other, real)
			if !isMeant || s.Fallback && s.Unchecked {
				continue
			}
			at := Check{Virtual: v.cfg.ID, Real: name}
			for x := range v.checks(s) {
				at.Name, at.Spec, at.Task = x.checkName(), x.spec(), x.j.task
				list = append(list, at)
			}
		}
		for _, w := range v.cfg.Waiting {
			at := Check{Virtual: v.cfg.ID, Real: w.Name, Name: "-", Waits: noAddress(w)}
			if real == "" || lvs.IsServer(w.Name, real) {
				list = append(list, at)
			}
		}
	}
	return list
}

// Service is a virtual service of a plan, with all the destinations that it may have.
type Service struct {
	Config  *parser.Virtual
	Key     lvs.Key
	Members []Member // real servers in file order, then the fallback server
}

// Member is a real server, or the fallback server, of a virtual service.
type Member struct {
	Name     string   // as configured: address:port, or host:port with resolve
	Dest     lvs.Dest // as it is in the table while it serves
	Fallback bool
}

// Services finds the virtual services with this id, address:port or mark; "" means all.
func (p *Plan) Services(virtual string) []Service {
	var found []Service
	for _, v := range p.virtuals {
		if lvs.IsNamed(v.cfg.ID, virtual) {
			one := Service{Config: v.cfg, Key: v.key}
			for _, s := range v.entries() {
				one.Members = append(one.Members, Member{s.name(), s.Dest, s.Fallback})
			}
			found = append(found, one)
		}
	}
	return found
}

// virtual makes a virtual service from its section.
func (b *planBuilder) virtual(v *virtual, cfg *parser.Virtual) (found parser.Diagnostics) {
	key := cfg.Key
	v.cfg, v.key, v.name = cfg, key, key.Name()
	v.Section = sectionOf(cfg, b.Config.Global.ReaddQuiescent)
	settings, err := settingsOf(cfg)
	if err != nil {
		found = append(found, diagnose(cfg, cfg.At["virtual"], err))
	}
	v.settings = settings
	if cfg.CheckVIP.IsValid() {
		v.Brakes = make([]judge.Brake, len(cfg.Checks()))
	}
	refused, doubted := map[string]bool{}, doubts{}
	for i := range cfg.Reals {
		s := newServer(cfg, &cfg.Reals[i])
		v.servers = append(v.servers, s)
		found = append(found, b.checks(v, s, refused, doubted)...)
	}
	for _, s := range v.fallbacks() {
		v.fallbackServers = append(v.fallbackServers, s)
		if v.fallbackCheck != nil {
			found = append(found, b.checks(v, s, refused, doubted)...)
		}
	}
	v.enlist()
	b.staying(v)
	b.earlier(v)
	return found
}

// checks makes the checks of a server. A mistake is found once, for the first server.
func (b *planBuilder) checks(v *virtual, s *server, refused map[string]bool,
	doubted doubts) (found parser.Diagnostics) {
	cfg := user{v: v, s: s}.section()
	for number, check := range cfg.Checks() {
		j, err := b.judgement(v, s, number)
		d := ignored(cfg, number, int(j.number))
		if err != nil { // it is not a repetition then
			d = diagnose(check, s.real.At, err)
		}
		if d.Text != "" && !refused[d.Text] {
			refused[d.Text] = true
			found = append(found, d)
		}
		if doubt := doubted.look(user{v, s, j}.spec(), j); doubt != nil {
			d := diagnose(check, s.real.At, doubt)
			d.Severity, d.Kind = parser.Warning, "suspicious"
			found = append(found, d)
		}
	}
	return found
}

// doubts are the requests of a virtual service that were examined already.
type doubts map[question]bool

// question is what a check sends to a server.
type question struct {
	number           uint8 // of the check
	request, receive string
	steps            checker.List[lvs.Step]
}

// look finds doubtful settings of a check, once for all servers that share it.
func (d doubts) look(spec checker.Spec, j *judgement) *checker.SpecError {
	if j.task == nil {
		return nil
	}
	asked := question{j.number, spec.Request, spec.Receive, spec.Steps}
	if d[asked] {
		return nil
	}
	d[asked] = true
	return checker.Idle(j.task.Checker)
}

func newServer(cfg *parser.Virtual, r *parser.Real) *server {
	return &server{real: r, Member: judge.Member{Dest: destOf(cfg, r), MovedTo: -1, Backup: r.Backup,
		Comeback: r.Comeback}}
}

// ignored warns of a line of alsocheck that repeats an earlier check of the section with another weight.
func ignored(cfg *parser.Virtual, number, first int) (d parser.Diagnostic) {
	if number == first {
		return d
	}
	line, was, earlier := cfg.AlsoChecks[number-1], uint8(0), "the section's own check"
	if first > 0 {
		was = cfg.AlsoChecks[first-1].Weight
		earlier = fmt.Sprintf("the check of line %d", cfg.AlsoChecks[first-1].At.Line)
	}
	if line.Weight != was {
		d = parser.Diagnostic{Severity: parser.Warning, Kind: "repeated", Pos: line.At,
			Text: "alsocheck repeats " + earlier + " with another weight, and is ignored"}
	}
	return d
}

// judgement returns the judgement of a server by a check of the section. It adds one, unless the server has an equal
// check.
func (b *planBuilder) judgement(v *virtual, s *server, number int) (j *judgement, err error) {
	j = &s.first
	if number > 0 {
		j = &judgement{number: uint8(number)}
	}
	if x := (user{v, s, j}); x.section().CheckType != parser.Off {
		j.task, err = b.task(x.job(b.TLS))
	}
	last := &s.first
	for ; number > 0 && last.task != j.task; last = last.next {
		if last.next == nil {
			last.next = j
		}
	}
	if err != nil {
		return j, err
	}
	return last, nil
}

// diagnose gives an error of a checker or of the settings its position in the file.
func diagnose(cfg *parser.Virtual, fallback parser.Position, err error) parser.Diagnostic {
	at := fallback
	if spec, is := errors.AsType[*checker.SpecError](err); is {
		at = cmp.Or(cfg.At[spec.Directive], fallback)
	}
	return parser.Diagnostic{Severity: parser.Error, Kind: "bad-value", Pos: at, Text: err.Error()}
}
