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

func (s *byteSet) addRange(from, to byte) {
	for b := int(from); b <= int(to); b++ {
		s.add(byte(b))
	}
}

func (s *byteSet) addString(members string) {
	for i := range len(members) {
		s.add(members[i])
	}
}

func (s byteSet) negated() byteSet {
	for i := range s {
		s[i] = ^s[i]
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

// setOf returns the bytes that have a property.
func setOf(has func(b byte) bool) byteSet {
	var s byteSet
	for b := range 256 {
		if has(byte(b)) {
			s.add(byte(b))
		}
	}
	return s
}

// setOfRunes returns the Latin-1 characters that have a property, as Perl sees bytes under its
// Unicode rules.
func setOfRunes(has func(r rune) bool) byteSet {
	return setOf(func(b byte) bool { return has(rune(b)) })
}

// folded returns the set with both cases of each letter: of ASCII letters, and under the Unicode
// rules of all Latin-1 letters.
func (s byteSet) folded(unicodeRules bool) byteSet {
	out := s
	for b := range 256 {
		if s.has(byte(b)) {
			out.add(otherCase(byte(b), unicodeRules))
		}
	}
	return out
}

// otherCase returns the other case of a letter, and any other byte itself. (Folds to more than one
// character, ß to ss, are not known here.)
func otherCase(b byte, unicodeRules bool) byte {
	hasCases := isLetter(b)
	if unicodeRules && b >= 0xc0 {
		hasCases = b|0x20 != 0xf7 && b|0x20 != 0xff // neither ×, ÷ nor ß, ÿ
	}
	if hasCases {
		return b ^ 0x20
	}
	return b
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

// ascii cuts a set down to ASCII.
func (s byteSet) ascii() byteSet {
	s[2], s[3] = 0, 0
	return s
}

// posixSet returns the class of a POSIX name, as in [[:alpha:]]. Under the Unicode rules it covers
// Latin-1, else ASCII only.
func posixSet(name string, unicodeRules bool) (byteSet, bool) {
	has, ok := map[string]func(r rune) bool{
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
	}[name]
	if !ok {
		return byteSet{}, false
	}
	set := setOfRunes(has)
	if !unicodeRules {
		set = set.ascii()
	}
	return set, true
}

func isLower(r rune) bool {
	return unicode.In(r, unicode.Lower, unicode.Other_Lowercase)
}

// isPunct follows Perl: the symbols of ASCII are punctuation, those of Latin-1 are not.
func isPunct(r rune) bool {
	return unicode.IsPunct(r) || r < 0x80 && unicode.IsSymbol(r)
}

// horizontal and vertical white space, \h and \v: the same under all rules.
func horizontalSpace() (s byteSet) { s.addString("\t \xa0"); return s }
func verticalSpace() (s byteSet)   { s.addString("\n\v\f\r\x85"); return s }

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
			return setOfRunes(unicodeTable(unicode.Categories[category])), true
		}
	}
	for _, tables := range []map[string]*unicode.RangeTable{unicode.Categories, unicode.Scripts, unicode.Properties} {
		for known, table := range tables {
			if propertyKey(known) == key {
				return setOfRunes(unicodeTable(table)), true
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

func unicodeTable(t *unicode.RangeTable) func(rune) bool {
	return func(r rune) bool { return unicode.Is(t, r) }
}
