package parser

import (
	"encoding/json"
	"strconv"
	"strings"
)

// This file reads the dialogue of a simpletcp check: its send and expect lines in their order.

// Step is one line of a dialogue: what to send, or what to expect.
type Step struct {
	Send bool   // else expect
	Text string // send: with its escapes as written; expect: a Perl regular expression, which the check judges
	Data string // send: the bytes that Text means
}

// MarshalJSON has the step under the name of its directive.
func (s Step) MarshalJSON() ([]byte, error) {
	name := "expect"
	if s.Send {
		name = "send"
	}
	return json.Marshal(map[string]text{name: text(s.Text)})
}

func readSend(virtual *Virtual, v *value) *problem {
	text, p := quoted(v)
	if p != nil {
		return p
	}
	data, p := unescape(text)
	if p == nil {
		virtual.Steps = append(virtual.Steps, Step{Send: true, Text: text, Data: data})
	}
	return p
}

func readExpect(virtual *Virtual, v *value) *problem {
	text, p := quoted(v)
	if p == nil {
		virtual.Steps = append(virtual.Steps, Step{Text: text})
	}
	return p
}

// unescape replaces escapes by the bytes that they mean. It refuses what is no escape, and quotes without one.
func unescape(text string) (string, *problem) {
	const allowed = `\r \n \t \0 \\ \" or \xNN with two hexadecimal digits`
	data := make([]byte, 0, len(text))
	for rest := text; rest != ""; {
		switch {
		case rest[0] == '"':
			return "", bad(`a double quote in the text is written \"`).around(rest)
		case rest[0] != '\\':
			data, rest = append(data, rest[0]), rest[1:]
			continue
		case strings.HasPrefix(rest, `\0`):
			data, rest = append(data, 0), rest[2:]
			continue
		}
		b, _, after, err := strconv.UnquoteChar(rest, '"')
		if err != nil || strings.IndexByte(`rnt\"x`, rest[1]) < 0 {
			return "", bad("%s is not an escape; it is %s", quote(rest[:min(2, len(rest))]),
				allowed).around(rest)
		}
		data, rest = append(data, byte(b)), after
	}
	return string(data), nil
}
