package perlre

import (
	"slices"
	"strconv"
	"strings"
)

// escape reads what follows a backslash outside a class.
func (p *parser) escape() (*node, error) {
	if p.end() {
		return nil, p.errAt(p.pos-1, `trailing \`)
	}
	c := p.src[p.pos]
	p.pos++
	switch c {
	case 'A', 'G': // a search begins with the text
		return &node{kind: textBegin}, nil
	case 'z':
		return &node{kind: textEnd}, nil
	case 'Z':
		return &node{kind: lastEnd}, nil
	case 'b', 'B':
		return p.boundary(c == 'b')
	case 'K': // moves the start of the match, which is not used
		if p.lookaround > 0 {
			return nil, p.errAt(p.pos-2, `\K is not permitted in a look-around`)
		}
		return nil, nil
	case 'R':
		return lineBreakOr(verticalSpace()), nil
	case 'X':
		return lineBreakOr(byteSet{}.negated()), nil
	case 'N':
		if p.quantifierAhead() || !strings.HasPrefix(p.src[p.pos:], "{") {
			return one(notNewline()), nil
		}
	case '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return p.numbered()
	case '0':
		p.pos--
		return p.char(p.octal(3)), nil
	case 'g':
		return p.groupReference()
	case 'k':
		return p.namedReference()
	}
	if set, ok, err := p.setEscape(c); ok || err != nil {
		return one(set), err
	}
	char, err := p.charEscape(c)
	if err != nil {
		return nil, err
	}
	return p.char(char), nil
}

// lineBreakOr is \r\n, or one of a set: what was taken is not given back.
func lineBreakOr(set byteSet) *node {
	var cr, lf byteSet
	cr.add('\r')
	lf.add('\n')
	both := &node{kind: sequence, subs: []*node{one(cr), one(lf)}}
	return &node{kind: atomic, subs: []*node{{kind: choice, subs: []*node{both, one(set)}}}}
}

func notNewline() byteSet {
	var s byteSet
	s.add('\n')
	return s.negated()
}

// quantifierAhead reports whether a quantifier follows, without reading it.
func (p *parser) quantifierAhead() bool {
	pos := p.pos
	_, _, found, err := p.quantifier()
	p.pos = pos
	return found || err != nil
}

// boundary is \b or \B.
func (p *parser) boundary(want bool) (*node, error) {
	if strings.HasPrefix(p.src[p.pos:], "{") {
		return nil, p.errAt(p.pos-2, `\b{...} is not supported`)
	}
	word, _ := posixSet("word", p.classesLatin1())
	return &node{kind: wordEdge, set: word, negated: !want}, nil
}

// charEscape reads an escape of one character; the position is after its letter.
func (p *parser) charEscape(letter byte) (int, error) {
	begin := p.pos - 2
	switch letter {
	case 'a':
		return '\a', nil
	case 'e':
		return 0x1b, nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'c':
		if p.end() || p.src[p.pos] < ' ' || p.src[p.pos] > '~' {
			return 0, p.errAt(begin, `\c must be followed by a printable character`)
		}
		c := strings.ToUpper(p.src[p.pos : p.pos+1])[0]
		p.pos++
		return int(c ^ 0x40), nil
	case 'x':
		return p.hex(begin)
	case 'o':
		if !p.accept('{') {
			return 0, p.errAt(begin, `\o must be followed by {`)
		}
		digits, err := p.braced(begin)
		return leadingNumber(digits, 8), err
	case 'N':
		p.pos++ // the brace
		name, err := p.braced(begin)
		if err != nil {
			return 0, err
		}
		digits, found := strings.CutPrefix(strings.TrimSpace(name), "U+")
		if !found || strings.Contains(digits, ".") {
			return 0, p.errAt(begin, `\N{%s}: named characters are not supported, write \x{...}`, name)
		}
		p.requireUnicode()
		return leadingNumber(digits, 16), nil
	case 'C':
		return 0, p.errAt(begin, `\C is no longer supported by Perl`)
	}
	return int(letter), nil
}

// hex reads the digits after \x: up to two, or any number in braces.
func (p *parser) hex(begin int) (int, error) {
	if p.accept('{') {
		digits, err := p.braced(begin)
		return leadingNumber(digits, 16), err
	}
	start := p.pos
	for !p.end() && p.pos < start+2 && strings.IndexByte("0123456789abcdefABCDEF", p.src[p.pos]) >= 0 {
		p.pos++
	}
	return leadingNumber(p.src[start:p.pos], 16), nil
}

// octal reads up to limit octal digits.
func (p *parser) octal(limit int) int {
	start := p.pos
	for !p.end() && p.pos < start+limit && '0' <= p.src[p.pos] && p.src[p.pos] <= '7' {
		p.pos++
	}
	return leadingNumber(p.src[start:p.pos], 8)
}

// leadingNumber returns the value of the digits that s begins with: Perl ignores what follows.
func leadingNumber(s string, base int) int {
	s = strings.ReplaceAll(strings.Trim(s, " \t"), "_", "")
	end := 0
	for end < len(s) {
		if _, err := strconv.ParseUint(s[end:end+1], base, 8); err != nil {
			break
		}
		end++
	}
	if end == 0 {
		return 0
	}
	n, err := strconv.ParseUint(s[:end], base, 31)
	if err != nil {
		return 1 << 30 // beyond all characters
	}
	return int(n)
}

// braced reads up to the closing brace; the position is after the opening one.
func (p *parser) braced(begin int) (string, error) {
	inner, _, found := strings.Cut(p.src[p.pos:], "}")
	if !found {
		return "", p.errAt(begin, "missing right brace")
	}
	p.pos += len(inner) + 1
	return inner, nil
}

// numbered reads \1 to \9, and \10 upwards when there are that many groups; else it is an octal
// number. The position is after the first digit.
func (p *parser) numbered() (*node, error) {
	begin := p.pos - 2
	start := p.pos - 1
	for !p.end() && '0' <= p.src[p.pos] && p.src[p.pos] <= '9' {
		p.pos++
	}
	n := leadingNumber(p.src[start:p.pos], 10)
	if n > 9 && n > p.total && !p.scouting && p.src[start] < '8' {
		p.pos = start
		return p.char(p.octal(3)), nil
	}
	return p.reference(n, begin)
}

// groupReference reads \g1 \g-1 \g{1} \g{-1} \g{name}; the position is after the g.
func (p *parser) groupReference() (*node, error) {
	begin := p.pos - 2
	var name string
	if p.accept('{') {
		inner, err := p.braced(begin)
		if err != nil {
			return nil, err
		}
		name = strings.Trim(inner, " \t")
	} else {
		start := p.pos
		p.accept('-')
		for !p.end() && '0' <= p.src[p.pos] && p.src[p.pos] <= '9' {
			p.pos++
		}
		name = p.src[start:p.pos]
	}
	n, err := strconv.Atoi(name)
	switch {
	case err != nil && !isGroupName(name):
		return nil, p.errAt(begin, `unterminated \g`)
	case err != nil:
		return p.nameReference(name, begin)
	case n < 0:
		n += p.groups + 1
	}
	return p.reference(n, begin)
}

// namedReference reads \k<name> \k'name' \k{name}; the position is after the k.
func (p *parser) namedReference() (*node, error) {
	begin := p.pos - 2
	for _, quotes := range []string{"<>", "''", "{}"} {
		if p.accept(quotes[0]) {
			name, err := p.groupName(quotes[1], begin)
			if err != nil {
				return nil, err
			}
			return p.nameReference(name, begin)
		}
	}
	return nil, p.errAt(begin, `\k must be followed by a name in <>, '' or {}`)
}

// reference is a back-reference to a group.
func (p *parser) reference(n, begin int) (*node, error) {
	if p.scouting {
		p.referred[n] = true
		return p.backReference(n), nil
	}
	if n < 1 || n > p.total {
		return nil, p.errAt(begin, "reference to a group that does not exist")
	}
	return p.backReference(n), nil
}

func (p *parser) backReference(group int) *node {
	return &node{kind: reference, group: group, fold: p.flags.fold}
}

// nameReference is a back-reference to the first group of that name that has matched.
func (p *parser) nameReference(name string, begin int) (*node, error) {
	if p.scouting {
		p.namesReferred = append(p.namesReferred, name)
		return p.backReference(0), nil
	}
	groups := p.allNames[name]
	if len(groups) == 0 {
		return nil, p.errAt(begin, "reference to a group %q that does not exist", name)
	}
	last := len(groups) - 1
	ref := p.backReference(groups[last])
	for _, n := range slices.Backward(groups[:last]) {
		ref = &node{kind: condition, group: n, subs: []*node{p.backReference(n), ref}}
	}
	return ref, nil
}
