// Package director is the brain of ldirectord: it turns a configuration and what the checks say into
// the table of IPVS that should be, and makes it so. One goroutine owns all of its state.
package director

import (
	"cmp"
	"errors"

	"ldirectord/checker"
	"ldirectord/ipvsctl"
	"ldirectord/parser"
)

// Plan is a configuration made ready to run. Every key and setting of the table is computed and every checker built, so
// that a mistake in the file can no longer make it fail.
type Plan struct {
	Config   *parser.Config
	TLS      checker.TLSSums // of the files that the checks read
	virtuals []*virtual
	tasks    []*checker.Task // every check once, in the order of the file
}

// Build makes the checker of a spec, as checker.New does.
type Build func(checker.Spec) (checker.Checker, error)

// NewPlan prepares a configuration. What no checker or no table can carry out is returned as diagnostics with the
// position in the file. The plan is nil when there are errors among them.
func NewPlan(cfg *parser.Config, build Build) (*Plan, parser.Diagnostics) {
	p := &Plan{Config: cfg, TLS: checker.TLSSums{}}
	b := planBuilder{Plan: p, build: build, made: map[job]*checker.Task{}}
	var found parser.Diagnostics
	for i := range cfg.Virtuals {
		v, diags := b.virtual(&cfg.Virtuals[i])
		found = append(found, diags...)
		p.virtuals = append(p.virtuals, v)
	}
	if found.HasErrors() {
		return nil, found
	}
	return p, found
}

// planBuilder makes the checkers of a plan, equal ones once.
type planBuilder struct {
	*Plan
	build Build
	made  map[job]*checker.Task
}

// task is the check of a job.
func (b *planBuilder) task(j job) (*checker.Task, error) {
	if t, ok := b.made[j]; ok {
		return t, nil
	}
	check, err := b.build(j.spec)
	if err != nil {
		return nil, err
	}
	t := &checker.Task{Every: j.every, Checker: check}
	b.made[j] = t
	b.tasks = append(b.tasks, t)
	return t, nil
}

// Keys are the virtual services of the plan.
func (p *Plan) Keys() []ipvsctl.Key { return keysOf(p.virtuals) }

func keysOf(virtuals []*virtual) []ipvsctl.Key {
	keys := make([]ipvsctl.Key, len(virtuals))
	for i, v := range virtuals {
		keys[i] = v.key
	}
	return keys
}

// Preview is the table that the plan leads to when every server passes its checks.
func (p *Plan) Preview() ipvsctl.Table {
	t := ipvsctl.Table{}
	for _, v := range p.virtuals {
		for _, s := range v.servers {
			s.assume(checker.Assume(checker.Up))
		}
		t[v.key] = ipvsctl.Service{Key: v.key, Settings: v.settings, Dests: v.desired(nil)}
		for _, s := range v.servers {
			s.assume(checker.Health{})
		}
	}
	return t
}

// Destinations are the servers of each virtual service, by its id, as Event.Real names them.
func (p *Plan) Destinations() map[string][]string {
	names := make(map[string][]string, len(p.virtuals))
	for _, v := range p.virtuals {
		for _, s := range v.servers {
			names[v.cfg.ID] = append(names[v.cfg.ID], s.dest.Addr.String())
		}
	}
	return names
}

// Check is one check of a plan and where it is used.
type Check struct {
	Virtual, Real string
	Spec          checker.Spec
	Task          *checker.Task // nil with checktype=off
}

// Checks lists every check of the plan in the order of the file.
func (p *Plan) Checks() []Check {
	var list []Check
	for _, v := range p.virtuals {
		for _, s := range v.servers {
			list = append(list, Check{Virtual: v.cfg.ID, Real: s.name(), Spec: specOf(v.cfg, s.real), Task: s.first.task})
		}
	}
	return list
}

func (b *planBuilder) virtual(cfg *parser.Virtual) (*virtual, parser.Diagnostics) {
	key := keyOf(cfg)
	v := &virtual{cfg: cfg, name: keyName(key), key: key}
	var found parser.Diagnostics
	settings, err := settingsOf(cfg)
	if err != nil {
		found = append(found, diagnose(cfg, cfg.At["virtual"], err))
	}
	v.settings = settings
	if cfg.Fallback != nil {
		v.fallback = &ipvsctl.Dest{
			Addr:    destAddr(cfg, cfg.Fallback.Addr, cfg.Fallback.Forward),
			Forward: forwardOf(cfg.Fallback.Forward),
			Weight:  uint32(cfg.Fallback.Weight),
		}
		v.fallbackName = cfg.Fallback.Addr.String()
	}
	refused, doubted := map[string]bool{}, doubts{}
	for i := range cfg.Reals {
		s, err := b.server(cfg, &cfg.Reals[i])
		if err != nil && !refused[err.Error()] {
			refused[err.Error()] = true
			found = append(found, diagnose(cfg, cfg.Reals[i].At, err))
		}
		if doubt := doubted.look(cfg, s); doubt != nil {
			d := diagnose(cfg, cfg.Reals[i].At, doubt)
			d.Severity, d.Kind = parser.Warning, "suspicious"
			found = append(found, d)
		}
		v.servers = append(v.servers, s)
	}
	return v, found
}

// doubts are the questions of a virtual service that were looked at.
type doubts map[question]bool

// question is what a check asks a server.
type question struct {
	request, receive string
	steps            checker.List[checker.Step]
}

// look finds what is doubtful in a check, once for all servers that have the same ones.
func (d doubts) look(cfg *parser.Virtual, s *server) *checker.SpecError {
	if s.first.task == nil {
		return nil
	}
	spec := specOf(cfg, s.real)
	asked := question{spec.Request, spec.Receive, spec.Steps}
	if d[asked] {
		return nil
	}
	d[asked] = true
	if idle := checker.Idle(s.first.task.Checker); idle != nil {
		return idle
	}
	return checker.Doubt(spec)
}

func (b *planBuilder) server(cfg *parser.Virtual, r *parser.Real) (s *server, err error) {
	s = &server{
		real: r,
		dest: ipvsctl.Dest{
			Addr:    destAddr(cfg, r.Addr, r.Forward),
			Forward: forwardOf(r.Forward),
			Weight:  uint32(r.Weight),
			Upper:   uint32(r.Upper),
			Lower:   uint32(r.Lower),
		},
	}
	if cfg.CheckType != parser.Off {
		s.first.task, err = b.task(jobOf(cfg, r, b.TLS))
	}
	return s, err
}

// diagnose says where in the file an error of a checker or of the settings belongs.
func diagnose(cfg *parser.Virtual, fallback parser.Position, err error) parser.Diagnostic {
	at := fallback
	if spec, is := errors.AsType[*checker.SpecError](err); is {
		at = cmp.Or(cfg.At[spec.Directive], fallback)
	}
	return parser.Diagnostic{Severity: parser.Error, Kind: "bad-value", Pos: at, Text: err.Error()}
}
