package parser

import (
	"strconv"
	"strings"

	"ldirectord/lvs"
)

// This file reads the dialogue of a simpletcp check: its send and expect lines in their order.

// stepsJSON has each step under the name of its directive.
func stepsJSON(steps []lvs.Step) (shown []map[string]text) {
	for _, s := range steps {
		name := "expect"
		if s.Send {
			name = "send"
		}
		shown = append(shown, map[string]text{name: text(s.Written)})
	}
	return shown
}

func readSend(virtual *Virtual, v *value) *problem {
	text, p := quoted(v)
	if p != nil {
		return p
	}
	data, p := unescape(text)
	if p == nil {
		virtual.Steps = append(virtual.Steps, lvs.Step{Send: true, Text: data, Written: text})
	}
	return p
}

func readExpect(virtual *Virtual, v *value) *problem {
	text, p := quoted(v)
	if p == nil {
		virtual.Steps = append(virtual.Steps, lvs.Step{Text: text, Written: text})
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
