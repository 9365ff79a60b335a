package parser

import "strings"

// oddDirective handles a line that has an unknown directive or no =.
func (r *reader) oddDirective(l line) {
	at := r.at(l)
	if !r.inside(l) && !r.inPart && strings.HasPrefix(l.name, "supervised") {
		r.supervised(at, l)
		return
	}
	kind := unknownDirective
	if was, ok := removed[l.name]; ok && l.equals && (l.indent == 0 || was.section && r.open) {
		kind = removedDirective
	} else if best := nearest(l.name, headers); best != "" && l.indent < sectionIndent {
		// The lines that follow belong to the section or block that this line should open.
		if best == "defaults" {
			at = r.in(r.openBlock(l).section, inLines)
		} else {
			at = r.in(r.openSection(l, best == "virtual6"), inLines)
		}
	}
	at.error(kind, l.begin, "%s", describeOdd(l))
}

var headers = []string{"virtual", "virtual6", "defaults"}

func describeOdd(l line) string {
	const allowed = "; a line is NAME = VALUE or a comment after #"
	switch {
	case l.name == "":
		return "the line does not begin with a name" + allowed
	case byName[l.name] != nil:
		return l.name + " is not followed by =" + allowed
	case removed[l.name].instead != "":
		return l.name + " is no longer a directive; use " + removed[l.name].instead + " instead"
	}
	if best := nearest(l.name, directiveNames); best != "" {
		return "unknown directive " + quote(l.name) + "; did you mean " + quote(best) + "?"
	}
	return "unknown directive " + quote(l.name) + allowed
}

// supervised handles `supervised`, the only directive that needs no value. The Perl ldirectord also accepts longer
// words that begin with it.
func (r *reader) supervised(at finder, l line) {
	rest := l.text[l.value:]
	kind := badValue
	if l.indent > 0 {
		kind = unknownDirective
	}
	if l.name != "supervised" || rest != "" && rest[0] != '#' {
		at.error(kind, l.begin,
			"%q is not followed by = and a value; write supervised=yes or supervised=no", l.name)
		return
	}
	r.place(at, l)
	if rest != "" {
		at.tolerate(l, badValue, l.at(l.value),
			"a comment follows the directive; it belongs on a line of its own")
	}
	at.warn(deprecated, l.begin, "supervised has no value; write supervised=yes")
	r.globals.Supervised = true
	r.globals.At[l.name] = l.begin
}
