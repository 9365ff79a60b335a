package parser

import "strings"

// assign reads a value, and sets it in section s, or in the globals if s is nil.
func (r *reader) assign(at finder, l line, d *Directive, s *section) {
	v := r.read(l, d, s)
	if literal := l.literal(s != nil); literal != v.text && !d.Extension {
		where := at
		if d.Form == RealServer { // the Perl ldirectord reads real servers when it looks up their names
			where.phase = realNames
		}
		r.compare(where, d, v, literal)
	}
	if v.problem != nil && r.reportedLine == l.order {
		v.problem.Kind = r.refusal
	}
	at.told(v)
	written := r.globals.At
	if s != nil {
		written = s.v.At
	}
	at.given(written, l, d)
}

// given records where a directive is written, and warns if it is written again.
func (f finder) given(written map[string]Position, l line, d *Directive) {
	if before, again := written[d.Name]; again && !d.Repeats {
		f.warn(repeated, l.begin, "%s is given again; the one in line %d is ignored", d.Name, before.Line)
	}
	written[d.Name] = l.position()
}

// read reads the value of a line, and sets it. The next call overwrites the value that it returns.
func (r *reader) read(l line, d *Directive, s *section) *value {
	v := &r.value
	*v = value{line: l, form: d.Form, opts: &r.opts, globals: &r.globals, section: s, notes: v.notes[:0]}
	v.takeMeant()
	d.set(v)
	return v
}

// compare reads literal, the text that the Perl ldirectord takes for the value v. If the Perl ldirectord refuses
// literal although v is right, compare reports the layout. If both are refused, the error gets the kind of the Perl
// ldirectord's error.
func (r *reader) compare(at finder, d *Directive, v *value, literal string) {
	trial := value{line: v.line, text: literal, opts: &Options{}, globals: &globals{}}
	if v.section != nil {
		trial.section = &section{header: v.section.header}
	}
	d.set(&trial)
	switch refused := trial.problem; {
	case refused == nil:
	case v.problem != nil:
		v.problem.Kind = refused.Kind
	case literal == v.text+"\r" && r.crReported && !r.strict:
	default:
		r.crReported = r.crReported || literal == v.text+"\r"
		at.tolerate(v.line, refused.Kind, v.position(), layoutOf(v, literal))
	}
}

// layoutOf describes the layout that makes the Perl ldirectord refuse a value.
func layoutOf(v *value, literal string) string {
	switch {
	case len(literal) < len(v.text):
		return "a # is in quotes; the Perl ldirectord cuts the value there"
	case v.commented:
		return "a comment follows the value; it belongs on a line of its own"
	case literal == v.text+"\r":
		return "the lines end in CR LF; they must end in LF alone"
	default:
		return "blanks follow the value; the Perl ldirectord refuses that"
	}
}

// tolerate reports a layout that the Perl ldirectord refuses, at most once for each line.
func (f finder) tolerate(l line, refusal string, pos Position, text string) {
	if f.reportedLine != l.order {
		f.reportedLine, f.refusal = l.order, refusal
		f.layout(refusal, pos, text)
	}
}

// told reports the notes about a value and the value's problem. The problem of a real server is reported later, when
// its names are looked up.
func (f finder) told(v *value) {
	f.notes(v)
	if v.form != RealServer {
		f.refused(v)
	}
}

// refused reports the problem of a value, if it has one.
func (f finder) refused(v *value) bool {
	if v.problem != nil {
		f.about(v.line, *v.problem)
	}
	return v.problem != nil
}

func (f finder) notes(v *value) {
	for _, n := range v.notes {
		f.about(v.line, *n)
	}
}

// about reports a finding about the value of a line.
func (f finder) about(l line, d Diagnostic) {
	if d.tolerated {
		f.tolerate(l, d.Kind, l.position(), d.Text)
		return
	}
	d.Pos = l.around(d.part)
	if rest, ok := strings.CutPrefix(d.Text, "the value "); ok {
		d.Text = "the value of " + l.name + " " + rest
	}
	f.add(d)
}
