package parser

import (
	"regexp"
	"strconv"

	"ldirectord/checker/settings"
)

// This file reads the dialogue of a simpletcp check: its send and expect lines in their order.

// stepJSON returns a step under the name of its directive.
func stepJSON(s settings.Step) jsonObject {
	name := "expect"
	if s.Send {
		name = "send"
	}
	return jsonObject{name: text(s.Written)}
}

func readStep(v *value) {
	text := quoted(v)
	s := settings.Step{Send: v.name == "send", Text: text, Written: text}
	if s.Send {
		s.Text = v.unescape(text)
	}
	if v.problem == nil {
		v.section.v.Steps = append(v.section.v.Steps, s)
	}
}

// readEscaped reads a text to send, and returns its bytes.
func readEscaped(v *value) string { return v.unescape(quoted(v)) }

// escapes matches an escape in a text to send, and unescaped matches the text before the first mistake. Outside of
// escapes, a text must have no backslash and no double quote.
var (
	escapes   = regexp.MustCompile(`\\(?:[rnt0\\"]|x[0-9A-Fa-f]{2})`)
	unescaped = regexp.MustCompile(`^(?:[^\\"]|` + escapes.String() + `)*`)
)

// unescape replaces escapes with their bytes. It refuses unknown escapes, and quotes that are not escaped.
func (v *value) unescape(text string) string {
	switch rest := text[len(unescaped.FindString(text)):]; {
	case rest == "":
	case rest[0] == '"':
		v.wrong(`a double quote in the text is written \"`).part = rest
	default:
		v.wrong(`%q is not an escape; it must be \r \n \t \0 \\ \" or \xNN with two hexadecimal digits`,
			rest[:min(2, len(rest))]).part = rest
	}
	return escapes.ReplaceAllStringFunc(text, func(escape string) string {
		b, _, _, _ := strconv.UnquoteChar(escape, '"') // fails for \0, so b is 0
		return string([]byte{byte(b)})
	})
}
