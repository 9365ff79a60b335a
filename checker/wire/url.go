package wire

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// CleanField removes control characters, which could end a header field, and blanks at both ends.
func CleanField(value string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, value))
}

// ParseURL reads a URL as forgivingly as LWP does, and drops its fragment.
func ParseURL(text string) (*url.URL, error) {
	u, err := url.Parse(Forgive(strings.Trim(text, " \t\r\n")))
	if err != nil {
		var detail *url.Error
		if errors.As(err, &detail) {
			err = detail.Err // without the URL, which may contain a password
		}
		return nil, err
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// Forgive escapes characters that are not allowed in a URL. For example, blanks in a request are often not escaped.
func Forgive(text string) string {
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0 ||
			c == '%' && !escape.MatchString(text[i:]) {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// escape matches an escaped byte at the beginning of a text.
var escape = regexp.MustCompile(`^%[0-9A-Fa-f]{2}`)
