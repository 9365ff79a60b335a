package checker

import (
	"fmt"
	"strconv"
	"strings"
)

// escape reads what follows a backslash outside a class.
func (p *perlParser) escape() (atomKind, error) {
	if p.end() {
		return noAtom, p.errAt(p.pos-1, `trailing \`)
	}
	c := p.src[p.pos]
	p.pos++
	switch c {
	case 'A', 'z', 'Z', 'G':
		return p.assertion(`\` + string(c)), nil
	case 'b', 'B':
		return p.boundary(c == 'b')
	case 'K': // moves the start of the match, which nobody asks for
		if p.lookaround > 0 {
			return noAtom, p.errAt(p.pos-2, `\K is not permitted in a look-around`)
		}
		p.plain = false
		return noAtom, nil
	case 'R':
		p.atomics++
		return p.assertion(`(?>\r\n|[\n-\r\x85])`), nil
	case 'X':
		p.atomics++
		return p.assertion(`(?>\r\n|[\x00-\xff])`), nil
	case 'N':
		if p.quantifierAhead() || !strings.HasPrefix(p.src[p.pos:], "{") {
			return p.set(notNewline()), nil
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
		return p.set(set), err
	}
	char, err := p.charEscape(c)
	if err != nil {
		return noAtom, err
	}
	return p.char(char), nil
}

func notNewline() byteSet {
	var s byteSet
	s.add('\n')
	return s.negated()
}

// quantifierAhead tells whether a quantifier follows, without reading it.
func (p *perlParser) quantifierAhead() bool {
	pos := p.pos
	_, _, found, err := p.quantifier()
	p.pos = pos
	return found || err != nil
}

// boundary emits \b or \B. The engine's own would take Latin-1 letters for word characters.
func (p *perlParser) boundary(want bool) (atomKind, error) {
	if strings.HasPrefix(p.src[p.pos:], "{") {
		return noAtom, p.errAt(p.pos-2, `\b{...} is not supported`)
	}
	word, _ := posixSet("word", p.classesLatin1())
	w := string(word.appendTo(nil))
	if want {
		return p.assertion(fmt.Sprintf(`(?:(?<=%s)(?!%s)|(?<!%s)(?=%s))`, w, w, w, w)), nil
	}
	return p.assertion(fmt.Sprintf(`(?:(?<=%s)(?=%s)|(?<!%s)(?!%s))`, w, w, w, w)), nil
}

// charEscape reads an escape that stands for one character; the position is behind its letter.
func (p *perlParser) charEscape(letter byte) (int, error) {
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
		p.unicodeRules = true
		return leadingNumber(digits, 16), nil
	case 'C':
		return 0, p.errAt(begin, `\C is no longer supported by Perl`)
	}
	return int(letter), nil
}

// hex reads the digits behind \x: up to two, or any number in braces.
func (p *perlParser) hex(begin int) (int, error) {
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
func (p *perlParser) octal(limit int) int {
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

// braced reads up to the closing brace; the position is behind the opening one.
func (p *perlParser) braced(begin int) (string, error) {
	inner, _, found := strings.Cut(p.src[p.pos:], "}")
	if !found {
		return "", p.errAt(begin, "missing right brace")
	}
	p.pos += len(inner) + 1
	return inner, nil
}

// numbered reads \1 to \9, and \10 upwards when there are that many groups; else it is an octal
// number. The position is behind the first digit.
func (p *perlParser) numbered() (atomKind, error) {
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

// groupReference reads \g1 \g-1 \g{1} \g{-1} \g{name}; the position is behind the g.
func (p *perlParser) groupReference() (atomKind, error) {
	begin := p.pos - 2
	var name string
	if p.accept('{') {
		inner, err := p.braced(begin)
		if err != nil {
			return noAtom, err
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
		return noAtom, p.errAt(begin, `unterminated \g`)
	case err != nil:
		return p.nameReference(name, begin)
	case n < 0:
		n += p.groups + 1
	}
	return p.reference(n, begin)
}

// namedReference reads \k<name> \k'name' \k{name}; the position is behind the k.
func (p *perlParser) namedReference() (atomKind, error) {
	begin := p.pos - 2
	for _, quotes := range []string{"<>", "''", "{}"} {
		if p.accept(quotes[0]) {
			name, err := p.groupName(quotes[1], begin)
			if err != nil {
				return noAtom, err
			}
			return p.nameReference(name, begin)
		}
	}
	return noAtom, p.errAt(begin, `\k must be followed by a name in <>, '' or {}`)
}

// reference emits a back-reference to a group.
func (p *perlParser) reference(n, begin int) (atomKind, error) {
	if p.scouting {
		p.referred[n] = true
		return wholeAtom, nil
	}
	if n < 1 || n > p.total {
		return noAtom, p.errAt(begin, "reference to a group that does not exist")
	}
	return p.assertion(p.referenceText(n)), nil
}

func (p *perlParser) referenceText(n int) string {
	if p.flags.fold {
		return fmt.Sprintf(`(?i:\k<%d>)`, n)
	}
	return fmt.Sprintf(`\k<%d>`, n)
}

// nameReference emits a back-reference to the first group of that name that has matched.
func (p *perlParser) nameReference(name string, begin int) (atomKind, error) {
	if p.scouting {
		p.namesReferred = append(p.namesReferred, name)
		return wholeAtom, nil
	}
	groups := p.allNames[name]
	if len(groups) == 0 {
		return noAtom, p.errAt(begin, "reference to a group %q that does not exist", name)
	}
	for _, n := range groups[:len(groups)-1] {
		p.emit(fmt.Sprintf(`(?(%d)%s|`, n, p.referenceText(n)))
	}
	p.assertion(p.referenceText(groups[len(groups)-1]))
	p.emit(strings.Repeat(")", len(groups)-1))
	return looseAtom, nil
}
