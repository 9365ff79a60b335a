// Package keepalived reads the virtual servers of a keepalived.conf and writes them as an ldirectord.cf.
package keepalived

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Position is a place in a file. Line and Column count from 1, Column in bytes.
type Position struct {
	File         string
	Line, Column int
}

// Error is why a file can't be understood.
type Error struct {
	At   Position
	Text string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.At.File, e.At.Line, e.At.Column, e.Text)
}

func (p Position) wrong(format string, args ...any) error {
	return &Error{p, fmt.Sprintf(format, args...)}
}

// word is a word of a line without its quotes, or a brace.
type word struct {
	text  string
	at    Position
	brace bool
}

// cutComment returns a line without what is after the first # or ! that no quotes surround.
func cutComment(line string) string {
	quote := rune(0)
	for i, c := range line {
		switch {
		case c == quote:
			quote = 0
		case quote != 0:
		case c == '"' || c == '\'':
			quote = c
		case c == '#' || c == '!':
			return line[:i]
		}
	}
	return line
}

// split returns the words of a line whose first byte is at a position. Quotes join what is between them; braces
// without quotes are words of their own.
func split(line string, at Position) ([]word, error) {
	var words []word
	for i := 0; i < len(line); {
		start := at
		start.Column += i
		switch c := line[i]; {
		case strings.IndexByte(" \t\r\f\v", c) >= 0:
			i++
		case c == '{' || c == '}':
			words = append(words, word{string(c), start, true})
			i++
		default:
			text, size := cutWord(line[i:])
			if size == 0 {
				return nil, start.wrong("a quote is not closed in this line")
			}
			if strings.ContainsFunc(text, unicode.IsControl) {
				return nil, start.wrong("a word must not have control characters")
			}
			words = append(words, word{text: text, at: start})
			i += size
		}
	}
	return words, nil
}

// cutWord returns the first word and how many bytes it takes, 0 if a quote in it is not closed.
func cutWord(line string) (text string, size int) {
	var out strings.Builder
	quote := byte(0)
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case quote != 0 && c == quote:
			quote = 0
		case quote == '"' && c == '\\' && i+1 < len(line):
			c, more := unescape(line[i+1:])
			out.WriteByte(c)
			i += more
		case quote != 0:
			out.WriteByte(c)
		case c == '"' || c == '\'':
			quote = c
		case strings.IndexByte(" \t\r\f\v{}", c) >= 0:
			return out.String(), i
		default:
			out.WriteByte(c)
		}
	}
	if quote != 0 {
		return "", 0
	}
	return out.String(), len(line)
}

// unescape returns the byte that is meant by what follows a backslash, and how many bytes that takes.
func unescape(text string) (meant byte, size int) {
	digits := func(from, most, base int) (byte, int) {
		n, end := uint64(0), from
		for ; end < min(len(text), from+most); end++ {
			digit, err := strconv.ParseUint(text[end:end+1], base, 8)
			if err != nil {
				break
			}
			n = n*uint64(base) + digit
		}
		return byte(n), end
	}
	switch c := text[0]; {
	case c >= '0' && c <= '7':
		return digits(0, 3, 8)
	case c == 'x':
		return digits(1, len(text), 16)
	case c == 'c' && len(text) > 1:
		return text[1] & 0x1f, 2
	default:
		if i := strings.IndexByte("abEfnrtv", c); i >= 0 {
			return "\a\b\x1b\f\n\r\t\v"[i], 1
		}
		return c, 1
	}
}
