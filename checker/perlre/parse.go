package perlre

import (
	"fmt"
	"regexp"
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
	first := parser{src: pattern, names: map[string][]int{}}
	if first.parse(); first.err != nil {
		return nil, 0, first.err
	}
	p := parser{src: pattern, names: map[string][]int{}, unicodeRules: first.unicodeRules, first: &first}
	if tree = p.parse(); p.err != nil {
		return nil, 0, p.err
	}
	tree.dropCaptures()
	return tree, first.groups, nil
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
	err   error // the first
	flags modifiers

	groups       int              // opened so far
	names        map[string][]int // of the groups
	unicodeRules bool             // something in the pattern puts all of it under the Unicode rules
	nesting      int
	lookaround   int     // depth of look-arounds
	first        *parser // the first pass, when this is the second
}

func (p *parser) parse() *node {
	tree := p.alternatives(false)
	if !p.end() {
		p.fail(p.pos, "unmatched )")
	}
	return tree
}

// fail keeps the first error, and skips the rest of the pattern: whatever is being read ends there. There is no node.
func (p *parser) fail(pos int, format string, args ...any) *node {
	if p.err == nil {
		p.err = fmt.Errorf("%s, at character %d of the pattern", fmt.Sprintf(format, args...), pos+1)
	}
	p.pos = len(p.src)
	return nil
}

func (p *parser) end() bool { return p.pos >= len(p.src) }

// next reads a byte; there must be one.
func (p *parser) next() byte {
	p.pos++
	return p.src[p.pos-1]
}

func (p *parser) ahead(s string) bool { return strings.HasPrefix(p.src[p.pos:], s) }

func (p *parser) accept(s string) bool {
	found := p.ahead(s)
	if found {
		p.pos += len(s)
	}
	return found
}

// upTo reads up to a text and past it; without it, up to the end of the pattern.
func (p *parser) upTo(stop string) (text string, found bool) {
	text, rest, found := strings.Cut(p.src[p.pos:], stop)
	p.pos = len(p.src) - len(rest)
	return text, found
}

// take reads bytes of those given, up to a limit.
func (p *parser) take(bytes string, limit int) string {
	begin := p.pos
	for !p.end() && p.pos < begin+limit && strings.IndexByte(bytes, p.src[p.pos]) >= 0 {
		p.pos++
	}
	return p.src[begin:p.pos]
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
func (p *parser) alternatives(reset bool) *node {
	first := p.groups
	branches := []*node{p.sequence()}
	last := p.groups
	for p.accept("|") {
		if reset {
			p.groups = first
		}
		branches = append(branches, p.sequence())
		last = max(last, p.groups)
	}
	p.groups = last
	if len(branches) == 1 {
		return branches[0]
	}
	return &node{kind: choice, subs: branches}
}

// sequence reads up to the next "|" or ")".
func (p *parser) sequence() *node {
	all := &node{kind: sequence}
	for p.skipComments(); !p.end() && !p.ahead("|") && !p.ahead(")"); p.skipComments() {
		if atom := p.atom(); atom != nil {
			all.subs = append(all.subs, p.quantifiers(atom))
		}
	}
	return all
}

// skipComments skips (?#...) and, under (?x), white space and # comments.
func (p *parser) skipComments() {
	for {
		begin := p.pos
		switch {
		case p.accept("(?#"):
			if _, found := p.upTo(")"); !found {
				p.fail(begin, "unmatched (?#")
			}
		case p.flags.extended > 0 && p.accept("#"):
			p.upTo("\n")
		case p.flags.extended > 0 && p.take(" \t\n\v\f\r\x85", maxPattern) != "":
		default:
			return
		}
	}
}

// atom reads what a quantifier may follow. It is nil for (?i) and its like: nothing to repeat.
func (p *parser) atom() *node {
	c := p.next()
	switch c {
	case '(':
		return p.group()
	case '[':
		return one(p.class())
	case '.':
		if p.flags.dotAll {
			return one(byteSet{}.negated())
		}
		return one(bytesOf("\n").negated())
	case '^':
		if p.flags.multiline {
			return &node{kind: lineBegin}
		}
		return &node{kind: textBegin}
	case '$':
		if p.flags.multiline {
			return &node{kind: lineEnd}
		}
		return &node{kind: lastEnd}
	case '\\':
		return p.escape()
	case '*', '+', '?':
		return p.fail(p.pos-1, "quantifier %c follows nothing", c)
	case '{': // no quantifier, or it had been read; Perl refuses it after an escaped letter
		if p.pos > 2 && p.src[p.pos-3] == '\\' && isLetter(p.src[p.pos-2]) {
			return p.fail(p.pos-1, `unescaped left brace, write \{`)
		}
	}
	return p.char(int(c))
}

// char is one character; one beyond the bytes matches nothing.
func (p *parser) char(c int) *node {
	var set byteSet
	if c > 0xff {
		p.unicodeRules = true
		return one(set)
	}
	set.add(byte(c))
	if p.flags.fold {
		set = set.folded(p.foldsLatin1())
	}
	return one(set)
}

// quantifiers reads what repeats an atom.
func (p *parser) quantifiers(atom *node) *node {
	p.skipComments()
	begin := p.pos
	low, high, found := p.quantifier()
	switch {
	case !found:
		return atom
	case max(low, high) > maxRepeat:
		return p.fail(begin, "quantifier bigger than %d", maxRepeat)
	}
	p.skipComments()
	lazy := p.accept("?")
	possessive := !lazy && p.accept("+")
	p.skipComments()
	second := p.pos
	if _, _, found := p.quantifier(); found {
		return p.fail(second, "nested quantifiers")
	}
	if high >= 0 && low > high { // Perl: can't match
		return one(byteSet{})
	}
	n := &node{kind: repeat, subs: []*node{atom}, low: low, high: high, lazy: lazy, pos: begin}
	if possessive {
		n = &node{kind: atomic, subs: []*node{n}}
	}
	return n
}

// counted is {n} {n,} {n,m} {,m}. Any other brace is an ordinary character.
var counted = regexp.MustCompile(`^\{[ \t]*([0-9]*)[ \t]*(?:(,)[ \t]*([0-9]*)[ \t]*)?\}`)

// quantifier reads one of * + ? and what is counted; high -1 is no bound.
func (p *parser) quantifier() (low, high int, found bool) {
	switch {
	case p.accept("*"):
		return 0, -1, true
	case p.accept("+"):
		return 1, -1, true
	case p.accept("?"):
		return 0, 1, true
	case !p.ahead("{"):
		return 0, 0, false
	}
	parts := counted.FindStringSubmatch(p.span("0123456789, \t", "}"))
	if parts == nil || parts[1]+parts[3] == "" {
		return 0, 0, false
	}
	p.pos += len(parts[0])
	low, high = repeatCount(parts[1], 0), repeatCount(parts[3], -1)
	if parts[2] == "" {
		high = low
	}
	return low, high, true
}

// span is the next character, those of a set after it, and what ends them; "" if something else does. A search by
// regexp takes time for all that it is given, and most characters that may begin something don't.
func (p *parser) span(set, end string) string {
	text := p.src[p.pos:]
	rest := strings.TrimLeft(text[1:], set)
	if !strings.HasPrefix(rest, end) {
		return ""
	}
	return text[:len(text)-len(rest)+len(end)]
}

func repeatCount(digits string, missing int) int {
	if digits == "" {
		return missing
	}
	n, _ := strconv.Atoi(digits) // the largest number where it is larger
	return n
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
