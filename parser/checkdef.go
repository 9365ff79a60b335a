package parser

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// This file reads checks with names: the blocks of `checkdef` that service and alsocheck name.

// isOfCheck reports whether a checkdef may have the directive.
func (d *Directive) isOfCheck() bool { return d.Services != "" || d.is("check") }

// opensCheck matches the line that opens a checkdef.
var opensCheck = regexp.MustCompile(`(?m)^\x{feff}?[ \t]*checkdef[ \t]*=[ \t]*"?(\w[\w.-]*)`)

// nameChecks records the names of all checkdefs in advance, because a checkdef may be below the sections that use it.
func (r *reader) nameChecks(text string) {
	r.globals.checks = map[string]bool{}
	if !strings.Contains(text, "checkdef") { // as in most files; this is faster
		return
	}
	for _, m := range opensCheck.FindAllStringSubmatch(text, -1) {
		r.globals.checks[m[1]] = true
	}
}

// definesCheck reports whether the value's line is in a checkdef.
func (v *value) definesCheck() bool { return v.section.from.kind == "checkdef" }

// readService reads the name of a checkdef or a service. A checkdef takes precedence over a service with the same name.
// Within a checkdef, only a service is allowed.
func readService(v *value) string {
	text := unquote(v.text)
	if !v.definesCheck() {
		v.section.v.CheckName = ""
		if v.globals.checks[text] {
			v.section.v.CheckName = text
			return ""
		}
	}
	word := v.word()
	if !slices.Contains(serviceNames, word) {
		v.wrong("unknown service %q%s; known are %s; a block checkdef = NAME defines another check", v.text,
			DidYouMean(word, serviceNames), strings.Join(serviceNames, ", "))
	}
	v.only(word)
	return word
}

// takeOwnCheck gives a section the lines of the checkdef that its service names. A section without a service takes the
// service of the block that it uses.
func (r *reader) takeOwnCheck(s *section, used *block) {
	for b := used; b != nil && !s.v.has("service"); b = b.next {
		for _, l := range b.lines {
			if l.name == "service" {
				r.takeLine(s, b, l)
			}
		}
	}
	b := r.use(blockID{"checkdef", s.v.CheckName})
	if b == nil {
		return
	}
	if at, given := b.v.At["checktype"]; given && s.v.has("checktype") {
		r.in(s, inLines).error(conflict, s.v.At["checktype"],
			"checktype is given here and in the checkdef %s (%s); use only one of them", s.v.CheckName,
			at.SeenFrom(s.v.At["checktype"]))
	}
	named := s.v.At["service"]
	delete(s.v.At, "service")
	r.take(s, b)
	s.v.At["service"] = cmp.Or(s.v.At["service"], named)
}

// takeFurtherChecks gives each alsocheck line the checkdef that it names.
func (r *reader) takeFurtherChecks(s *section) {
	for i := range s.v.AlsoChecks {
		c := &s.v.AlsoChecks[i]
		b := r.use(blockID{"checkdef", c.Name})
		if b == nil {
			continue
		}
		c.check = &section{header: s.header, v: r.unwritten.v}
		c.check.v.At = map[string]Position{}
		r.take(c.check, b)
		c.Type, c.Port = c.check.v.CheckType, cmp.Or(c.Port, c.check.v.CheckPort)
		if c.Port > 0 && !c.hasPort() {
			r.in(s, inLines).error(badValue, c.At,
				"the checkdef %s is a check by %s, which has no port; write alsocheck = %[1]s", c.Name,
				c.Type)
		}
	}
}

// define gives a further check the values of its checkdef, or else the global values. The section's values apply only
// to its own check.
func (a adviser) define(check *Virtual, s *section) {
	var own Virtual
	inherit(a.global, &own, &s.v)
	own.Key, own.CheckPort = check.Key, check.CheckPort // the port of the alsocheck line takes precedence
	adviser{a.finder, &own, s, a.global}.conflicts()
	for _, d := range directives {
		to, ok := d.field(check)
		if !ok || !d.isOfCheck() {
			continue
		}
		from, _ := d.field(&own)
		to.Set(from)
		delete(check.At, d.Name)
	}
	check.Steps = own.Steps
	maps.Copy(check.At, own.At)
}
