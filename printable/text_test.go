package printable

import (
	"testing"
	"unicode"
	"unicode/utf8"
)

var escaped = map[string]string{
	"":                             "",
	`as it is: "a\b"`:              `as it is: "a\b"`,
	"größe → 大":                    "größe → 大",
	"\x1b[31m\r\n\t\a\x7f":         `\x1b[31m\r\n\t\a\x7f`,
	"\u009b31m":                    `\u009b31m`,
	"\x9b31m \xff\xfe":             `\x9b31m \xff\xfe`,
	"\u202egnp\u2066\u2028 \u00a0": `\u202egnp\u2066\u2028 \u00a0`,
	"\ufffd":                       "\ufffd",
}

func TestWhatATerminalWouldActOnIsEscaped(t *testing.T) {
	for text, want := range escaped {
		if got := Text(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestALineIsOneLine(t *testing.T) {
	for text, want := range map[string]string{
		"größe 大":                "größe 大",
		"a\nb\tc\x1b[31m":        "a b c [31m",
		"\u009b31m \u202e\u2028": `\u009b31m \u202e\u2028`,
		"\x9b31m\n[Fri \xc3":     `\x9b31m [Fri \xc3`,
	} {
		if got := Line(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// Whatever comes in, what comes out is printable, and what was printable is as it was.
func FuzzText(f *testing.F) {
	for text := range escaped {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all := utf8.ValidString(text)
		for _, r := range text {
			all = all && unicode.IsPrint(r)
		}
		got := Text(text)
		if all && got != text {
			t.Errorf("%q became %q", text, got)
		}
		for _, r := range got {
			if !unicode.IsPrint(r) {
				t.Errorf("%q became %q", text, got)
			}
		}
	})
}
