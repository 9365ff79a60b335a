package checker

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Limits of a pattern. maxRepeat is Perl's own.
const (
	maxPattern = 64 << 10 // bytes
	maxNesting = 200      // groups in groups
	maxRepeat  = 65534
)

// perlPattern is a Perl regular expression in the engine's notation, or, when it has no
// metacharacter at all, the plain text that it stands for.
type perlPattern struct {
	expr  string
	text  string
	plain bool
}

// translatePerl rewrites a Perl pattern (perlre(1), Perl 5.36) such that the engine, given one rune
// per byte, decides as Perl does over bytes. All that depends on characters is worked out here and
// written as explicit sets; the engine only sequences, repeats, groups and looks around. Recursion,
// backtracking verbs other than (*FAIL), embedded code and named characters are refused.
func translatePerl(pattern string) (perlPattern, error) {
	if len(pattern) > maxPattern {
		return perlPattern{}, fmt.Errorf("longer than %d bytes", maxPattern)
	}
	// The first pass counts and names the groups, which decides what \10 and \k<name> mean.
	scout := perlParser{src: pattern, scouting: true, referred: map[int]bool{}}
	if err := scout.parse(); err != nil {
		return perlPattern{}, err
	}
	p := perlParser{src: pattern, plain: true, total: scout.groups, unicodeRules: scout.unicodeRules,
		referred: scout.referred, allNames: scout.names}
	for _, name := range scout.namesReferred {
		for _, group := range scout.names[name] {
			p.referred[group] = true
		}
	}
	if err := p.parse(); err != nil {
		return perlPattern{}, err
	}
	return perlPattern{expr: string(p.out), text: string(p.text), plain: p.plain}, nil
}

// perlFlags are the modifiers in force at one place of the pattern: (?imsxn) and the rule for
// characters beyond ASCII.
type perlFlags struct {
	fold       bool // i
	multiline  bool // m
	dotAll     bool // s
	noCaptures bool // n
	extended   int  // x: 1, xx: 2
	rules      byte // a, u, l, or 0 for Perl's default
}

type perlParser struct {
	src   string
	pos   int
	out   []byte // the pattern for the engine
	text  []byte // the pattern as plain text, while it is nothing else
	plain bool
	flags perlFlags

	scouting     bool
	groups       int // opened so far
	names        map[string][]int
	unicodeRules bool // something in the pattern puts all of it under the Unicode rules
	atomics      int  // atomic groups and possessive quantifiers so far
	nesting      int
	lookaround   int // depth of look-arounds

	total         int // groups in the whole pattern
	allNames      map[string][]int
	referred      map[int]bool // groups that something refers to; the others need no capture
	namesReferred []string
}

func (p *perlParser) parse() error {
	if err := p.alternatives(false); err != nil {
		return err
	}
	if !p.end() {
		return p.errAt(p.pos, "unmatched )")
	}
	return nil
}

func (p *perlParser) end() bool { return p.pos >= len(p.src) }

func (p *perlParser) accept(c byte) bool {
	if p.end() || p.src[p.pos] != c {
		return false
	}
	p.pos++
	return true
}

func (p *perlParser) acceptString(s string) bool {
	if !strings.HasPrefix(p.src[p.pos:], s) {
		return false
	}
	p.pos += len(s)
	return true
}

func (p *perlParser) errAt(pos int, format string, args ...any) error {
	return fmt.Errorf("%s, at character %d of the pattern", fmt.Sprintf(format, args...), pos+1)
}

func (p *perlParser) emit(s string) { p.out = append(p.out, s...) }

// classesLatin1 tells whether \w and its like cover Latin-1 here, foldsLatin1 whether case does.
func (p *perlParser) classesLatin1() bool {
	return p.flags.rules == 'u' || p.flags.rules == 0 && p.unicodeRules
}

func (p *perlParser) foldsLatin1() bool {
	return p.flags.rules == 'u' || p.flags.rules != 'l' && p.unicodeRules
}

// alternatives reads up to the end of the group. In a branch reset each alternative counts its
// groups from the same number.
func (p *perlParser) alternatives(reset bool) error {
	first, most := p.groups, p.groups
	for {
		if err := p.sequence(); err != nil {
			return err
		}
		most = max(most, p.groups)
		if !p.accept('|') {
			p.groups = most
			return nil
		}
		if reset {
			p.groups = first
		}
		p.plain = false
		p.emit("|")
	}
}

// sequence reads up to the next "|" or ")".
func (p *perlParser) sequence() error {
	for {
		if err := p.skipComments(); err != nil {
			return err
		}
		if p.end() || p.src[p.pos] == '|' || p.src[p.pos] == ')' {
			return nil
		}
		start, atomics := len(p.out), p.atomics
		kind, err := p.atom()
		if err != nil {
			return err
		}
		if kind == noAtom {
			continue
		}
		if p.atomics > atomics {
			kind = atomicAtom
		}
		if err := p.quantifiers(start, kind); err != nil {
			return err
		}
	}
}

// skipComments skips (?#...) and, under (?x), white space and # comments.
func (p *perlParser) skipComments() error {
	for !p.end() {
		switch c := p.src[p.pos]; {
		case strings.HasPrefix(p.src[p.pos:], "(?#"):
			length := strings.IndexByte(p.src[p.pos:], ')')
			if length < 0 {
				return p.errAt(p.pos, "unmatched (?#")
			}
			p.pos += length + 1
			p.plain = false
		case p.flags.extended > 0 && c == '#':
			length := strings.IndexByte(p.src[p.pos:], '\n')
			if length < 0 {
				length = len(p.src) - p.pos - 1
			}
			p.pos += length + 1
		case p.flags.extended > 0 && strings.IndexByte(" \t\n\v\f\r\x85", c) >= 0:
			p.pos++
		default:
			return nil
		}
	}
	return nil
}

// atomKind tells what a quantifier may do with an atom.
type atomKind int

const (
	noAtom     atomKind = iota // (?i): nothing to repeat
	wholeAtom                  // one thing to the engine, repeated as it stands
	looseAtom                  // needs a group around it first
	atomicAtom                 // needs a capture around it: the engine takes (?>a?)? for (?>a?)
)

func (p *perlParser) atom() (atomKind, error) {
	c := p.src[p.pos]
	p.pos++
	switch c {
	case '(':
		p.plain = false
		return p.group()
	case '[':
		set, err := p.class()
		return p.set(set), err
	case '.':
		set := byteSet{}.negated()
		if !p.flags.dotAll {
			set[0] &^= 1 << '\n'
		}
		return p.set(set), nil
	case '^':
		if p.flags.multiline { // not behind a newline that ends the text
			return p.assertion(`(?:\A|(?<=\n)(?!\z))`), nil
		}
		return p.assertion(`\A`), nil
	case '$':
		if p.flags.multiline {
			return p.assertion(`(?=\n|\z)`), nil
		}
		return p.assertion(`\Z`), nil
	case '\\':
		return p.escape()
	case '*', '+', '?':
		return noAtom, p.errAt(p.pos-1, "quantifier %c follows nothing", c)
	case '{': // no quantifier, or it had been read; Perl refuses it behind an escaped letter
		if p.pos > 2 && p.src[p.pos-3] == '\\' && isLetter(p.src[p.pos-2]) {
			return noAtom, p.errAt(p.pos-1, `unescaped left brace, write \{`)
		}
	}
	return p.char(int(c)), nil
}

// char emits one character; one beyond the bytes matches nothing.
func (p *perlParser) char(c int) atomKind {
	if c > 0xff {
		p.unicodeRules = true
		return p.set(byteSet{})
	}
	var set byteSet
	set.add(byte(c))
	if p.flags.fold {
		set = set.folded(p.foldsLatin1())
	}
	if set.size() > 1 {
		return p.set(set)
	}
	p.text = append(p.text, byte(c))
	p.out = appendLiteral(p.out, byte(c))
	return wholeAtom
}

func appendLiteral(out []byte, c byte) []byte {
	if '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' {
		return append(out, c)
	}
	return fmt.Appendf(out, `\x%02x`, c)
}

func (p *perlParser) set(set byteSet) atomKind {
	p.plain = false
	p.out = set.appendTo(p.out)
	if set.size() == 0 {
		return looseAtom
	}
	return wholeAtom
}

func (p *perlParser) assertion(expr string) atomKind {
	p.plain = false
	p.emit(expr)
	return looseAtom
}

// quantifiers reads what repeats the atom that was emitted from start on.
func (p *perlParser) quantifiers(start int, kind atomKind) error {
	if err := p.skipComments(); err != nil {
		return err
	}
	low, high, found, err := p.quantifier()
	if err != nil || !found {
		return err
	}
	p.plain = false
	if err := p.skipComments(); err != nil {
		return err
	}
	lazy := p.accept('?')
	possessive := !lazy && p.accept('+')
	if err := p.skipComments(); err != nil {
		return err
	}
	second := p.pos
	if _, _, found, err := p.quantifier(); err != nil || found {
		return p.errAt(second, "nested quantifiers")
	}
	if high >= 0 && low > high { // Perl: can't match
		p.out = append(p.out[:start], `(?!)`...)
		return nil
	}
	switch kind {
	case looseAtom:
		p.wrap(start, "(?:")
	case atomicAtom:
		p.wrap(start, fmt.Sprintf("(?<%d>", p.total+p.atomics))
	}
	p.emit(quantifierText(low, high))
	switch {
	case lazy:
		p.emit("?")
	case possessive:
		p.atomics++
		p.wrap(start, "(?>")
	}
	return nil
}

// wrap puts what was emitted from start on into a group.
func (p *perlParser) wrap(start int, open string) {
	p.out = append(slices.Insert(p.out, start, []byte(open)...), ')')
}

func quantifierText(low, high int) string {
	switch {
	case low == 0 && high < 0:
		return "*"
	case low == 1 && high < 0:
		return "+"
	case low == 0 && high == 1:
		return "?"
	case high < 0:
		return fmt.Sprintf("{%d,}", low)
	}
	return fmt.Sprintf("{%d,%d}", low, high)
}

// quantifier reads one of * + ? {n} {n,} {n,m} {,m}; high -1 is no bound. Any other brace is an
// ordinary character.
func (p *perlParser) quantifier() (low, high int, found bool, err error) {
	switch {
	case p.accept('*'):
		return 0, -1, true, nil
	case p.accept('+'):
		return 1, -1, true, nil
	case p.accept('?'):
		return 0, 1, true, nil
	case p.end() || p.src[p.pos] != '{':
		return 0, 0, false, nil
	}
	rest := p.src[p.pos+1:]
	after := strings.TrimLeft(rest, "0123456789, \t")
	inner := rest[:len(rest)-len(after)]
	from, to, comma := strings.Cut(inner, ",")
	from, to = strings.Trim(from, " \t"), strings.Trim(to, " \t")
	if !strings.HasPrefix(after, "}") || from+to == "" || !isDigits(from+to) {
		return 0, 0, false, nil
	}
	low, high = repeatCount(from, 0), repeatCount(to, -1)
	if !comma {
		high = low
	}
	if low > maxRepeat || high > maxRepeat {
		return 0, 0, false, p.errAt(p.pos, "quantifier bigger than %d", maxRepeat)
	}
	p.pos += len(inner) + 2
	return low, high, true, nil
}

func repeatCount(digits string, missing int) int {
	if digits == "" {
		return missing
	}
	n, err := strconv.Atoi(digits)
	if err != nil {
		return maxRepeat + 1
	}
	return n
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isDigits(s string) bool {
	return strings.Trim(s, "0123456789") == ""
}
