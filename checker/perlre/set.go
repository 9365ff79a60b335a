package perlre

import (
	"fmt"
	"math/bits"
	"strings"
	"unicode"
)

// byteSet is a set of byte values. Perl matches the bytes of an answer, so every character class
// of a pattern, whatever its notation, is such a set.
type byteSet [4]uint64

func (s *byteSet) add(b byte)      { s[b>>6] |= 1 << (b & 63) }
func (s *byteSet) has(b byte) bool { return s[b>>6]&(1<<(b&63)) != 0 }

func (s *byteSet) union(other byteSet) {
	for i := range s {
		s[i] |= other[i]
	}
}

func (s byteSet) isASCII() bool { return s[2]|s[3] == 0 }

func (s byteSet) meets(other byteSet) bool {
	for i := range s {
		if s[i]&other[i] != 0 {
			return true
		}
	}
	return false
}

func (s byteSet) negated() byteSet {
	for i := range s {
		s[i] = ^s[i]
	}
	return s
}

func (s byteSet) negatedIf(negate bool) byteSet {
	if negate {
		return s.negated()
	}
	return s
}

func (s *byteSet) size() int {
	n := 0
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}

func bytesOf(members string) (s byteSet) {
	for i := range len(members) {
		s.add(members[i])
	}
	return s
}

// setOf returns the Latin-1 characters that have a property, as Perl sees bytes under its
// Unicode rules.
func setOf(has func(r rune) bool) (s byteSet) {
	for r := range rune(256) {
		if has(r) {
			s.add(byte(r))
		}
	}
	return s
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

// appendTo writes the set as a character class, which both engines read in the same way.
func (s byteSet) appendTo(out []byte) []byte {
	switch n := s.size(); {
	case n == 0:
		return append(out, `[^\x00-\xff]`...)
	case n == 256:
		return append(out, `[\x00-\xff]`...)
	case n > 128:
		out = append(out, "[^"...)
		s = s.negated()
	default:
		out = append(out, '[')
	}
	for from := 0; from < 256; from++ {
		if !s.has(byte(from)) {
			continue
		}
		to := from
		for to < 255 && s.has(byte(to+1)) {
			to++
		}
		out = fmt.Appendf(out, `\x%02x`, from)
		if to > from {
			out = fmt.Appendf(out, `-\x%02x`, to)
		}
		from = to
	}
	return append(out, ']')
}

// posixClasses are the names of POSIX, as in [[:alpha:]].
var posixClasses = map[string]func(r rune) bool{
	"alpha":  unicode.IsLetter,
	"digit":  unicode.IsDigit,
	"alnum":  func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) },
	"word":   func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' },
	"lower":  isLower,
	"upper":  unicode.IsUpper,
	"cased":  func(r rune) bool { return isLower(r) || unicode.IsUpper(r) },
	"space":  unicode.IsSpace,
	"blank":  func(r rune) bool { return r == ' ' || r == '\t' || r == 0xa0 },
	"cntrl":  unicode.IsControl,
	"graph":  func(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) || r == 0xad },
	"print":  func(r rune) bool { return unicode.IsGraphic(r) || r == 0xad },
	"punct":  isPunct,
	"xdigit": func(r rune) bool { return unicode.Is(unicode.ASCII_Hex_Digit, r) },
	"ascii":  func(r rune) bool { return r < 0x80 },
}

// posixSet returns a class of POSIX. Under the Unicode rules it covers Latin-1, else ASCII only.
func posixSet(name string, unicodeRules bool) (set byteSet, ok bool) {
	has, ok := posixClasses[name]
	return setOf(func(r rune) bool { return ok && (unicodeRules || r < 0x80) && has(r) }), ok
}

func isLower(r rune) bool { return unicode.In(r, unicode.Lower, unicode.Other_Lowercase) }

// isPunct follows Perl: the symbols of ASCII are punctuation, those of Latin-1 are not.
func isPunct(r rune) bool { return unicode.IsPunct(r) || r < 0x80 && unicode.IsSymbol(r) }

// verticalSpace is \v, under all rules.
func verticalSpace() byteSet { return bytesOf("\n\v\f\r\x85") }

// propertySet returns the Latin-1 characters of a Unicode property, the name of \p{name}.
func propertySet(name string) (byteSet, bool) {
	_, value, found := strings.Cut(strings.ReplaceAll(name, ":", "="), "=")
	if !found {
		value = name
	}
	key := propertyKey(value)
	if key == "any" || key == "all" {
		return byteSet{}.negated(), true
	}
	for alias, category := range unicode.CategoryAliases {
		if propertyKey(alias) == key {
			key = propertyKey(category)
		}
	}
	for _, tables := range []map[string]*unicode.RangeTable{unicode.Categories, unicode.Scripts,
		unicode.Properties} {
		for known, table := range tables {
			if propertyKey(known) == key {
				return setOf(func(r rune) bool { return unicode.Is(table, r) }), true
			}
		}
	}
	if posix, found := strings.CutPrefix(key, "posix"); found {
		return posixSet(posix, false)
	}
	return posixSet(strings.TrimPrefix(key, "xposix"), true)
}

// propertyKey brings the loose spellings of a property (Is_Upper, is upper, ISUPPER) to one.
func propertyKey(name string) string {
	name = strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(name))
	return strings.TrimPrefix(name, "is")
}
