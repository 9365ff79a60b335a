package parser

import (
	"fmt"
)

// assign reads a value and puts it in its place, which is global when s is nil.
func (r *reader) assign(at place, l line, d *Directive, s *section) {
	v := &r.value
	v.meant(l, s != nil, d.Form)
	p := r.set(d, s, v)
	if literal := l.literal(s != nil); literal != v.text && !d.Extension {
		r.compare(at, d, s, v, literal, p)
	}
	r.notes(at, v)
	if p != nil && r.told == l.number {
		p.kind = r.refusal
	}
	if p != nil && d.Form != RealServer { // whose turn comes with the names
		r.problem(at, l, p)
	}
	r.written(at, l, d, s)
}

// written notes where a directive stands, and that it stood elsewhere before.
func (r *reader) written(at place, l line, d *Directive, s *section) {
	written := r.globals.at
	if s != nil {
		written = s.at
	}
	before, again := written[d.Name]
	switch {
	case again && !d.Repeats:
		r.warn(at, repeated, l.at(l.start), fmt.Sprintf("%s is given again; the one in line %d does not count", d.Name, before.Line))
	case !again && s != nil && d.Extension:
		s.extensions = append(s.extensions, d)
	}
	written[d.Name] = l.position()
}

func (r *reader) set(d *Directive, s *section, v *value) *problem {
	if s == nil {
		return d.setGlobal(&r.globals, v)
	}
	return d.setSection(s, v)
}

// compare reads the value once more, the way the reference does, where that differs from what is
// meant. What only the reference refuses is a matter of layout; what both refuse is reported as the
// reference's kind of error.
func (r *reader) compare(at place, d *Directive, s *section, v *value, literal string, p *problem) {
	var refused *problem
	if s == nil {
		refused = d.setGlobal(r.globals.probe(), &value{line: v.line, text: literal})
	} else {
		refused = d.setSection(s.probe(), &value{line: v.line, text: literal})
	}
	switch {
	case refused == nil:
	case p != nil:
		p.kind = refused.kind
	case literal == v.text+"\r" && r.crTold && !r.strict:
	default:
		r.crTold = r.crTold || literal == v.text+"\r"
		r.tolerate(at, v.line, refused.kind, v.line.position(), layoutOf(v, literal))
	}
}

// layoutOf names what makes the reference refuse a value.
func layoutOf(v *value, literal string) string {
	switch {
	case len(literal) < len(v.text):
		return "a # is in quotes; the Perl ldirectord cuts the value there"
	case v.commented:
		return "a comment follows the value; it belongs on a line of its own"
	case literal == v.text+"\r":
		return "the lines end in CR LF; they end in LF alone"
	default:
		return "blanks follow the value; the Perl ldirectord refuses that"
	}
}

// tolerate reports a layout that the reference refuses, one for a line.
func (r *reader) tolerate(at place, l line, refusal string, pos Position, text string) {
	if r.told != l.number {
		r.told, r.refusal = l.number, refusal
		r.layout(at, refusal, pos, text)
	}
}

func (r *reader) notes(at place, v *value) {
	for _, n := range v.notes {
		if n.refusal != "" {
			r.tolerate(at, v.line, n.refusal, v.line.position(), n.text)
		} else {
			r.warn(at, n.kind, v.line.position(), n.text)
		}
	}
}

func (r *reader) problem(at place, l line, p *problem) {
	r.add(at, Diagnostic{Severity: Error, Kind: p.kind, Pos: l.around(p.part), Text: p.text, lookup: p.lookup})
}
