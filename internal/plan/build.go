package plan

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"ldirectord/checker"
	"ldirectord/checker/settings"
	"ldirectord/internal/judge"
	"ldirectord/internal/schedule"
	"ldirectord/parser"
)

// Build makes the checker of a spec, as protocol.New does.
type Build func(checker.Spec) (checker.Checker, error)

// New prepares a configuration. If no checker or table can carry something out, it returns a diagnostic with the
// position in the file. The plan is nil when there are errors among them.
func New(cfg *parser.Config, build Build) (*Plan, parser.Diagnostics) {
	b := newBuilder(cfg, build)
	p := b.Plan
	var found parser.Diagnostics
	all := make([]Service, len(cfg.Virtuals)) // allocated at once
	p.Services = make([]*Service, len(all))
	for i := range all {
		found = append(found, b.service(&all[i], cfg.Virtuals[i])...)
		p.Services[i] = &all[i]
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
		for _, d := range newBuilder(&parser.Config{}, build).service(&Service{}, cfg).Errors() {
			if strings.HasPrefix(d.Text, "receive: ") || strings.HasPrefix(d.Text, "expect: ") {
				found = append(found, d)
			}
		}
	}
	return found
}

// builder makes the checkers of a plan; equal checks share one.
type builder struct {
	*Plan
	build Build
}

func newBuilder(cfg *parser.Config, build Build) *builder {
	servers := 0
	for _, v := range cfg.Virtuals {
		servers += len(v.Reals)
	}
	// allocated at once: a growing map would hash every job again
	jobs := make(map[job]*schedule.Task, servers)
	return &builder{&Plan{Config: cfg, TLS: checker.TLSSums{}, jobs: jobs}, build}
}

// task is the check of a job.
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
func (b *builder) service(s *Service, cfg *parser.Virtual) (found parser.Diagnostics) {
	*s = Service{Config: cfg}
	s.Section = sectionOf(cfg, b.Config.Global.ReaddQuiescent)
	settings, err := settingsOf(cfg)
	if err != nil {
		found = append(found, diagnose(cfg, cfg.At["virtual"], err))
	}
	s.Settings = settings
	reals := make([]Entry, len(cfg.Reals)) // allocated at once
	refused, doubted := map[string]bool{}, doubts{}
	for i := range reals {
		e := &reals[i]
		*e = entryOf(cfg, &cfg.Reals[i], i)
		found = append(found, b.examined(s, e, refused, doubted)...)
		s.Entries = append(s.Entries, e)
	}
	s.Section.Members = membersOf(s.Entries)
	s.Section.Index()
	fallbacks, more := b.fallbacks(s, refused, doubted)
	found = append(found, more...)
	b.staying(s)
	s.Section.Fallbacks, s.Entries = membersOf(fallbacks), append(s.Entries, fallbacks...)
	b.earlier(s)
	return found
}

// fallbacks makes the fallback servers. With fallbackcheck they are checked like real servers, but their checks only
// choose among them.
func (b *builder) fallbacks(s *Service, refused map[string]bool, doubted doubts) (all []*Entry,
	found parser.Diagnostics) {
	s.FallbackCheck, _ = s.Config.Fallbacks()
	reals := s.Config.AllFallbacks()
	for i := range reals {
		e := entryOf(s.Config, &reals[i], i)
		e.Fallback, e.Unchecked = true, true
		if s.FallbackCheck != nil {
			found = append(found, b.examined(s, &e, refused, doubted)...)
		}
		all = append(all, &e)
	}
	return all, found
}

// staying makes the entries that stay although they have left the file.
func (b *builder) staying(s *Service) {
	var all []*Entry
	made := map[netip.AddrPort]bool{}
	for i := range s.Config.Staying {
		e := entryOf(s.Config, &s.Config.Staying[i], len(s.Entries)+len(all))
		if !made[e.Dest.Addr] && !s.has(e.Dest.Addr) {
			made[e.Dest.Addr] = true
			b.check(s, &e)
			all = append(all, &e)
		}
	}
	if len(all) > 0 {
		s.Entries = append(s.Entries, all...)
		s.Section.Members = membersOf(s.Entries)
		s.Section.Index()
	}
}

// earlier makes entries for the former addresses of a virtual service's names. A server at an address of the file has
// not moved away.
func (b *builder) earlier(s *Service) {
	made := map[netip.AddrPort]bool{}
	for _, now := range s.Reals() {
		if now.Real.Named == nil {
			continue
		}
		for i := range now.Real.Named.Earlier {
			e := entryOf(s.Config, &now.Real.Named.Earlier[i], 0)
			if made[e.Dest.Addr] || s.has(e.Dest.Addr) {
				continue
			}
			b.check(s, &e)
			e.MovedTo, made[e.Dest.Addr] = now.At, true
			s.Earlier = append(s.Earlier, &e)
		}
	}
}

// entryOf is a real server at its place among the members, without checks.
func entryOf(cfg *parser.Virtual, r *parser.Real, place int) Entry {
	return Entry{Real: r, Member: judge.Member{Dest: destOf(cfg, r), At: int32(place), MovedTo: -1,
		Backup: r.Backup, Comeback: r.Comeback}}
}

// check makes the checks of an entry that is not in the file. Their mistakes were reported for the one in the file.
func (b *builder) check(s *Service, e *Entry) {
	for number := range s.Config.Checks() {
		_, _ = b.line(s, e, number)
	}
}

// examined makes the checks of an entry. A mistake is found once, for the first server.
func (b *builder) examined(s *Service, e *Entry, refused map[string]bool, doubted doubts) (found parser.Diagnostics) {
	cfg := Use{Service: s, Entry: e}.Section()
	for number, check := range cfg.Checks() {
		l, err := b.line(s, e, number)
		d := ignored(cfg, number, int(l.Number))
		if err != nil { // it is not a repetition then
			d = diagnose(check, e.Real.At, err)
		}
		if d.Text != "" && !refused[d.Text] {
			refused[d.Text] = true
			found = append(found, d)
		}
		if doubt := doubted.look(Use{s, e, l}.Spec(), l); doubt != nil {
			d := diagnose(check, e.Real.At, doubt)
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
	steps            checker.List[settings.Step]
}

// look finds doubtful settings of a check, once for all servers that share it.
func (d doubts) look(spec checker.Spec, l *Line) *checker.SpecError {
	if l.Task == nil {
		return nil
	}
	asked := question{l.Number, spec.Request, spec.Receive, spec.Steps}
	if d[asked] {
		return nil
	}
	d[asked] = true
	return checker.Idle(l.Task.Checker)
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

// line returns the check of an entry by a line of checks. It adds one, unless the entry has an equal check.
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

// diagnose gives an error of a checker or of the settings its position in the file.
func diagnose(cfg *parser.Virtual, fallback parser.Position, err error) parser.Diagnostic {
	at := fallback
	if spec, is := errors.AsType[*checker.SpecError](err); is {
		at = cmp.Or(cfg.At[spec.Directive], fallback)
	}
	return parser.Diagnostic{Severity: parser.Error, Kind: "bad-value", Pos: at, Text: err.Error()}
}
