package parser

import (
	"regexp"
	"strconv"

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

func readSend(v *value) *problem {
	text, p := quoted(v)
	if p != nil {
		return p
	}
	data, p := unescape(text)
	if p == nil {
		v.add(lvs.Step{Send: true, Text: data, Written: text})
	}
	return p
}

// readEscaped reads a text to send, and returns its bytes.
func readEscaped(v *value) (string, *problem) {
	text, p := quoted(v)
	if p != nil {
		return "", p
	}
	return unescape(text)
}

func readExpect(v *value) *problem {
	text, p := quoted(v)
	if p == nil {
		v.add(lvs.Step{Text: text, Written: text})
	}
	return p
}

func (v *value) add(s lvs.Step) { v.section.v.Steps = append(v.section.v.Steps, s) }

// escapes are the escapes in a text to send; without them a text has no backslash and no double quote.
var (
	escapes   = regexp.MustCompile(`\\(?:[rnt0\\"]|x[0-9A-Fa-f]{2})`)
	unescaped = regexp.MustCompile(`^(?:[^\\"]|` + escapes.String() + `)*`)
)

// unescape replaces escapes by their bytes. It refuses unknown escapes, and quotes without one.
func unescape(text string) (string, *problem) {
	switch rest := text[len(unescaped.FindString(text)):]; {
	case rest == "":
	case rest[0] == '"':
		return "", bad(`a double quote in the text is written \"`).around(rest)
	default:
		return "", bad(`%q is not an escape; it must be \r \n \t \0 \\ \" or \xNN with two hexadecimal digits`,
			rest[:min(2, len(rest))]).around(rest)
	}
	return escapes.ReplaceAllStringFunc(text, func(escape string) string {
		b, _, _, _ := strconv.UnquoteChar(escape, '"') // \0, which unquoting does not know
		return string([]byte{byte(b)})
	}), nil
}
