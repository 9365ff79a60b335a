package perlre

import (
	"fmt"
	"strconv"
	"strings"
)

// Limits of a pattern. maxRepeat is Perl's own.
const (
	maxPattern = 64 << 10 // bytes
	maxNesting = 200      // groups in groups
	maxRepeat  = 65534
)

// parse reads a Perl pattern (perlre(1), Perl 5.36) into a tree that says over bytes what Perl does. All
// that depends on characters is worked out here into sets of bytes; what is left only sequences, repeats,
// groups and looks around. Recursion, backtracking verbs other than (*FAIL), embedded code and named
// characters are refused.
func parse(pattern string) (tree *node, groups int, err error) {
	if len(pattern) > maxPattern {
		return nil, 0, fmt.Errorf("longer than %d bytes", maxPattern)
	}
	// The first pass counts and names the groups, which decides what \10 and \k<name> mean.
	scout := parser{src: pattern, scouting: true, referred: map[int]bool{}}
	if _, err := scout.parse(); err != nil {
		return nil, 0, err
	}
	p := parser{src: pattern, total: scout.groups, unicodeRules: scout.unicodeRules,
		referred: scout.referred, allNames: scout.names}
	for _, name := range scout.namesReferred {
		for _, group := range scout.names[name] {
			p.referred[group] = true
		}
	}
	tree, err = p.parse()
	return tree, scout.groups, err
}

// modifiers are those in force at one place of the pattern: (?imsxn) and the rule for
// characters beyond ASCII.
type modifiers struct {
	fold       bool // i
	multiline  bool // m
	dotAll     bool // s
	noCaptures bool // n
	extended   int  // x: 1, xx: 2
	rules      byte // a, u, l, or 0 for Perl's default
}

type parser struct {
	src   string
	pos   int
	flags modifiers

	scouting     bool
	groups       int // opened so far
	names        map[string][]int
	unicodeRules bool // something in the pattern puts all of it under the Unicode rules
	nesting      int
	lookaround   int // depth of look-arounds

	total         int // groups in the whole pattern
	allNames      map[string][]int
	referred      map[int]bool // groups that something refers to; the others need no capture
	namesReferred []string
}

func (p *parser) parse() (*node, error) {
	tree, err := p.alternatives(false)
	if err != nil {
		return nil, err
	}
	if !p.end() {
		return nil, p.errAt(p.pos, "unmatched )")
	}
	return tree, nil
}

func (p *parser) end() bool { return p.pos >= len(p.src) }

func (p *parser) accept(c byte) bool {
	if p.end() || p.src[p.pos] != c {
		return false
	}
	p.pos++
	return true
}

func (p *parser) acceptString(s string) bool {
	if !strings.HasPrefix(p.src[p.pos:], s) {
		return false
	}
	p.pos += len(s)
	return true
}

func (p *parser) errAt(pos int, format string, args ...any) error {
	return fmt.Errorf("%s, at character %d of the pattern", fmt.Sprintf(format, args...), pos+1)
}

// classesLatin1 reports whether \w and its like cover Latin-1 here, foldsLatin1 whether case does.
func (p *parser) classesLatin1() bool {
	return p.flags.rules == 'u' || p.flags.rules == 0 && p.unicodeRules
}

func (p *parser) foldsLatin1() bool {
	return p.flags.rules == 'u' || p.flags.rules != 'l' && p.unicodeRules
}

// requireUnicode puts the pattern under the Unicode rules, unless others are written for this place.
func (p *parser) requireUnicode() {
	if p.flags.rules == 0 {
		p.unicodeRules = true
	}
}

// alternatives reads up to the end of the group. In a branch reset each alternative counts its
// groups from the same number.
func (p *parser) alternatives(reset bool) (*node, error) {
	first, most := p.groups, p.groups
	var branches []*node
	for {
		branch, err := p.sequence()
		if err != nil {
			return nil, err
		}
		branches = append(branches, branch)
		most = max(most, p.groups)
		if !p.accept('|') {
			break
		}
		if reset {
			p.groups = first
		}
	}
	p.groups = most
	if len(branches) == 1 {
		return branches[0], nil
	}
	return &node{kind: choice, subs: branches}, nil
}

// sequence reads up to the next "|" or ")".
func (p *parser) sequence() (*node, error) {
	all := &node{kind: sequence}
	for {
		if err := p.skipComments(); err != nil {
			return nil, err
		}
		if p.end() || p.src[p.pos] == '|' || p.src[p.pos] == ')' {
			return all, nil
		}
		atom, err := p.atom()
		if err != nil {
			return nil, err
		}
		if atom == nil {
			continue
		}
		if atom, err = p.quantifiers(atom); err != nil {
			return nil, err
		}
		all.subs = append(all.subs, atom)
	}
}

// skipComments skips (?#...) and, under (?x), white space and # comments.
func (p *parser) skipComments() error {
	for !p.end() {
		switch c := p.src[p.pos]; {
		case strings.HasPrefix(p.src[p.pos:], "(?#"):
			length := strings.IndexByte(p.src[p.pos:], ')')
			if length < 0 {
				return p.errAt(p.pos, "unmatched (?#")
			}
			p.pos += length + 1
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

// atom reads what a quantifier may follow. It is nil for (?i) and its like: nothing to repeat.
func (p *parser) atom() (*node, error) {
	c := p.src[p.pos]
	p.pos++
	switch c {
	case '(':
		return p.group()
	case '[':
		set, err := p.class()
		return one(set), err
	case '.':
		set := byteSet{}.negated()
		if !p.flags.dotAll {
			set[0] &^= 1 << '\n'
		}
		return one(set), nil
	case '^':
		if p.flags.multiline {
			return &node{kind: lineBegin}, nil
		}
		return &node{kind: textBegin}, nil
	case '$':
		if p.flags.multiline {
			return &node{kind: lineEnd}, nil
		}
		return &node{kind: lastEnd}, nil
	case '\\':
		return p.escape()
	case '*', '+', '?':
		return nil, p.errAt(p.pos-1, "quantifier %c follows nothing", c)
	case '{': // no quantifier, or it had been read; Perl refuses it after an escaped letter
		if p.pos > 2 && p.src[p.pos-3] == '\\' && isLetter(p.src[p.pos-2]) {
			return nil, p.errAt(p.pos-1, `unescaped left brace, write \{`)
		}
	}
	return p.char(int(c)), nil
}

// char is one character; one beyond the bytes matches nothing.
func (p *parser) char(c int) *node {
	if c > 0xff {
		p.unicodeRules = true
		return one(byteSet{})
	}
	var set byteSet
	set.add(byte(c))
	if p.flags.fold {
		set = set.folded(p.foldsLatin1())
	}
	return one(set)
}

// quantifiers reads what repeats an atom.
func (p *parser) quantifiers(atom *node) (*node, error) {
	if err := p.skipComments(); err != nil {
		return nil, err
	}
	begin := p.pos
	low, high, found, err := p.quantifier()
	if err != nil || !found {
		return atom, err
	}
	if err := p.skipComments(); err != nil {
		return nil, err
	}
	lazy := p.accept('?')
	possessive := !lazy && p.accept('+')
	if err := p.skipComments(); err != nil {
		return nil, err
	}
	second := p.pos
	if _, _, found, err := p.quantifier(); err != nil || found {
		return nil, p.errAt(second, "nested quantifiers")
	}
	if high >= 0 && low > high { // Perl: can't match
		return one(byteSet{}), nil
	}
	n := &node{kind: repeat, subs: []*node{atom}, low: low, high: high, lazy: lazy, pos: begin}
	if possessive {
		n = &node{kind: atomic, subs: []*node{n}}
	}
	return n, nil
}

// quantifier reads one of * + ? {n} {n,} {n,m} {,m}; high -1 is no bound. Any other brace is an
// ordinary character.
func (p *parser) quantifier() (low, high int, found bool, err error) {
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
