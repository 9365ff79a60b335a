package parser

import (
	"encoding/hex"
	"encoding/json"
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

// escapes are those of one letter.
var escapes = map[byte]byte{'r': '\r', 'n': '\n', 't': '\t', '0': 0, '\\': '\\', '"': '"'}

// unescape replaces escapes by the bytes that they mean. It refuses what is no escape, and quotes without one.
func unescape(text string) (string, *problem) {
	const allowed = `\r \n \t \0 \\ \" or \xNN with two hexadecimal digits`
	data := make([]byte, 0, len(text))
	for rest := text; rest != ""; {
		if rest[0] == '"' {
			return "", bad(`a double quote in the text is written \"`).around(rest)
		}
		if rest[0] != '\\' {
			data, rest = append(data, rest[0]), rest[1:]
			continue
		}
		b, length := escape(rest)
		if length == 0 {
			return "", bad("%s is not an escape; it is %s", quote(rest[:min(2, len(rest))]), allowed).around(rest)
		}
		data, rest = append(data, b), rest[length:]
	}
	return string(data), nil
}

// escape is the byte that the escape at the start of the text means, and the escape's length, 0 when it is none.
func escape(text string) (b byte, length int) {
	if len(text) < 2 {
		return 0, 0
	}
	if b, ok := escapes[text[1]]; ok {
		return b, 2
	}
	if n, err := hex.DecodeString(text[2:min(4, len(text))]); text[1] == 'x' && err == nil && len(n) == 1 {
		return n[0], 4
	}
	return 0, 0
}
