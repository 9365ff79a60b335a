package checker

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"ldirectord/checker/wire"
)

// parseURL reads an address as LWP does: forgivingly.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(forgive(strings.Trim(text, " \t\r\n")))
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

// forgive escapes what a URL may not contain. Blanks in a request, for example, often are not escaped.
func forgive(text string) string {
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0 ||
			c == '%' && !isEscape(text[i:]) {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// parseTarget reads the URL of a request, which must be absolute.
func parseTarget(text string) (*url.URL, error) {
	u, err := parseURL(text)
	if err != nil {
		return nil, err
	}
	return u, checkURL(u)
}

func isEscape(s string) bool {
	if len(s) < 3 {
		return false
	}
	_, err := strconv.ParseUint(s[1:3], 16, 8)
	return err == nil
}

// checkURL returns why a URL can't be used.
func checkURL(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%s: a check can request only http and https URLs", showURL(u))
	}
	if u.Hostname() == "" {
		return fmt.Errorf("%s: no host", showURL(u))
	}
	if _, err := urlPort(u); err != nil {
		return fmt.Errorf("%s: bad port", showURL(u))
	}
	return nil
}

// urlPort is the port of a URL, or the usual one of its scheme.
func urlPort(u *url.URL) (uint16, error) {
	if u.Port() == "" {
		return map[string]uint16{"http": 80, "https": 443}[u.Scheme], nil
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return uint16(port), err
}

// showURL is a URL for a message: without user and password, and not too long.
func showURL(u *url.URL) string {
	shown := *u
	shown.User = nil
	if at := strings.LastIndexByte(u.Opaque, '@'); at >= 0 { // the part before it may be a log-in
		shown.Opaque = "…" + u.Opaque[at:]
	}
	return wire.Escape(shown.String(), 2*wire.MaxExcerpt)
}
