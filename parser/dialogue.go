package parser

import "fmt"

// This file reads the dialogue of a simpletcp check: its send and expect lines in their order.

func readSend(s *section, v *value) *problem {
	var text string
	if p := quoted(func(*section) *string { return &text })(s, v); p != nil {
		return p
	}
	if p := checkEscapes(text); p != nil {
		return p
	}
	s.v.Steps = append(s.v.Steps, Step{Send: true, Text: text})
	return nil
}

// readExpect takes any text: the check knows what a regular expression is.
func readExpect(s *section, v *value) *problem {
	var text string
	p := quoted(func(*section) *string { return &text })(s, v)
	if p == nil {
		s.v.Steps = append(s.v.Steps, Step{Text: text})
	}
	return p
}

// checkEscapes refuses what is no escape, and quotes without one.
func checkEscapes(text string) *problem {
	const allowed = `\r \n \t \0 \\ \" or \xNN with two hexadecimal digits`
	for i := 0; i < len(text); i++ {
		if text[i] == '"' {
			return bad(`a double quote in the text is written \"`).around(text[i:])
		}
		if text[i] != '\\' {
			continue
		}
		n := escapeLength(text[i:])
		if n == 0 {
			return bad("%s is not an escape; it is %s", quote(text[i:min(i+2, len(text))]), allowed).around(text[i:])
		}
		i += n - 1
	}
	return nil
}

// escapeLength is the length in bytes of the escape that text begins with, 0 when it is none.
func escapeLength(text string) int {
	if len(text) < 2 {
		return 0
	}
	switch text[1] {
	case 'r', 'n', 't', '0', '\\', '"':
		return 2
	case 'x':
		if len(text) >= 4 && isHexDigit(text[2]) && isHexDigit(text[3]) {
			return 4
		}
	}
	return 0
}

// oneDialogue refuses a single request and its answer beside a dialogue, also those of a real server.
func (r *reader) oneDialogue(s *section) {
	step := "send"
	if !s.has(step) {
		step = "expect"
	}
	if !s.has(step) {
		return
	}
	for _, other := range []string{"request", "receive"} {
		if pos, ok := s.at[other]; ok {
			r.error(s.place(wholeSection), conflict, pos, fmt.Sprintf("%s and %s (line %d) both say what a check speaks; "+
				"with send and expect there is no request or receive", other, step, s.at[step].Line))
		}
	}
	for i := range s.reals {
		if real := &s.reals[i]; real.server.OwnRequest {
			r.error(s.place(wholeSection), conflict, real.line.position(), fmt.Sprintf("the strings of this real server and %s (line %d) "+
				"both say what a check speaks; with send and expect there is no request or receive", step, s.at[step].Line))
		}
	}
}
