package parser

import "strings"

// Like the Perl ldirectord, this file works on bytes and knows only the classes of ASCII.

// isSpace is Perl's \s.
func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLower(c byte) bool { return c >= 'a' && c <= 'z' }

func isLetter(c byte) bool { return isLower(c | 0x20) }

// isWordByte is Perl's \w.
func isWordByte(c byte) bool { return isLetter(c) || isDigit(c) || c == '_' }

// isNameByte reports whether a byte may be in a directive, a service name or a check type.
func isNameByte(c byte) bool { return isWordByte(c) || c == '-' }

// isHostByte reports whether a byte may be in a host name. The Perl ldirectord allows no _ and + in the host of a real
// server.
func isHostByte(c byte) bool { return isNameByte(c) || c == '.' || c == '+' }

// isGroupByte reports whether a byte may be in an IPv6 address.
func isGroupByte(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' || c == ':' }

// all reports whether s consists of certain bytes, and is not empty.
func all(s string, in func(byte) bool) bool { return s != "" && leading(s, in) == s }

// leading returns the start of s that consists of certain bytes.
func leading(s string, in func(byte) bool) string {
	end := 0
	for end < len(s) && in(s[end]) {
		end++
	}
	return s[:end]
}

// firstRun is the first part of s that consists of certain bytes.
func firstRun(s string, in func(byte) bool) string { return leading(s[len(leading(s, not(in))):], in) }

func not(in func(byte) bool) func(byte) bool {
	return func(c byte) bool { return !in(c) }
}

// blanks are the bytes that isSpace accepts.
const blanks = " \t\n\v\f\r"

func trimLeft(s string) string { return strings.TrimLeft(s, blanks) }

func trimRight(s string) string { return strings.TrimRight(s, blanks) }

func trim(s string) string { return strings.Trim(s, blanks) }

// cutWord splits s at its first white space, which stays in rest.
func cutWord(s string) (word, rest string) {
	word = leading(s, not(isSpace))
	return word, s[len(word):]
}

// words are the parts of s between white space.
func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(blanks, r) })
}
