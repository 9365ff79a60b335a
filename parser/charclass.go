package parser

import "strings"

// Like the Perl ldirectord, this file works on bytes and knows only the classes of ASCII.

// isSpace reports whether a byte matches \s in Perl.
func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLower(c byte) bool { return c >= 'a' && c <= 'z' }

// isWordByte reports whether a byte matches \w in Perl.
func isWordByte(c byte) bool { return isLower(c|0x20) || isDigit(c) || c == '_' }

// isNameByte reports whether a byte may be in a directive, a service name or a check type.
func isNameByte(c byte) bool { return isWordByte(c) || c == '-' }

// isHostByte reports whether a byte may be in a host name. The Perl ldirectord allows neither _ nor + in the host of a
// real server.
func isHostByte(c byte) bool { return isNameByte(c) || c == '.' || c == '+' }

// isGroupByte reports whether a byte may be in an IPv6 address, apart from dots.
func isGroupByte(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' || c == ':' }

// all reports whether s is not empty and in is true for all of its bytes.
func all(s string, in func(byte) bool) bool { return s != "" && leading(s, in) == s }

// leading returns the bytes at the start of s for which in is true.
func leading(s string, in func(byte) bool) string {
	end := 0
	for end < len(s) && in(s[end]) {
		end++
	}
	return s[:end]
}

// firstRun returns the first run of bytes in s for which in is true.
func firstRun(s string, in func(byte) bool) string { return leading(s[len(leading(s, not(in))):], in) }

func not(in func(byte) bool) func(byte) bool {
	return func(c byte) bool { return !in(c) }
}

// blanks are the bytes that isSpace accepts.
const blanks = " \t\n\v\f\r"

func trimLeft(s string) string { return strings.TrimLeft(s, blanks) }

func trimRight(s string) string { return strings.TrimRight(s, blanks) }

func trim(s string) string { return strings.Trim(s, blanks) }

// cutWord splits s before its first white space.
func cutWord(s string) (word, rest string) {
	word = leading(s, not(isSpace))
	return word, s[len(word):]
}

// words splits s at white space.
func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(blanks, r) })
}
