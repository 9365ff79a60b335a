package plan

import (
	"cmp"
	"errors"
	"net/netip"
	"strings"

	"ldirectord/checker"
	"ldirectord/checker/settings"
	"ldirectord/internal/judge"
	"ldirectord/internal/schedule"
	"ldirectord/parser"
)

// Build makes the checker for a spec, as protocol.New does.
type Build func(checker.Spec) (checker.Checker, error)

// New prepares a configuration. It returns a diagnostic, with the position in the file, for each setting that a checker
// or the table can't implement, and a warning for each doubtful one. The plan is nil if any diagnostic is an error.
func New(cfg *parser.Config, build Build) (*Plan, parser.Diagnostics) {
	b := newBuilder(cfg, build)
	all := make([]Service, len(cfg.Virtuals)) // allocated at once
	b.Services = make([]*Service, len(all))
	for i := range all {
		b.service(&all[i], cfg.Virtuals[i])
		b.Services[i] = &all[i]
	}
	found := append(b.found, unreadablePatterns(cfg.Unsound, build)...)
	if found.HasErrors() {
		return nil, found
	}
	return b.Plan, found
}

// unreadablePatterns finds bad patterns in sections that have other errors, because one mistake must not hide another.
func unreadablePatterns(sections []*parser.Virtual, build Build) (found parser.Diagnostics) {
	for _, cfg := range sections {
		cfg.Reals, cfg.AllFallbacks = []parser.Real{{}}, nil
		if cfg.CheckType == parser.Off { // nothing is checked, whatever agentport and alsocheck say
			continue
		}
		b := newBuilder(&parser.Config{}, build)
		b.service(&Service{}, cfg)
		for _, d := range b.found.Errors() {
			if strings.HasPrefix(d.Text, "receive: ") || strings.HasPrefix(d.Text, "expect: ") {
				found = append(found, d)
			}
		}
	}
	return found
}

// builder makes the checkers of a plan. Equal checks share a checker.
type builder struct {
	*Plan
	build Build
	found parser.Diagnostics
	// of the current virtual service: the texts of its diagnostics, and the questions that doubt has examined
	refused map[string]bool
	asked   map[question]bool
}

func newBuilder(cfg *parser.Config, build Build) *builder {
	servers := 0
	for _, v := range cfg.Virtuals {
		servers += len(v.Reals)
	}
	// allocated at its full size: a growing map would hash every job again
	jobs := make(map[job]*schedule.Task, servers)
	return &builder{Plan: &Plan{Config: cfg, TLS: checker.TLSSums{}, jobs: jobs}, build: build}
}

// task returns the check of a job, and makes it if there is none.
func (b *builder) task(spec checker.Spec, j job) (*schedule.Task, error) {
	if t, ok := b.jobs[j]; ok {
		return t, nil
	}
	check, err := b.build(spec)
	if err != nil {
		return nil, err
	}
	t := &schedule.Task{Every: j.every, Checker: check}
	b.jobs[j] = t
	b.Tasks = append(b.Tasks, t)
	if spec.Through != (checker.Through{}) {
		b.Ways = append(b.Ways, spec.Through)
	}
	return t, nil
}

// service makes a virtual service from its section.
func (b *builder) service(s *Service, cfg *parser.Virtual) {
	b.refused, b.asked = map[string]bool{}, map[question]bool{}
	*s = Service{Config: cfg}
	s.Section = sectionOf(cfg, b.Config.Global.ReaddQuiescent)
	settings, err := settingsOf(cfg)
	if err != nil {
		b.found = append(b.found, diagnose(cfg, cfg.At["virtual"], err))
	}
	s.Settings = settings
	reals := make([]Entry, len(cfg.Reals)) // allocated at once
	members := make([]*Entry, len(reals))
	for i := range reals {
		members[i] = &reals[i]
		reals[i] = entryOf(cfg, &cfg.Reals[i], i)
		b.examine(s, &reals[i])
	}
	s.have(members)
	fallbacks := b.fallbacks(s)
	b.staying(s)
	s.Section.Fallbacks, s.Entries = membersOf(fallbacks), append(s.Entries, fallbacks...)
	b.earlier(s)
}

// fallbacks makes the fallback servers. With fallbackcheck, they are checked like real servers, but the checks only
// choose among them.
func (b *builder) fallbacks(s *Service) (all []*Entry) {
	s.FallbackCheck, _ = s.Config.Fallbacks()
	reals := s.Config.AllFallbacks
	for i := range reals {
		e := entryOf(s.Config, &reals[i], i)
		e.Fallback, e.Unchecked = true, true
		if s.FallbackCheck != nil {
			b.examine(s, &e)
		}
		all = append(all, &e)
	}
	return all
}

// staying makes entries for servers that are kept although they are no longer in the file, see parser.Virtual.Staying.
func (b *builder) staying(s *Service) {
	all, made := s.Entries, map[netip.AddrPort]bool{}
	for i := range s.Config.Staying {
		if e := b.left(s, &s.Config.Staying[i], len(all), made); e != nil {
			all = append(all, e)
		}
	}
	if len(made) > 0 {
		s.have(all)
	}
}

// earlier makes entries for the former addresses of the servers' host names.
func (b *builder) earlier(s *Service) {
	made := map[netip.AddrPort]bool{}
	for _, now := range s.Reals() {
		if now.Real.Named == nil {
			continue
		}
		for i := range now.Real.Named.Earlier {
			if e := b.left(s, &now.Real.Named.Earlier[i], 0, made); e != nil {
				e.MovedTo = now.At
				s.Earlier = append(s.Earlier, e)
			}
		}
	}
}

// left makes the entry of a server that has left the file. It returns nil if the server's address and port already have
// an entry, either from the file or from an earlier call. It reports no mistakes in the checks, because they are
// reported for the servers in the file.
func (b *builder) left(s *Service, r *parser.Real, place int, made map[netip.AddrPort]bool) *Entry {
	e := entryOf(s.Config, r, place)
	if made[e.Dest.Addr] || len(s.Section.AllAt(e.Dest.Addr)) > 0 {
		return nil
	}
	made[e.Dest.Addr] = true
	for number := range s.Config.Checks() {
		_, _ = b.line(s, &e, number)
	}
	return &e
}

// entryOf makes the entry of a real server, without checks. place is its index among the members, or among the fallback
// servers.
func entryOf(cfg *parser.Virtual, r *parser.Real, place int) Entry {
	return Entry{Real: r, Member: judge.Member{Dest: destOf(cfg, r), At: int32(place), MovedTo: -1,
		Backup: r.Backup, Comeback: r.Comeback}}
}

// examine makes the checks of an entry. It reports each mistake only once, for the first server.
func (b *builder) examine(s *Service, e *Entry) {
	cfg := Use{Service: s, Entry: e}.Section()
	for number, check := range cfg.Checks() {
		l, err := b.line(s, e, number)
		d := ignored(cfg, number, int(l.Number))
		if err != nil { // then it is not a repetition
			d = diagnose(check, e.Real.At, err)
		}
		if d.Text != "" && !b.refused[d.Text] {
			b.refused[d.Text] = true
			b.found = append(b.found, d)
		}
		if doubt := b.doubt(Use{s, e, l}.Spec(), l); doubt != nil {
			d := diagnose(check, e.Real.At, doubt)
			d.Severity, d.Kind = parser.Warning, "suspicious"
			b.found = append(b.found, d)
		}
	}
}

// question is what a check sends to a server, and the answer that it expects.
type question struct {
	number           uint8 // the number of the check
	request, receive string
	steps            checker.List[settings.Step]
}

// doubt finds doubtful settings of a check, once for all servers of the virtual service that get the same question.
func (b *builder) doubt(spec checker.Spec, l *Line) *checker.SpecError {
	if l.Task == nil {
		return nil
	}
	asks := question{l.Number, spec.Request, spec.Receive, spec.Steps}
	if b.asked[asks] {
		return nil
	}
	b.asked[asks] = true
	return checker.Idle(l.Task.Checker)
}

// ignored warns of an alsocheck line that repeats an earlier check of the section with another weight.
func ignored(cfg *parser.Virtual, number, first int) (d parser.Diagnostic) {
	if number == first {
		return d
	}
	line, was, earlier := cfg.AlsoChecks[number-1], uint8(0), "the section's own check"
	if first > 0 {
		was = cfg.AlsoChecks[first-1].Weight
		earlier = "the check of " + cfg.AlsoChecks[first-1].At.SeenFrom(line.At)
	}
	if line.Weight != was {
		d = parser.Diagnostic{Severity: parser.Warning, Kind: "repeated", Pos: line.At,
			Text: "alsocheck repeats " + earlier + " with another weight, and is ignored"}
	}
	return d
}

// line returns the check that the section's line with this number configures for an entry. Number 0 is the section's
// own check. line adds the check to the entry, unless the entry already has an equal one.
func (b *builder) line(s *Service, e *Entry, number int) (l *Line, err error) {
	l = &e.First
	if number > 0 {
		l = &Line{Number: uint8(number)}
	}
	if x := (Use{s, e, l}); x.Section().CheckType != parser.Off {
		l.Task, err = b.task(x.job(b.TLS))
	}
	e.Unchecked = e.First.Task == nil
	last := &e.First
	for ; number > 0 && last.Task != l.Task; last = last.Next {
		if last.Next == nil {
			last.Next = l
		}
	}
	if err != nil {
		return l, err
	}
	return last, nil
}

// diagnose returns the diagnostic for an error of a checker or of the settings, with its position in the file.
func diagnose(cfg *parser.Virtual, fallback parser.Position, err error) parser.Diagnostic {
	at := fallback
	if spec, is := errors.AsType[*checker.SpecError](err); is {
		at = cmp.Or(cfg.At[spec.Directive], fallback)
	}
	return parser.Diagnostic{Severity: parser.Error, Kind: "bad-value", Pos: at, Text: err.Error()}
}
