package perlre

import (
	"math/bits"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
)

// byteSet is a set of byte values. Perl matches the bytes of an answer, so every character class
// of a pattern, whatever its notation, is such a set.
type byteSet [4]uint64

func bytesOf(members string) (s byteSet) {
	for i := range len(members) {
		s.add(members[i])
	}
	return s
}

func (s *byteSet) add(b byte) { s[b/64] |= 1 << (b % 64) }

func (s *byteSet) has(b byte) bool { return s[b/64]>>(b%64)&1 != 0 }

func (s *byteSet) union(other byteSet) {
	for i, part := range other {
		s[i] |= part
	}
}

func (s *byteSet) meets(other *byteSet) bool {
	return s[0]&other[0]|s[1]&other[1]|s[2]&other[2]|s[3]&other[3] != 0
}

// negatedIf is the set, or what is not in it.
func (s byteSet) negatedIf(negate bool) byteSet {
	for i := range s {
		if negate {
			s[i] = ^s[i]
		}
	}
	return s
}

func (s *byteSet) size() int {
	return bits.OnesCount64(s[0]) + bits.OnesCount64(s[1]) + bits.OnesCount64(s[2]) + bits.OnesCount64(s[3])
}

// span is the next run of bytes that are in the set, or are not, from one on; from is 256 when there is none.
func (s *byteSet) span(from int, in bool) (first, end int) {
	for from < 256 && s.has(byte(from)) != in {
		from++
	}
	end = from
	for end < 256 && s.has(byte(end)) == in {
		end++
	}
	return from, end
}

// folded returns the set with both cases of each letter: of ASCII letters, and under the Unicode
// rules of all Latin-1 letters. (Folds to more than one character, ß to ss, are not known here.)
func (s byteSet) folded(unicodeRules bool) byteSet {
	both := s
	for r := range rune(256) {
		if s.has(byte(r)) && (unicodeRules || r < 0x80) {
			other := unicode.SimpleFold(r)
			for other > 0xff { // beyond the bytes, as the Kelvin sign of k
				other = unicode.SimpleFold(other)
			}
			both.add(byte(other))
		}
	}
	return both
}

// String writes the set as a character class, which both engines read in the same way.
func (s byteSet) String() string {
	const digits = "0123456789abcdef"
	n := s.size()
	switch n {
	case 0:
		return `[^\x00-\xff]`
	case 256:
		return `[\x00-\xff]`
	}
	members := []byte("[")
	if n > 128 {
		members = append(members, '^')
	}
	write := func(b int) { members = append(members, '\\', 'x', digits[b/16], digits[b%16]) }
	for from, end := s.span(0, n <= 128); from < 256; from, end = s.span(end, n <= 128) {
		write(from)
		members = append(members, '-')
		write(end - 1)
	}
	return string(append(members, ']'))
}

// beyondASCII is what a class of POSIX, as in [[:alpha:]], has in Latin-1 under the Unicode rules, as Go writes it.
// The classes themselves are read alike.
var beyondASCII = map[string]string{
	"alpha": `\pL`, "alnum": `\pL`, "word": `\pL`, "digit": "", "xdigit": "", "ascii": "",
	"upper": `\p{Lu}`, "lower": `\p{Ll}\xaa\xba`, "punct": `\pP`, "cntrl": `\p{Cc}`,
	"space": `\x85\xa0`, "blank": `\xa0`, "graph": `\pL\pM\pN\pP\pS\xad`, "print": `\pL\pM\pN\pP\pS\xad\xa0`,
}

// posixSet returns a class of POSIX. Under the Unicode rules it covers Latin-1, else ASCII only. Where case does not
// count, upper and lower are both.
func posixSet(name string, unicodeRules, fold bool) (set byteSet, ok bool) {
	more, ok := beyondASCII[name]
	if !ok {
		return set, false
	}
	class := "[:" + name + ":]"
	if fold && (name == "upper" || name == "lower") {
		class, more = "A-Za-z", beyondASCII["upper"]+beyondASCII["lower"]
	}
	if unicodeRules {
		class += more
	}
	return setOf(class)
}

// setOf returns the bytes of a class in Go's notation, without its brackets.
func setOf(class string) (set byteSet, ok bool) {
	// With a character that is no byte it is a list of ranges, whatever else is in it.
	parsed, err := syntax.Parse(`[\x{10fffe}`+class+`]`, syntax.Perl)
	switch {
	case err != nil:
		return set, false
	case parsed.Op == syntax.OpAnyChar:
		return set.negatedIf(true), true
	}
	for i := 0; i < len(parsed.Rune); i += 2 {
		for r := parsed.Rune[i]; r <= min(parsed.Rune[i+1], 0xff); r++ {
			set.add(byte(r))
		}
	}
	return set, true
}

// propertySet returns the Latin-1 characters of a Unicode property, the name of \p{name}. Go reads the names of
// categories and scripts as loosely as Perl (Upper, is_upper, IS UPPER).
func propertySet(name string, fold bool) (set byteSet, ok bool) {
	if _, value, found := strings.Cut(strings.ReplaceAll(name, ":", "="), "="); found {
		name = value
	}
	key := strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(name))
	key = strings.TrimPrefix(key, "is")
	if posix, found := strings.CutPrefix(key, "posix"); found {
		return posixSet(posix, false, fold)
	}
	if set, ok = posixSet(strings.TrimPrefix(key, "xposix"), true, fold); ok {
		return set, true
	}
	oneCase := []string{"lu", "ll", "uppercaseletter", "lowercaseletter"}
	if fold && slices.Contains(oneCase, key) || strings.EqualFold(name, "L_") { // the letters that have cases
		key = "lc"
	}
	return setOf(`\p{` + key + `}`)
}
