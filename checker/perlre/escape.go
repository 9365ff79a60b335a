package perlre

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

var (
	everything    = byteSet{}.negatedIf(true)
	notNewline    = bytesOf("\n").negatedIf(true)
	verticalSpace = bytesOf("\n\v\f\r\x85")
	asciiWord, _  = posixSet("word", false, false)
)

// wordEdge is \b or \B. That of the engines knows no Latin-1.
func (s *characters) wordEdge(name string, ascii part) part {
	switch {
	case s.ahead("{"):
		return s.fail(s.pos-2, `%s{...} is not supported`, name)
	case !s.latin1():
		return ascii
	}
	word, _ := posixSet("word", true, false)
	return part{text: wordEdge(word, name == `\B`)}
}

// wordEdge writes \b or \B for the engine that looks around.
func wordEdge(word byteSet, negated bool) string {
	ahead, notAhead := "(?=", "(?!"
	if negated {
		ahead, notAhead = notAhead, ahead
	}
	return fmt.Sprintf(`(?:(?<=%[1]s)%[3]s%[1]s)|(?<!%[1]s)%[2]s%[1]s))`, word, ahead, notAhead)
}

// lineBreakOr is \r\n, or one of a set: what was taken is not given back.
func lineBreakOr(set byteSet) part {
	both := inOrder([]part{one(bytesOf("\r")), one(bytesOf("\n"))})
	return either([]part{both, one(set)}).held()
}

// escapedClasses are the classes of POSIX that have a letter.
var escapedClasses = map[byte]string{'d': "digit", 'w': "word", 's': "space", 'h': "blank"}

// character reads one character, or a set of them: then its number is -1. One beyond the bytes is in no set.
func (s *characters) character() (set byteSet, char int) {
	begin := s.pos
	s.pos++
	switch {
	case s.src[begin] != '\\':
		char = int(s.src[begin])
	case s.end():
		s.fail(begin, `trailing \`)
	default:
		if set, ok := s.setEscape(); ok {
			return set, -1
		}
		char = s.charEscape()
	}
	if char > 0xff {
		s.unicodeRules = true
		return set, char
	}
	set.add(byte(char))
	return set, char
}

// setEscape reads the escapes of a set of characters: \d \w \s \h \v, their opposites, and \p.
func (s *characters) setEscape() (set byteSet, ok bool) {
	letter := s.src[s.pos]
	lower := letter | 0x20
	switch name := escapedClasses[lower]; {
	case name != "":
		set = s.once(name+strconv.FormatBool(s.latin1()), func() byteSet {
			set, _ := posixSet(name, s.latin1() || lower == 'h', false)
			return set
		})
	case lower == 'v':
		set = verticalSpace
	case lower == 'p':
		return s.property().negatedIf(letter == 'P'), true
	default:
		return set, false
	}
	s.pos++
	return set.negatedIf(letter < 'a'), true
}

var property = regexp.MustCompile(`^[pP](?:\{[ \t]*(\^?)([^}]*)\}|([^{]))`)

// property reads \p or \P with its name. Such a pattern is under the Unicode rules as a whole.
func (s *characters) property() byteSet {
	begin := s.pos - 1
	if s.flags.rules == 0 {
		s.unicodeRules = true
	}
	m := s.match(property)
	if m == nil {
		s.fail(begin, `\p without a property`)
		return byteSet{}
	}
	set := s.once(m[0]+strconv.FormatBool(s.flags.on['i']), func() byteSet {
		set, ok := propertySet(strings.TrimSpace(m[2]+m[3]), s.flags.on['i'])
		if !ok {
			s.fail(begin, `\p{%s}: this property is not supported`, m[2]+m[3])
		}
		return set
	})
	return set.negatedIf(m[1] != "")
}

// once reads a set, unless one of this name was read.
func (s *characters) once(name string, read func() byteSet) byteSet {
	set, found := s.sets[name]
	if !found {
		set = read()
		s.sets[name] = set
	}
	return set
}

// charNumbers are the escapes of a character by its number: hexadecimal in 1, 2 and 3, octal in 4 and 5. Perl ignores
// what follows the digits in braces.
var charNumbers = regexp.MustCompile(`^(?:x\{[ \t]*([0-9A-Fa-f_]*)[^}]*\}|x([0-9A-Fa-f]{1,2})|` +
	`N\{[ \t]*U\+([0-9A-Fa-f_]*)[^}.]*\}|o\{[ \t]*([0-7_]*)[^}]*\}|([0-7]{1,3})|c([ -~]))`)

// charEscape reads an escape of one character; the position is after its backslash.
func (s *characters) charEscape() int {
	begin := s.pos - 1
	letter := s.src[s.pos]
	m := s.match(charNumbers)
	switch {
	case m == nil:
		s.pos++
		return s.charLetter(letter, begin)
	case letter == 'c':
		return int(strings.ToUpper(m[6])[0] ^ 0x40)
	case letter == 'N' && s.flags.rules == 0:
		s.unicodeRules = true
	}
	digits, base := m[1]+m[2]+m[3], 16
	if m[4]+m[5] != "" {
		digits, base = m[4]+m[5], 8
	}
	n, _ := strconv.ParseUint(strings.ReplaceAll(digits, "_", ""), base, 31) // 0 of no digits
	return int(n)
}

// charLetter is a character that is escaped by a letter, or by nothing but the backslash.
func (s *characters) charLetter(letter byte, begin int) int {
	if i := strings.IndexByte("aefnrt", letter); i >= 0 {
		return int("\a\x1b\f\n\r\t"[i])
	}
	switch {
	case letter == 'x' && !s.ahead("{"):
		return 0
	case letter == 'N':
		name, _, _ := strings.Cut(s.src[begin:], "}")
		s.fail(begin, `%s}: named characters are not supported, write \x{...}`, name)
	case strings.IndexByte("xocC", letter) >= 0:
		s.fail(begin, `\%c is not an escape that Perl reads here`, letter)
	}
	return int(letter)
}
