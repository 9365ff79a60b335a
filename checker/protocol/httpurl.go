package protocol

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"ldirectord/checker/wire"
)

// parseTarget reads the URL of a request, which must be absolute.
func parseTarget(text string) (*url.URL, error) {
	u, err := wire.ParseURL(text)
	if err != nil {
		return nil, err
	}
	return u, checkURL(u)
}

// checkURL returns an error if a URL can't be used.
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

// urlPort returns the port of a URL, or the usual port of its scheme.
func urlPort(u *url.URL) (uint16, error) {
	if u.Port() == "" {
		return map[string]uint16{"http": 80, "https": 443}[u.Scheme], nil
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return uint16(port), err
}

// showURL returns a URL for a message: shortened, and without user and password.
func showURL(u *url.URL) string {
	shown := *u
	shown.User = nil
	if at := strings.LastIndexByte(u.Opaque, '@'); at >= 0 { // the part before it may be a log-in
		shown.Opaque = "…" + u.Opaque[at:]
	}
	return wire.Escape(shown.String(), 2*wire.MaxExcerpt)
}
