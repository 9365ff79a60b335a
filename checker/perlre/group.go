package perlre

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// opening matches the beginning of a group: a look-around, an atomic group, a named group, a group with modifiers, or a
// plain group. It also matches modifiers alone, which apply to what follows.
var opening = regexp.MustCompile(`^\((?:\?(?:(<?[=!])|(>)|P?<([A-Za-z_]\w*)>|'([A-Za-z_]\w*)'|` +
	`(\^?)([imsnpgco]*x?[imsnpgco]*)(?:-([imsnxpgco]*))?([:)])))?`)

// group reads a group.
func (s *scanner) group() part {
	begin := s.pos
	m := s.match(opening)
	switch {
	case m[1] != "":
		return part{text: s.enclosed("(?"+m[1], begin).text, odd: true}
	case m[2] != "":
		return s.enclosed("(?:", begin).held()
	case m[8] != "":
		return s.modified(m, begin)
	case m[0] == "(" && (s.accept("?") || s.accept("*")):
		return s.fail(begin,
			"%q is not supported: a group is (…), (?:…), (?<name>…), (?=…), (?!…), (?<=…), (?<!…) or "+
				"(?>…), with modifiers i, m, n, s and x", s.src[begin:min(begin+12, len(s.src))])
	}
	name := m[3] + m[4]
	if name == "" && s.on['n'] {
		return s.enclosed("(?:", begin)
	}
	if s.groups[name] > 0 {
		return s.fail(begin, "two groups with the name %s are not supported", name)
	}
	s.count++
	s.groups[strconv.Itoa(s.count)] = s.count
	if name != "" {
		s.groups[name] = s.count
	}
	return s.enclosed("(", begin)
}

// enclosed reads the inside of a group and its ")". Modifiers changed inside apply only up to the end of the group.
func (s *scanner) enclosed(open string, begin int) part {
	if s.nesting++; s.nesting > maxNesting {
		s.fail(begin, "more than %d nested groups", maxNesting)
	}
	saved := s.on
	inside := s.branches()
	s.on = saved
	s.nesting--
	if !s.accept(")") {
		s.fail(begin, "unmatched (")
	}
	inside.text = open + inside.text + ")"
	return inside
}

// modified applies modifiers. (?flags:...) applies to the inside, which modified reads, and (?flags) to what follows.
func (s *scanner) modified(m []string, begin int) part {
	saved := s.on
	if m[5] != "" {
		s.on = scanner{}.on
	}
	for i, letters := range m[6:8] {
		for _, c := range letters {
			s.on[c] = i == 0
		}
	}
	open := "(?-i"
	if s.on['i'] {
		open = "(?i"
	}
	if m[8] == ")" {
		return part{text: open + ")", nothing: true, plain: true}
	}
	group := s.enclosed(open+":", begin)
	s.on = saved
	return group
}

// references matches all ways to write a back-reference.
var references = regexp.MustCompile(`^(?:\\(?:([1-9][0-9]*)|g(-?[0-9]+)|g\{[ \t]*(-?[0-9]+)[ \t]*\}|` +
	`[gk]\{[ \t]*([A-Za-z_]\w*)[ \t]*\}|k<([A-Za-z_]\w*)>|k'([A-Za-z_]\w*)'|[gk])|\(\?P=([A-Za-z_]\w*)\))`)

// reference reads a back-reference. \10 and above are octal numbers if the pattern does not have that many groups.
func (s *scanner) reference() (ref part, ok bool) {
	begin := s.pos
	m := s.match(references)
	if m == nil {
		return ref, false
	}
	name := strings.Join(m[1:], "")
	n, _ := strconv.Atoi(name)
	if n < 0 {
		name = strconv.Itoa(s.count + 1 + n)
	}
	group, found := s.groups[name]
	switch {
	case found:
		return part{text: fmt.Sprintf(`(?:\%d)`, group), odd: true, wide: true}, true
	case m[1] != "" && n > max(9, strings.Count(s.src, "(")) && name < "8":
		s.pos = begin
		return ref, false
	}
	return s.fail(begin, "%s: no group before it has this number or name", m[0]), true
}
