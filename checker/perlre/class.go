package perlre

import (
	"strings"
)

// class reads a bracketed character class; the position is after its "[".
func (p *parser) class() (byteSet, error) {
	begin := p.pos - 1
	negate := p.accept('^')
	var set byteSet
	for first := true; ; first = false {
		p.skipClassBlanks()
		if p.end() {
			return set, p.errAt(begin, "unmatched [")
		}
		if p.src[p.pos] == ']' && !first {
			break
		}
		if err := p.classRange(&set); err != nil {
			return set, err
		}
	}
	p.pos++
	if p.flags.fold {
		set = set.folded(p.foldsLatin1())
	}
	if negate {
		set = set.negated()
	}
	return set, nil
}

// skipClassBlanks skips what does not count inside a class under (?xx).
func (p *parser) skipClassBlanks() {
	for p.flags.extended > 1 && !p.end() && strings.IndexByte(" \t", p.src[p.pos]) >= 0 {
		p.pos++
	}
}

// classRange reads one member of a class, or a range of them.
func (p *parser) classRange(set *byteSet) error {
	begin := p.pos
	from, fromSet, err := p.classMember()
	if err != nil {
		return err
	}
	set.union(fromSet)
	p.skipClassBlanks()
	if !strings.HasPrefix(p.src[p.pos:], "-") || strings.HasPrefix(p.src[p.pos:], "-]") || p.pos+1 == len(p.src) {
		return nil
	}
	p.pos++
	p.skipClassBlanks()
	to, toSet, err := p.classMember()
	if err != nil {
		return err
	}
	set.union(toSet)
	if from < 0 || to < 0 { // [\d-z]: Perl takes the hyphen as itself
		set.add('-')
		return nil
	}
	if from > to {
		return p.errAt(begin, "invalid range %q", p.src[begin:p.pos])
	}
	if from <= 0xff {
		set.addRange(byte(from), byte(min(to, 0xff)))
	}
	return nil
}

// classMember reads one member of a class: a character, which may be beyond the bytes, or a set
// (then the character is -1).
func (p *parser) classMember() (char int, set byteSet, err error) {
	c := p.src[p.pos]
	if c == '[' {
		if set, ok, err := p.posixClass(); ok || err != nil {
			return -1, set, err
		}
	}
	p.pos++
	if c != '\\' {
		set.add(c)
		return int(c), set, nil
	}
	if p.end() {
		return 0, set, p.errAt(p.pos-1, "unmatched [")
	}
	c = p.src[p.pos]
	p.pos++
	switch c {
	case 'b':
		char = '\b'
	case 'N':
		if !strings.HasPrefix(p.src[p.pos:], "{") {
			return 0, set, p.errAt(p.pos-2, `\N in a class must be \N{U+...}`)
		}
		char, err = p.charEscape(c)
	case '0', '1', '2', '3', '4', '5', '6', '7':
		p.pos--
		char = p.octal(3)
	default:
		if set, ok, err := p.setEscape(c); ok || err != nil {
			return -1, set, err
		}
		char, err = p.charEscape(c)
	}
	if err == nil && char <= 0xff {
		set.add(byte(char))
	}
	return char, set, err
}

// posixClass reads [:name:]; the position is at its bracket. It reports false for what Perl takes
// as an ordinary bracket.
func (p *parser) posixClass() (set byteSet, ok bool, err error) {
	rest := p.src[p.pos:]
	if len(rest) < 3 || strings.IndexByte(":=.", rest[1]) < 0 {
		return set, false, nil
	}
	length := 0
	for isLetter(rest[2+length]) || rest[2+length] == '^' {
		if length++; 2+length == len(rest) {
			return set, false, nil
		}
	}
	name := rest[2 : 2+length]
	if !strings.HasPrefix(rest[2+length:], rest[1:2]+"]") {
		return set, false, nil
	}
	begin := p.pos
	p.pos += len(name) + 4
	if rest[1] != ':' {
		return set, false, p.errAt(begin, "[%c %c] is not supported", rest[1], rest[1])
	}
	name, negate := strings.CutPrefix(name, "^")
	if p.flags.fold && (name == "upper" || name == "lower") {
		set = p.casedSet()
	} else if set, ok = posixSet(name, p.classesLatin1()); !ok {
		return set, false, p.errAt(begin, "unknown class [:%s:]", name)
	}
	if negate {
		set = set.negated()
	}
	return set, true, nil
}

// casedSet is what [[:upper:]] and [[:lower:]] mean when case does not count.
func (p *parser) casedSet() byteSet {
	upper, _ := posixSet("upper", p.classesLatin1())
	lower, _ := posixSet("lower", p.classesLatin1())
	upper.union(lower)
	return upper
}

// setEscape reads the escapes of a set of characters: \d \w \s \h \v, their opposites,
// and \p. The position is after the letter.
func (p *parser) setEscape(letter byte) (set byteSet, ok bool, err error) {
	switch letter {
	case 'd', 'D':
		set, _ = posixSet("digit", p.classesLatin1())
	case 'w', 'W':
		set, _ = posixSet("word", p.classesLatin1())
	case 's', 'S':
		set, _ = posixSet("space", p.classesLatin1())
	case 'h', 'H':
		set = horizontalSpace()
	case 'v', 'V':
		set = verticalSpace()
	case 'p', 'P':
		if set, err = p.property(); err != nil {
			return set, false, err
		}
	default:
		return set, false, nil
	}
	if letter <= 'Z' {
		set = set.negated()
	}
	return set, true, nil
}

// property reads the name after \p or \P. Such a pattern is under the Unicode rules as a whole.
func (p *parser) property() (byteSet, error) {
	begin := p.pos - 2
	p.requireUnicode()
	if p.end() {
		return byteSet{}, p.errAt(begin, `\p without a property`)
	}
	name := p.src[p.pos : p.pos+1]
	p.pos++
	if name == "{" {
		var err error
		if name, err = p.braced(begin); err != nil {
			return byteSet{}, err
		}
	}
	name, negate := strings.CutPrefix(strings.TrimSpace(name), "^")
	set, ok := propertySet(name)
	if !ok {
		return set, p.errAt(begin, `\p{%s}: this property is not supported`, name)
	}
	if key := propertyKey(name); p.flags.fold && (key == "lu" || key == "ll" || key == "upper" || key == "lower") {
		set = p.casedSet()
	}
	if negate {
		set = set.negated()
	}
	return set, nil
}
