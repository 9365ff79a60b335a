package perlre

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// escape reads what follows a backslash outside a class.
func (p *parser) escape() *node {
	if p.end() {
		return p.fail(p.pos-1, `trailing \`)
	}
	c := p.next()
	switch c {
	case 'A', 'G': // a search begins with the text
		return &node{kind: textBegin}
	case 'z':
		return &node{kind: textEnd}
	case 'Z':
		return &node{kind: lastEnd}
	case 'b', 'B':
		if p.ahead("{") {
			return p.fail(p.pos-2, `\b{...} is not supported`)
		}
		word, _ := posixSet("word", p.classesLatin1())
		return &node{kind: wordEdge, set: word, negated: c == 'B'}
	case 'K': // moves the start of the match, which is not used
		if p.lookaround > 0 {
			return p.fail(p.pos-2, `\K is not permitted in a look-around`)
		}
		return nil
	case 'R':
		return lineBreakOr(verticalSpace())
	case 'X':
		return lineBreakOr(byteSet{}.negated())
	case 'N':
		if !p.ahead("{") || p.quantifierAhead() {
			return one(bytesOf("\n").negated())
		}
	case '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return p.numbered()
	case 'g':
		return p.groupReference()
	case 'k':
		begin := p.pos - 2
		for _, quotes := range []string{"<>", "''", "{}"} {
			if p.accept(quotes[:1]) {
				return p.nameReference(p.groupName(quotes[1:], begin), begin)
			}
		}
		return p.fail(begin, `\k must be followed by a name in <>, '' or {}`)
	}
	if set, ok := p.setEscape(c); ok {
		return one(set)
	}
	return p.char(p.charEscape(c))
}

// lineBreakOr is \r\n, or one of a set: what was taken is not given back.
func lineBreakOr(set byteSet) *node {
	both := &node{kind: sequence, subs: []*node{one(bytesOf("\r")), one(bytesOf("\n"))}}
	return &node{kind: atomic, subs: []*node{{kind: choice, subs: []*node{both, one(set)}}}}
}

// quantifierAhead reports whether a quantifier follows, without reading it.
func (p *parser) quantifierAhead() bool {
	begin := p.pos
	_, _, found := p.quantifier()
	p.pos = begin
	return found
}

// charEscape reads an escape of one character; the position is after its letter.
func (p *parser) charEscape(letter byte) int {
	begin := p.pos - 2
	if i := strings.IndexByte("aefnrt", letter); i >= 0 {
		return int("\a\x1b\f\n\r\t"[i])
	}
	switch letter {
	case '0', '1', '2', '3', '4', '5', '6', '7':
		p.pos--
		return p.octal()
	case 'c':
		if p.end() || p.src[p.pos] < ' ' || p.src[p.pos] > '~' {
			p.fail(begin, `\c must be followed by a printable character`)
			return 0
		}
		p.pos++
		return int(strings.ToUpper(p.src[p.pos-1 : p.pos])[0] ^ 0x40)
	case 'x': // up to two digits, or any number in braces
		if p.accept("{") {
			return leadingNumber(p.braced(begin), 16)
		}
		return leadingNumber(p.take("0123456789abcdefABCDEF", 2), 16)
	case 'o':
		if !p.accept("{") {
			p.fail(begin, `\o must be followed by {`)
		}
		return leadingNumber(p.braced(begin), 8)
	case 'N':
		p.accept("{")
		name := p.braced(begin)
		digits, found := strings.CutPrefix(strings.TrimSpace(name), "U+")
		if !found || strings.Contains(digits, ".") {
			p.fail(begin, `\N{%s}: named characters are not supported, write \x{...}`, name)
		}
		p.requireUnicode()
		return leadingNumber(digits, 16)
	case 'C':
		p.fail(begin, `\C is no longer supported by Perl`)
	}
	return int(letter)
}

// octal reads up to three octal digits.
func (p *parser) octal() int { return leadingNumber(p.take("01234567", 3), 8) }

// leadingNumber returns the value of the digits that s begins with: Perl ignores what follows. Beyond all characters
// it may be another.
func leadingNumber(s string, base int) int {
	s = strings.ReplaceAll(strings.Trim(s, " \t"), "_", "")
	isNoDigit := func(r rune) bool {
		_, err := strconv.ParseUint(string(r), base, 8)
		return err != nil
	}
	if end := strings.IndexFunc(s, isNoDigit); end >= 0 {
		s = s[:end]
	}
	n, _ := strconv.ParseUint(s, base, 31) // 0 of no digits
	return int(n)
}

// braced reads up to the closing brace; the position is after the opening one.
func (p *parser) braced(begin int) string {
	inner, found := p.upTo("}")
	if !found {
		p.fail(begin, "missing right brace")
	}
	return inner
}

// numbered reads \1 to \9, and \10 upwards when there are that many groups; else it is an octal
// number. The position is after the first digit.
func (p *parser) numbered() *node {
	p.pos--
	begin := p.pos
	n := leadingNumber(p.take(digits, maxPattern), 10)
	if n > 9 && p.first != nil && n > p.first.groups && p.src[begin] < '8' {
		p.pos = begin
		return p.char(p.octal())
	}
	return p.reference(n, begin-1)
}

const digits = "0123456789"

// groupReference reads \g1 \g-1 \g{1} \g{-1} \g{name}; the position is after the g.
func (p *parser) groupReference() *node {
	begin := p.pos - 2
	var name string
	if p.accept("{") {
		name = strings.Trim(p.braced(begin), " \t")
	} else {
		name = p.take("-", 1) + p.take(digits, maxPattern)
	}
	n, err := strconv.Atoi(name)
	switch {
	case err != nil && !groupName.MatchString(name):
		return p.fail(begin, `unterminated \g`)
	case err != nil:
		return p.nameReference(name, begin)
	case n < 0:
		n += p.groups + 1
	}
	return p.reference(n, begin)
}

// groupName reads a name up to its closing quote.
func (p *parser) groupName(quote string, begin int) string {
	name, found := p.upTo(quote)
	if quote == "}" {
		name = strings.Trim(name, " \t")
	}
	if !found || !groupName.MatchString(name) {
		p.fail(begin, "a group's name must be letters, digits and _, with no digit in front")
	}
	return name
}

var groupName = regexp.MustCompile(`^[A-Za-z_][A-Za-z_0-9]*$`)

// reference is a back-reference to a group.
func (p *parser) reference(n, begin int) *node {
	if p.first != nil && (n < 1 || n > p.first.groups) {
		return p.fail(begin, "reference to a group that does not exist")
	}
	return &node{kind: reference, group: n, fold: p.flags.fold}
}

// nameReference is a back-reference to the first group of that name that has matched.
func (p *parser) nameReference(name string, begin int) *node {
	groups := p.named(name)
	if len(groups) == 0 {
		return p.fail(begin, "reference to a group %q that does not exist", name)
	}
	last := len(groups) - 1
	ref := p.reference(groups[last], begin)
	for _, n := range slices.Backward(groups[:last]) {
		ref = &node{kind: condition, group: n, subs: []*node{p.reference(n, begin), ref}}
	}
	return ref
}

// named are the groups of a name. The first pass, which does not know them all, takes the whole pattern for one.
func (p *parser) named(name string) []int {
	if p.first == nil {
		return []int{0}
	}
	return p.first.names[name]
}
