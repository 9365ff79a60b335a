package perlre

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// beyond is added to a byte beyond ASCII before an engine reads it. The sum is in a private-use area, where no rune is
// a letter, a space or the other case of another rune. So \w, \b, (?i) and the like apply only to ASCII, as in Perl.
const beyond = 0xe000

// runeOf returns the rune that the engines read for a byte.
func runeOf(b byte) rune {
	if b < 0x80 {
		return rune(b)
	}
	return beyond + rune(b)
}

func runesOf(text []byte) []rune {
	runes := make([]rune, len(text))
	for i, b := range text {
		runes[i] = runeOf(b)
	}
	return runes
}

// bytesOf is the reverse of runesOf. It drops an incomplete rune at the end.
func bytesOf(runes string) string {
	var text []byte
	for _, r := range strings.ToValidUTF8(runes, "") {
		text = append(text, byte(r))
	}
	return string(text)
}

// written returns a character in a notation that both engines read, inside a class and elsewhere.
func written(char rune) string {
	if char >= 0x80 || unicode.IsLetter(char) {
		return string(char)
	}
	return fmt.Sprintf(`\x%02x`, char)
}

// sets maps each escape for a set of characters to the equivalent members of a bracketed class. An escape that matches
// no letters must not match the runes between \x7f and \x{e080} either, because under (?i) the Kelvin sign, which is
// among them, would match a k.
var sets = map[string]string{
	`\d`: `\d`, `\D`: `\D`, `\s`: "[:space:]", `\S`: "[:^space:]",
	`\w`: `\w`, `\W`: `\x00-\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7f\x{e080}-\x{e0ff}`,
	`\h`: `\t \x{e0a0}`, `\H`: `\x00-\x08\x0a-\x1f!-\x{e09f}\x{e0a1}-\x{e0ff}`,
	`\v`: `\x0a-\x0d\x{e085}`, `\V`: `\x00-\x09\x0e-\x{e084}\x{e086}-\x{e0ff}`,
}

var (
	setEscape = regexp.MustCompile(`^\\[dDwWsShHvV]`)
	// posixClass matches [:name:]. Any other bracket in a class is an ordinary character.
	posixClass = regexp.MustCompile(
		`^\[(?::\^?(?:alpha|alnum|ascii|blank|cntrl|digit|graph|lower|print|punct|space|upper|` +
			`word|xdigit):|(:[A-Za-z^]*:|=[A-Za-z^]*=|\.[A-Za-z^]*\.))\]`)
	// Under (?i), oneCase replaces a class of one case with the class of both.
	oneCase = strings.NewReplacer("lower", "alpha", "upper", "alpha")
)

// class reads a bracketed character class.
func (s *scanner) class() part {
	begin := s.pos
	s.accept("[")
	text := []string{"["}
	if s.accept("^") {
		text[0] = "[^"
	}
	for first := true; first || !s.accept("]"); first = false {
		if s.end() {
			return s.fail(begin, "unmatched [")
		}
		text = append(text, s.classRange())
	}
	return one(strings.Join(text, "") + "]")
}

// classRange reads one member of a class, or a range of characters. A member that matches several characters can't
// begin or end a range: in [\d-z] Perl takes the hyphen literally.
func (s *scanner) classRange() string {
	begin := s.pos
	from, text := s.classMember()
	if strings.HasPrefix(s.src[s.pos:], "-]") || !s.accept("-") || s.end() {
		return text
	}
	if from < 0 { // what follows the hyphen may begin a range
		return text + written('-')
	}
	to, last := s.classMember()
	switch {
	case to < 0:
		return text + last + written('-')
	case from > to:
		s.fail(begin, "invalid range %q", s.src[begin:s.pos])
	}
	if from < 0x80 && to >= 0x80 { // (?i): the runes between include other cases of letters
		return text + `-\x7f\x{e080}-` + last
	}
	return text + "-" + last
}

// classMember reads one member of a class: a character, or a set of characters (char is then -1).
func (s *scanner) classMember() (char rune, text string) {
	begin := s.pos
	if m := s.match(setEscape); m != nil {
		return -1, sets[m[0]]
	}
	if m := s.match(posixClass); m != nil {
		if m[1] != "" {
			s.fail(begin, "unknown class %s", m[0])
		}
		if s.on['i'] {
			m[0] = oneCase.Replace(m[0])
			if strings.Contains(m[0], "^") { // its runes include other cases of letters
				s.fail(begin, "%s is not supported under (?i): write a class such as [^[:alpha:]]",
					m[0])
			}
		}
		return -1, m[0]
	}
	char = '\b'
	if !s.accept(`\b`) {
		char = s.character()
	}
	return char, written(char)
}

// characters matches every escape of a single character: its hexadecimal or octal number, a control character, a letter
// such as n, or the character itself after a backslash. Inside braces, Perl ignores what follows the digits.
var characters = regexp.MustCompile(`^\\(?s:x(?:\{[ \t]*([0-9A-Fa-f_]*)[^}]*\}|([0-9A-Fa-f]{1,2})|)|` +
	`(?:o\{[ \t]*([0-7_]*)[^}]*\}|([0-7]{1,3}))|c([ -~])|([aefnrt])|([^xocCpPN]))`)

// character reads one character.
func (s *scanner) character() rune {
	begin := s.pos
	if char, size := utf8.DecodeRuneInString(s.src[begin:]); char != '\\' {
		s.pos += size
		return char
	}
	m := s.match(characters)
	if m == nil {
		s.fail(begin, "%q is not supported: an escape must be a byte (\\x41, \\n) or a set (\\d, \\w, \\s)",
			s.src[begin:min(begin+12, len(s.src))])
		return 0
	}
	if m[5] != "" {
		return rune(strings.ToUpper(m[5])[0] ^ 0x40)
	}
	if m[6] != "" {
		return rune("\a\x1b\f\n\r\t"[strings.Index("aefnrt", m[6])])
	}
	if m[7] != "" {
		return []rune(m[7])[0]
	}
	digits, base := "0"+m[1]+m[2], 16
	if m[3]+m[4] != "" {
		digits, base = m[3]+m[4], 8
	}
	n, err := strconv.ParseUint(strings.ReplaceAll(digits, "_", ""), base, 8)
	if err != nil {
		s.fail(begin, `%s is not supported: it is not a byte; write its bytes in UTF-8, such as \xc3\xa9`, m[0])
	}
	return runeOf(byte(n))
}
