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
	maxToken   = 1 << 10 // bytes: a name, a number, the flags of a group
)

// scan reads a Perl pattern (perlre(1), Perl 5.36) and writes it for the engines. All that depends on characters is
// worked out here into sets of bytes; the engines see only those, sequences, repeats, groups and looks around.
// Recursion, backtracking verbs other than (*FAIL), embedded code and named characters are refused.
func scan(pattern string) (part, error) {
	if len(pattern) > maxPattern {
		return part{}, fmt.Errorf("longer than %d bytes", maxPattern)
	}
	if !strings.ContainsAny(pattern, `\^$.|?*+()[]{}`) { // as nearly all are
		return part{plain: true, needs: []string{pattern}}, nil
	}
	// The first pass counts and names the groups, which decides what \10 and \k<name> mean.
	s := scanner{characters: characters{cursor: cursor{src: pattern}, sets: map[string]byteSet{}},
		names: map[string][]int{}, referred: map[int]bool{}, ones: map[byteSet]part{}}
	if s.pattern(); s.err != nil {
		return part{}, s.err
	}
	s.second, s.total, s.own = true, s.groups, s.groups
	s.pos, s.groups, s.flags = 0, 0, modifiers{}
	return s.pattern(), s.err
}

// modifiers are those in force at one place of the pattern, by their letter; xx is X.
type modifiers struct {
	on    ['z' + 1]bool
	rules byte // for characters beyond ASCII: a, u, l, or 0 for Perl's default
}

// cursor is a place in a pattern.
type cursor struct {
	src string
	pos int
	err error // the first
}

// characters reads one character, or a set of them, under the modifiers in force.
type characters struct {
	cursor
	flags        modifiers
	unicodeRules bool               // something in the pattern puts all of it under the Unicode rules
	sets         map[string]byteSet // of escapes, as they were read before
}

// scanner reads groups, what is in them, and how often it repeats.
type scanner struct {
	characters
	groups     int              // opened so far
	names      map[string][]int // of the groups
	referred   map[int]bool     // groups that a number refers to
	own        int              // the last group that we added
	nesting    int
	lookaround int // depth of look-arounds
	ones       map[byteSet]part
	second     bool // pass: the names of all groups are known, and
	total      int  // how many there are
}

func (s *scanner) pattern() part {
	all := either(s.branches(false))
	if !s.end() {
		s.fail(s.pos, "unmatched )")
	}
	return all
}

// fail keeps the first error, and skips the rest of the pattern: whatever is being read ends there.
func (s *cursor) fail(pos int, format string, args ...any) part {
	if s.err == nil {
		s.err = fmt.Errorf("%s, at character %d of the pattern", fmt.Sprintf(format, args...), pos+1)
	}
	s.pos = len(s.src)
	return part{}
}

func (s *cursor) end() bool { return s.pos >= len(s.src) }

func (s *cursor) ahead(text string) bool { return strings.HasPrefix(s.src[s.pos:], text) }

func (s *cursor) accept(text string) bool {
	found := s.ahead(text)
	if found {
		s.pos += len(text)
	}
	return found
}

// match reads what an expression describes, if that is ahead, and returns its groups.
func (s *cursor) match(token *regexp.Regexp) []string {
	found := token.FindStringSubmatch(s.src[s.pos:min(s.pos+maxToken, len(s.src))])
	if found != nil {
		s.pos += len(found[0])
	}
	return found
}

// upTo reads up to a text and past it; without it, up to the end of the pattern.
func (s *cursor) upTo(stop string) (found bool) {
	_, rest, found := strings.Cut(s.src[s.pos:], stop)
	s.pos = len(s.src) - len(rest)
	return found
}

// latin1 reports whether \w and its like cover Latin-1 here.
func (s *characters) latin1() bool {
	return s.flags.rules == 'u' || s.flags.rules == 0 && s.unicodeRules
}

// folded is a set in both cases if case does not count here.
func (s *characters) folded(set byteSet) byteSet {
	if !s.flags.on['i'] {
		return set
	}
	return set.folded(s.flags.rules == 'u' || s.flags.rules != 'l' && s.unicodeRules)
}

// branches reads up to the end of the group. In a branch reset each alternative counts its groups from the same number.
func (s *scanner) branches(reset bool) (all []part) {
	first, last := s.groups, 0
	for {
		all = append(all, s.sequence())
		last = max(last, s.groups)
		if !s.accept("|") {
			s.groups = last
			return all
		}
		if reset {
			s.groups = first
		}
	}
}

// sequence reads up to the next "|" or ")".
func (s *scanner) sequence() part {
	var all []part
	for s.skipComments(); !s.end() && !s.ahead("|") && !s.ahead(")"); s.skipComments() {
		atom := s.atom()
		if atom.nothing {
			continue
		}
		if member := s.quantified(atom); s.second {
			all = append(all, member)
		}
	}
	return inOrder(all)
}

// skip skips bytes of a set.
func (s *cursor) skip(set string) (found bool) {
	for !s.end() && strings.IndexByte(set, s.src[s.pos]) >= 0 {
		s.pos++
		found = true
	}
	return found
}

// skipComments skips (?#...) and, under (?x), white space and # comments.
func (s *scanner) skipComments() {
	for {
		begin := s.pos
		switch {
		case s.accept("(?#"):
			if !s.upTo(")") {
				s.fail(begin, "unmatched (?#")
			}
		case s.flags.on['x'] && s.accept("#"):
			s.upTo("\n")
		case s.flags.on['x'] && s.skip(" \t\n\v\f\r\x85"):
		default:
			return
		}
	}
}

var (
	textBegin = part{text: `\A`, alike: true}
	lastEnd   = part{text: `\Z`, alike: true, ends: true, shifts: true}
)

// atoms are what one or two characters mean; those of (?m) and (?s) have that letter in front. Go's engine reads all
// but the line breaks alike. A $ is also before a newline that ends the text: for Go that newline may follow.
var atoms = map[string]part{
	"^": textBegin, `\A`: textBegin, `\G`: textBegin, "m^": {text: `(?m:^)`, alike: true, begins: true},
	"$": lastEnd, `\Z`: lastEnd, `\z`: {text: `\z`, alike: true}, "m$": {text: `(?m:$)`, alike: true},
	`\b`: {text: `\b`, alike: true}, `\B`: {text: `\B`, alike: true},
	".": one(notNewline), "s.": one(everything), `\N`: one(notNewline),
	`\R`: lineBreakOr(verticalSpace), `\X`: lineBreakOr(everything), `\K`: {nothing: true},
}

// namedCharacter is \N{U+41} and its like, which a quantifier never is.
var namedCharacter = regexp.MustCompile(`^\\N\{[ \t]*[^ \t0-9,]`)

// atom reads what a quantifier may follow. There is nothing to repeat in (?i) and its like, nor in \K: it moves the
// start of the match, which is not used.
func (s *scanner) atom() part {
	begin := s.pos
	c := s.src[begin]
	switch {
	case c == '(':
		return s.group()
	case c == '[':
		return s.one(s.class())
	case strings.IndexByte("*+?", c) >= 0:
		return s.fail(begin, "quantifier %c follows nothing", c)
	case c == '{' && begin > 1 && s.src[begin-2] == '\\' && isLetter(s.src[begin-1]):
		return s.fail(begin, `unescaped left brace, write \{`) // as Perl does
	case c == '\\':
		if ref, ok := s.reference(); ok {
			return ref
		}
	}
	name, mode := string(c), ""
	switch {
	case c == '\\':
		name = s.src[begin:min(begin+2, len(s.src))]
	case c == '.' && s.flags.on['s']:
		mode = "s"
	case c != '.' && s.flags.on['m']:
		mode = "m"
	}
	if name == `\g` || name == `\k` {
		return s.fail(begin, `%s must be followed by the number or the name of a group`, name)
	}
	atom, found := atoms[mode+name]
	if !found || name == `\N` && namedCharacter.MatchString(s.src[begin:min(begin+maxToken, len(s.src))]) {
		set, _ := s.character()
		return s.one(s.folded(set))
	}
	s.pos += len(name)
	switch name {
	case `\b`, `\B`:
		return s.wordEdge(name, atom)
	case `\K`:
		if s.lookaround > 0 {
			return s.fail(begin, `\K is not permitted in a look-around`)
		}
	}
	return atom
}

// quantifier is how often something is repeated; high -1 is without a bound.
type quantifier struct {
	low, high int
	text      string
}

// quantifiers are * + ? {n} {n,} {n,m} {,m}. Any other brace is an ordinary character.
var quantifiers = regexp.MustCompile(
	`^(?:[*+?]|\{[ \t]*(?:([0-9]+)[ \t]*(?:(,)[ \t]*([0-9]*)[ \t]*)?|,[ \t]*([0-9]+)[ \t]*)\})`)

var shortQuantifiers = map[string]quantifier{"*": {0, -1, "*"}, "+": {1, -1, "+"}, "?": {0, 1, "?"}}

func (s *scanner) quantifier() (q quantifier, found bool) {
	if s.end() || strings.IndexByte("*+?{", s.src[s.pos]) < 0 {
		return q, false
	}
	m := s.match(quantifiers)
	if m == nil {
		return q, false
	}
	if q, found = shortQuantifiers[m[0]]; found {
		return q, true
	}
	q.low, _ = strconv.Atoi(m[1]) // the largest number where it is larger
	switch high := m[3] + m[4]; {
	case high != "":
		q.high, _ = strconv.Atoi(high)
	case m[2] == "":
		q.high = q.low
	default:
		q.high = -1
	}
	q.text = strings.Replace(fmt.Sprintf("{%d,%d}", q.low, q.high), "-1", "", 1)
	return q, true
}

// quantified reads what repeats an atom. Where the body is not for Go's engine it becomes a group of our own: the other
// one takes (?>a?)? for (?>a?), but not when there is a group between them.
func (s *scanner) quantified(atom part) part {
	s.skipComments()
	begin := s.pos
	q, found := s.quantifier()
	switch {
	case !found:
		return atom
	case max(q.low, q.high) > maxRepeat:
		return s.fail(begin, "quantifier bigger than %d", maxRepeat)
	}
	s.skipComments()
	lazy := s.accept("?")
	possessive := !lazy && s.accept("+")
	s.skipComments()
	second := s.pos
	if _, found := s.quantifier(); found {
		return s.fail(second, "nested quantifiers")
	}
	if q.high >= 0 && q.low > q.high { // Perl: can't match
		return one(byteSet{})
	}
	all := atom.repeated(q, begin)
	switch {
	case !atom.alike:
		s.own++
		all.text = fmt.Sprintf("(?<%d>%s)", s.own, atom.text)
	case atom.single:
		all.text = atom.text
	default:
		all.text = "(?:" + atom.text + ")"
	}
	all.text += q.text
	switch {
	case lazy:
		all.text += "?"
	case possessive:
		return all.held()
	}
	return all
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
