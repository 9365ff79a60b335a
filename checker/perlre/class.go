package perlre

import (
	"regexp"
	"slices"
	"strings"
)

// class reads a bracketed character class; the position is after its "[".
func (p *parser) class() byteSet {
	begin := p.pos - 1
	negate := p.accept("^")
	var set byteSet
	for first := true; ; first = false {
		p.skipClassBlanks()
		if p.end() {
			p.fail(begin, "unmatched [")
			return set
		}
		if !first && p.accept("]") {
			break
		}
		p.classRange(&set)
	}
	if p.flags.fold {
		set = set.folded(p.foldsLatin1())
	}
	return set.negatedIf(negate)
}

// skipClassBlanks skips what does not count inside a class under (?xx).
func (p *parser) skipClassBlanks() {
	if p.flags.extended > 1 {
		p.take(" \t", maxPattern)
	}
}

// classRange reads one member of a class, or a range of them, into a set.
func (p *parser) classRange(set *byteSet) {
	begin := p.pos
	from := p.classMember(set)
	p.skipClassBlanks()
	if p.ahead("-]") || !p.accept("-") {
		return
	}
	p.skipClassBlanks()
	if p.end() { // without its ]
		return
	}
	to := p.classMember(set)
	switch {
	case from < 0 || to < 0: // [\d-z]: Perl takes the hyphen as itself
		set.add('-')
	case from > to:
		p.fail(begin, "invalid range %q", p.src[begin:p.pos])
	default:
		for b := from; b <= min(to, 0xff); b++ {
			set.add(byte(b))
		}
	}
}

// classMember reads one member of a class into a set: a character, which may be beyond the bytes, or several
// (then the character is -1).
func (p *parser) classMember(set *byteSet) (char int) {
	if members, ok := p.posixClass(); ok {
		set.union(members)
		return -1
	}
	c := p.next()
	if c != '\\' {
		set.add(c)
		return int(c)
	}
	if p.end() {
		p.fail(p.pos-1, "unmatched [")
		return 0
	}
	c = p.next()
	switch {
	case c == 'b':
		char = '\b'
	case c == 'N' && !p.ahead("{"):
		p.fail(p.pos-2, `\N in a class must be \N{U+...}`)
	default:
		if members, ok := p.setEscape(c); ok {
			set.union(members)
			return -1
		}
		char = p.charEscape(c)
	}
	if char <= 0xff {
		set.add(byte(char))
	}
	return char
}

// posixName is [:name:]. Any other bracket in a class is an ordinary character.
var posixName = regexp.MustCompile(`^\[(?::([A-Za-z^]*):|=[A-Za-z^]*=|\.[A-Za-z^]*\.)\]`)

const posixSpan = ":=.^ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// posixClass reads a class in a class.
func (p *parser) posixClass() (set byteSet, ok bool) {
	parts := posixName.FindStringSubmatch(p.span(posixSpan, "]"))
	if parts == nil {
		return set, false
	}
	begin := p.pos
	p.pos += len(parts[0])
	if kind := parts[0][1]; kind != ':' {
		p.fail(begin, "[%c %c] is not supported", kind, kind)
		return set, true
	}
	name, negate := strings.CutPrefix(parts[1], "^")
	known := name
	if p.flags.fold && (name == "upper" || name == "lower") {
		known = "cased"
	}
	set, ok = posixSet(known, p.classesLatin1())
	if !ok {
		p.fail(begin, "unknown class [:%s:]", name)
	}
	return set.negatedIf(negate), true
}

// setEscape reads the escapes of a set of characters: \d \w \s \h \v, their opposites,
// and \p. The position is after the letter.
func (p *parser) setEscape(letter byte) (set byteSet, ok bool) {
	switch letter | 0x20 {
	case 'd':
		set, _ = posixSet("digit", p.classesLatin1())
	case 'w':
		set, _ = posixSet("word", p.classesLatin1())
	case 's':
		set, _ = posixSet("space", p.classesLatin1())
	case 'h':
		set, _ = posixSet("blank", true)
	case 'v':
		set = verticalSpace()
	case 'p':
		set = p.property()
	default:
		return set, false
	}
	return set.negatedIf(letter <= 'Z'), true
}

// property reads the name after \p or \P. Such a pattern is under the Unicode rules as a whole.
func (p *parser) property() byteSet {
	begin := p.pos - 2
	p.requireUnicode()
	if p.end() {
		p.fail(begin, `\p without a property`)
		return byteSet{}
	}
	name := p.src[p.pos : p.pos+1]
	p.pos++
	if name == "{" {
		name = p.braced(begin)
	}
	name, negate := strings.CutPrefix(strings.TrimSpace(name), "^")
	set, ok := propertySet(name)
	if !ok {
		p.fail(begin, `\p{%s}: this property is not supported`, name)
	}
	if p.flags.fold && slices.Contains([]string{"lu", "ll", "upper", "lower"}, propertyKey(name)) {
		set, _ = posixSet("cased", p.classesLatin1())
	}
	return set.negatedIf(negate)
}
