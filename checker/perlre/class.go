package perlre

import "regexp"

// class reads a bracketed character class.
func (s *characters) class() byteSet {
	begin := s.pos
	s.pos++
	negate := s.accept("^")
	var set byteSet
	for first := true; ; first = false {
		s.skipClassBlanks()
		if s.end() {
			s.fail(begin, "unmatched [")
			return set
		}
		if !first && s.accept("]") {
			return s.folded(set).negatedIf(negate)
		}
		s.classRange(&set)
	}
}

// skipClassBlanks skips what does not count inside a class under (?xx).
func (s *characters) skipClassBlanks() {
	if s.flags.on['x'] && s.flags.on['X'] {
		s.skip(" \t")
	}
}

// classRange reads one member of a class, or a range of them, into a set.
func (s *characters) classRange(set *byteSet) {
	begin := s.pos
	from := s.classMember(set)
	s.skipClassBlanks()
	if s.ahead("-]") || !s.accept("-") {
		return
	}
	s.skipClassBlanks()
	if s.end() { // without its ]
		return
	}
	to := s.classMember(set)
	switch {
	case from < 0 || to < 0: // [\d-z]: Perl takes the hyphen as itself
		set.add('-')
	case from > to:
		s.fail(begin, "invalid range %q", s.src[begin:s.pos])
	default:
		for b := from; b <= min(to, 0xff); b++ {
			set.add(byte(b))
		}
	}
}

// posixClass is [:name:]. Any other bracket in a class is an ordinary character.
var posixClass = regexp.MustCompile(`^\[(?::(\^?)([A-Za-z^]*):|=[A-Za-z^]*=|\.[A-Za-z^]*\.)\]`)

// classMember reads one member of a class into a set: a character, which may be beyond the bytes, or several
// (then the character is -1).
func (s *characters) classMember(set *byteSet) (char int) {
	begin := s.pos
	if s.ahead("[") {
		if m := s.match(posixClass); m != nil {
			members, ok := posixSet(m[2], s.latin1(), s.flags.on['i'])
			if !ok {
				s.fail(begin, "unknown class %s", m[0])
			}
			set.union(members.negatedIf(m[1] != ""))
			return -1
		}
	}
	switch {
	case s.accept(`\b`):
		set.add('\b')
		return '\b'
	case s.ahead(`\N`) && !s.ahead(`\N{`):
		s.fail(begin, `\N in a class must be \N{U+...}`)
		return 0
	}
	members, char := s.character()
	set.union(members)
	return char
}
