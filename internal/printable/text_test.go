package printable

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"ldirectord/internal/testkit"
)

var escapes = map[string]string{
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
	for text, want := range escapes {
		testkit.Equal(t, Text(text), want, text)
	}
}

func TestALineIsOneLine(t *testing.T) {
	for text, want := range map[string]string{
		"größe 大":                "größe 大",
		"a\nb\tc\x1b[31m":        "a b c [31m",
		"\u009b31m \u202e\u2028": `\u009b31m \u202e\u2028`,
		"\x9b31m\n[Fri \xc3":     `\x9b31m [Fri \xc3`,
	} {
		testkit.Equal(t, Line(text), want, text)
	}
}

func TestACutEndsWithAWholeCharacter(t *testing.T) {
	for _, c := range []struct {
		text        string
		max         int
		start, more string
	}{
		{"", 0, "", ""},
		{"abc", 3, "abc", ""},
		{"abcd", 3, "abc", "…"},
		{"aböd", 3, "ab", "…"},
		{"aböd", 4, "abö", "…"},
		{"a\U0001f600", 4, "a", "…"},
		{"ö", 1, "", "…"}, // no room for a whole character
		{"\x80\x80\x80\x80\x80\x80", 5, "\x80\x80\x80\x80\x80", "…"},
	} {
		if start, more := Cut(c.text, c.max); start != c.start || more != c.more {
			t.Errorf("%q to %d bytes: got %q, %q, want %q, %q", c.text, c.max, start, more, c.start, c.more)
		}
	}
}

// The result is printable for every input, and printable input is unchanged.
func FuzzText(f *testing.F) {
	for text := range escapes {
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
		for _, r := range got + Line(text) {
			if !unicode.IsPrint(r) {
				t.Errorf("%q became %q, on one line %q", text, got, Line(text))
			}
		}
		for max := range len(text) {
			start, more := Cut(text, max)
			if len(start) > max || len(start) <= max-utf8.UTFMax || !strings.HasPrefix(text, start) ||
				more == "" {
				t.Errorf("%q cut to %d bytes is %q", text, max, start)
			}
			if utf8.ValidString(text) && max >= utf8.UTFMax && !utf8.ValidString(start) {
				t.Errorf("%q cut to %d bytes is %q", text, max, start)
			}
		}
	})
}

func TestTheShellReadsTheWords(t *testing.T) {
	const want = "ldirectord --ipvs=memory:/run/a_b.cf '' 'my shop' 'it'\\''s' '[2001:db8::1]:80' 'ü' '~'"
	got := ShellLine("ldirectord", "--ipvs=memory:/run/a_b.cf", "", "my shop", "it's", "[2001:db8::1]:80", "ü", "~")
	testkit.Equal(t, got, want)
}
