package perlre

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits on a pattern. maxRepeat is also Perl's limit.
const (
	maxPattern = 64 << 10 // bytes
	maxNesting = 200      // groups in groups
	maxRepeat  = 65534
	maxToken   = 1 << 10 // bytes: a name, a number, the flags of a group
)

// scan reads a Perl pattern (perlre(1), Perl 5.36) construct by construct, and translates it for the engines. It
// refuses unknown constructs, and those that both engines read differently from Perl.
func scan(pattern string) (part, error) {
	if len(pattern) > maxPattern {
		return part{}, fmt.Errorf("longer than %d bytes", maxPattern)
	}
	s := scanner{src: string(runesOf([]byte(pattern))), groups: map[string]int{}}
	all := s.branches()
	if !s.end() {
		s.fail(s.pos, "unmatched )")
	}
	return all, s.err
}

// scanner reads a pattern.
type scanner struct {
	src     string // one rune for each byte of the pattern
	pos     int
	err     error          // the first
	on      ['z' + 1]bool  // the modifiers in force, by their letter
	groups  map[string]int // the capturing groups opened so far, by name and by number
	count   int            // how many capturing groups were opened so far
	nesting int
}

// fail keeps the first error, and skips the remainder of the pattern, so that nothing more is read.
func (s *scanner) fail(pos int, format string, args ...any) part {
	for i, arg := range args {
		if text, is := arg.(string); is {
			args[i] = bytesOf(text)
		}
	}
	if s.err == nil {
		s.err = fmt.Errorf("%s, at character %d of the pattern", fmt.Sprintf(format, args...),
			utf8.RuneCountInString(bytesOf(s.src[:pos]))+1)
	}
	s.pos = len(s.src)
	return part{}
}

func (s *scanner) end() bool { return s.pos == len(s.src) }

func (s *scanner) accept(text string) bool {
	found := strings.HasPrefix(s.src[s.pos:], text)
	if found {
		s.pos += len(text)
	}
	return found
}

// match reads what token matches at the current position, and returns the groups of the match; nil without a match.
func (s *scanner) match(token *regexp.Regexp) []string {
	found := token.FindStringSubmatch(s.src[s.pos:min(s.pos+maxToken, len(s.src))])
	if found != nil {
		s.pos += len(found[0])
	}
	return found
}

// comments matches what is always skipped. blanks matches what is skipped under (?x): comments and white space.
var (
	comments = regexp.MustCompile(`^(?:\(\?#[^)]*\))+`)
	blanks   = regexp.MustCompile(`^(?:\(\?#[^)]*\)|[ \t\n\v\f\r\x{e085}]|#[^\n]*(?:\n|\z))+`)
)

func (s *scanner) skip() {
	if !s.on['x'] && !strings.HasPrefix(s.src[s.pos:], "(?#") {
		return
	}
	ignored := comments
	if s.on['x'] {
		ignored = blanks
	}
	s.pos += len(ignored.FindString(s.src[s.pos:]))
}

// branches reads alternatives up to the end of the group or pattern.
func (s *scanner) branches() part {
	all := []part{s.sequence()}
	for s.accept("|") {
		all = append(all, s.sequence())
	}
	return either(all)
}

// sequence reads up to the next "|" or ")".
func (s *scanner) sequence() part {
	var all []part
	for s.skip(); !s.end() && s.src[s.pos] != '|' && s.src[s.pos] != ')'; s.skip() {
		atom := s.atom()
		if !atom.nothing {
			atom = s.quantified(atom)
		}
		all = append(all, atom)
	}
	return inOrder(all)
}

// refused lists constructs that are invalid in Perl, or that the engines would read differently.
var refused = []struct {
	construct *regexp.Regexp
	why       string
}{
	{regexp.MustCompile(`^[*+?]`), "quantifier %s follows nothing"},
	{regexp.MustCompile(`^\\\z`), `trailing %s`},
	{regexp.MustCompile(`^\\[bB]\{[^}]*\}?`), "%s is not supported"},
	{regexp.MustCompile(`^\\[xo]\{[^}]*\z`), "unmatched { in %s"},
	{regexp.MustCompile(`^\\N\{[ \t]*[^ \t0-9,][^}]*\}?`),
		`%s: named characters are not supported; use a code such as \x41`},
	{regexp.MustCompile(`^\\[pP](?:\{[^}]*\}|.?)`),
		`%s: properties are not supported; use a class such as [[:upper:]]`},
	{regexp.MustCompile(`^\\[a-fh-jl-np-wyzAC-MO-Z]\{(?:[0-9, \t]*(?:\z|[^0-9, \t}])|[ \t]*,?[ \t]*\})`),
		`unescaped left brace in %s, write \{`}, // Perl refuses it, too
}

var (
	textBegin = part{text: `\A`}
	lastEnd   = part{text: `\Z`, ends: true}
	nowhere   = part{text: "(?!)", odd: true}
	noNewline = one(`[^\n]`)
)

// atoms maps each atom with a special meaning to its part. A key with the prefix m or s is for (?m) or (?s), which
// change the meaning of the atom.
var atoms = map[string]part{
	"^": textBegin, `\A`: textBegin, `\G`: textBegin, "m^": {text: `(?m:^)`, begins: true},
	"$": lastEnd, `\Z`: lastEnd, `\z`: {text: `\z`}, "m$": {text: `(?m:$)`}, `\b`: {text: `\b`}, `\B`: {text: `\B`},
	".": noNewline, "s.": one(`(?s:.)`), `\N`: noNewline, `\K`: {nothing: true, plain: true},
	`\R`: one(`\r\n|[\n-\r\x{e085}]`).held(), `\X`: one(`\r\n|(?s:.)`).held(),
	"(*F)": nowhere, "(*FAIL)": nowhere,
}

var atomName = regexp.MustCompile(`^(?:[\^$.]|\\[AGZzbBNKRX]|\(\*F(?:AIL)?\))`)

// atom reads one unit of a pattern. A quantifier may follow the unit, unless that is \K or a modifier such as (?i). In
// Perl, \K moves the start of the match. Here it is ignored, so Find returns the start that the match would have
// without it.
func (s *scanner) atom() part {
	begin := s.pos
	if strings.IndexByte(`\^$.[(*+?`, s.src[begin]) < 0 {
		return s.literal()
	}
	escape := s.src[begin:min(begin+2, len(s.src))]
	if set, found := sets[escape]; found && !strings.HasPrefix(s.src[begin+2:], "{") {
		s.pos += 2
		return one("[" + set + "]")
	}
	for _, r := range refused {
		if m := s.match(r.construct); m != nil {
			return s.fail(begin, r.why, m[0])
		}
	}
	if m := s.match(setEscape); m != nil {
		return one("[" + sets[m[0]] + "]")
	}
	if m := s.match(atomName); m != nil {
		for _, mode := range "ms" {
			if atom, found := atoms[string(mode)+m[0]]; found && s.on[mode] {
				return atom
			}
		}
		return atoms[m[0]]
	}
	if ref, ok := s.reference(); ok {
		return ref
	}
	switch s.src[begin] {
	case '(':
		return s.group()
	case '[':
		return s.class()
	}
	return s.literal()
}

// literal reads an ordinary character.
func (s *scanner) literal() part {
	char := s.character()
	literal := one(written(char))
	if !s.on['i'] || !unicode.IsLetter(char) {
		literal.plain, literal.needs = true, []string{string([]byte{byte(char)})}
	}
	return literal
}

// quantifiers matches * + ? {n} {n,} {n,m} {,m}. Any other brace is an ordinary character.
var quantifiers = regexp.MustCompile(
	`^(?:[*+?]|\{[ \t]*(?:([0-9]+)[ \t]*(?:(,)[ \t]*([0-9]*)[ \t]*)?|(,)[ \t]*([0-9]+)[ \t]*)\})`)

// leadingZero finds a number with a leading zero in a quantifier. Perl refuses such a quantifier, and Go reads it as
// literal text.
var leadingZero = regexp.MustCompile(`[{,]0[0-9]`)

// quantifier reads a quantifier, and returns it in the engines' notation, with its bounds. An upper bound that is not
// written as a number is returned as low.
func (s *scanner) quantifier() (text string, low, high int) {
	if s.end() || strings.IndexByte("*+?{", s.src[s.pos]) < 0 {
		return "", 0, 0
	}
	m := s.match(quantifiers)
	if m == nil {
		return "", 0, 0
	}
	first, last := cmp.Or(m[1], "0"), m[3]+m[5]
	text = "{" + first + m[2] + m[4] + last + "}"
	switch m[0] {
	case "+":
		first, text = "1", m[0]
	case "*", "?":
		text = m[0]
	}
	low, _ = strconv.Atoi(first)
	high, _ = strconv.Atoi(cmp.Or(last, first))
	return text, low, high
}

// quantified reads the quantifier of an atom, if there is one.
func (s *scanner) quantified(atom part) part {
	s.skip()
	begin := s.pos
	text, low, high := s.quantifier()
	if text == "" {
		return atom
	}
	if leadingZero.MatchString(text) {
		return s.fail(begin, "invalid quantifier %s: its numbers must not begin with 0", text)
	}
	s.skip()
	lazy := s.accept("?")
	possessive := !lazy && s.accept("+")
	if lazy {
		text += "?"
	}
	s.skip()
	end := s.pos
	switch {
	case s.match(quantifiers) != nil:
		return s.fail(end, "nested quantifiers")
	case max(low, high) > maxRepeat:
		return s.fail(begin, "quantifier bigger than %d", maxRepeat)
	case low > high: // Perl: can't match
		return nowhere
	case possessive:
		return atom.repeated(text, low).held()
	}
	return atom.repeated(text, low)
}
