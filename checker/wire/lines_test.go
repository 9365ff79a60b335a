package wire

import "testing"

func TestReplyNumbers(t *testing.T) {
	for _, c := range []struct {
		line string
		code int
		more bool
	}{
		{"220 ready", 220, false},
		{"220", 220, false},
		{"220-ready", 220, true},
		{"199 low", 199, false},
		{"599 high", 599, false},
		{"099 too low", 0, false},
		{"620 too high", 0, false},
		{"22 short", 0, false},
		{"2200 long", 0, false},
		{"22x", 0, false},
		{"220_", 0, false},
		{"", 0, false},
		{"٢٢٠ ready", 0, false},
	} {
		if code, more := parseReply(c.line); code != c.code || more != c.more {
			t.Errorf("%q: %d, %v; want %d, %v", c.line, code, more, c.code, c.more)
		}
	}
}
