package seal

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"ldirectord/checker"
	"ldirectord/checker/transcript"
	"ldirectord/checker/wire"
	"ldirectord/internal/printable"
)

const (
	// minSecret is the length in bytes of the shortest header value that is removed wherever it appears. A shorter
	// one is removed only together with its name.
	minSecret = 8
	// minPart is a length in bytes. A secret of at least this length is removed even where it is part of a word. A
	// shorter one is removed only where it is a word. At the end of a turn or quotation, the beginning of a secret
	// is removed, too, if it has at least this length.
	minPart = 4
	// minCut is the length in bytes of the shortest beginning of a secret that is removed where a text was cut.
	minCut = 2
)

// secrets holds the passwords and tokens of a check in the forms in which a server may repeat them, the longest first.
type secrets []string

// untold holds the secrets of a check.
type untold struct {
	always secrets
	taped  secrets // for transcripts, which contain everything sent: those in always, and the names of log-ins
}

// Secrets holds the secrets of many checks. Checks with the same settings share them.
type Secrets struct {
	checker.Shared[checker.Spec, *untold]
}

// of returns the secrets of a Spec.
func (h *Secrets) of(s checker.Spec) *untold {
	key := checker.Spec{Account: s.Account, HTTPHeaders: s.HTTPHeaders}
	key.HTTPUser, key.HTTPPasswd = s.HTTPUser, s.HTTPPasswd
	if strings.Contains(s.URL, "@") {
		key.URL = s.URL
	}
	found, _ := h.Get(key, func() (*untold, error) {
		always := newSecrets(key)
		taped := slices.Clone(always)
		taped.add("", key.Login)
		taped.add("", key.HTTPUser)
		return &untold{always, taped.sorted()}, nil
	})
	return found
}

// mask hides the secrets in a turn of a transcript. Messages derived from a password are not shown at all, because they
// help to guess it.
func (h *untold) mask(c checker.Checker, kind transcript.Kind, text string, cut bool) string {
	if p, ok := checker.As[concealer](c); ok && kind != transcript.Note &&
		p.Conceals(kind == transcript.Sent, text) {
		return ""
	}
	least := minPart
	if cut {
		least = minCut
		// first, because a password that was cut off may contain an @
		text = cutLogin.ReplaceAllString(text, "$1…")
	}
	text = loginOfOthers.ReplaceAllString(text, "$1$3…$2")
	return h.taped.cut(h.taped.replace(text), least)
}

// loginOfOthers matches a log-in that came from a server: in a URL, such as a redirect's, or in the request with which
// the check followed the redirect.
var loginOfOthers = regexp.MustCompile(`(?m)(://)[^/?#\s]*(@)|^(Authorization: Basic )\S+`)

// cutLogin matches the end of a text that was cut inside the log-in of a URL, or inside the host.
var cutLogin = regexp.MustCompile(`(://)[^/?#\s]*$`)

// concealer is a check of a protocol that may send a password in a derived form.
type concealer interface {
	// Conceals reports whether a turn contains data derived from the password, or data that helps to guess it.
	Conceals(sent bool, turn string) bool
}

func newSecrets(s checker.Spec) secrets {
	found := secrets{}
	found.add("", s.Secret)
	found.add(s.Login, s.Passwd)
	found.add(s.HTTPUser, s.HTTPPasswd)
	for header := range s.HTTPHeaders.All() {
		_, value, _ := strings.Cut(wire.CleanField(header), ": ")
		for _, secret := range append(strings.Fields(value), value) { // a token may follow its scheme
			if len(secret) >= minSecret {
				found.add("", secret)
			}
		}
		if len(value) < minSecret {
			found = append(found, wire.CleanField(header))
		}
	}
	if u, err := wire.ParseURL(s.URL); err == nil && u.User != nil {
		password, _ := u.User.Password()
		found.add(u.User.Username(), password)
	}
	return found.sorted()
}

// sorted returns the secrets without duplicates, the longest first.
func (s secrets) sorted() secrets {
	slices.SortFunc(s, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	return slices.Clip(slices.Compact(s))
}

// encoders write a password in the forms in which a server may repeat it: quoted, in JSON (as Python, PHP or Go writes
// it), in a URL, in HTML, and in base64.
var encoders = []func(string) string{
	quote,
	func(s string) string { return inner(strconv.QuoteToASCII(s)) },
	func(s string) string { return strings.ReplaceAll(inner(strconv.QuoteToASCII(s)), "/", `\/`) },
	func(s string) string {
		text, _ := json.Marshal(s) // any string can be written
		return inner(string(text))
	},
	url.QueryEscape,
	url.PathEscape,
	html.EscapeString,
	func(s string) string { return strings.ReplaceAll(html.EscapeString(s), "&#34;", "&quot;") },
	inBase64,
}

// add adds the forms of a user's password, and each form as our messages write it: quoted, escaped, or in a URL.
func (s *secrets) add(user, password string) {
	if password == "" {
		return
	}
	forms := []string{password, inBase64(user + ":" + password)} // RFC 7617
	for _, encode := range encoders {
		forms = append(forms, encode(password))
	}
	for _, form := range forms {
		*s = append(*s, form, quote(form), printable.Text(form), wire.Forgive(form))
	}
}

func inBase64(text string) string { return base64.RawStdEncoding.EncodeToString([]byte(text)) }

func quote(text string) string { return inner(strconv.Quote(text)) }

// inner returns a quoted text without its quotes.
func inner(quoted string) string { return quoted[1 : len(quoted)-1] }

// hideIn removes the secrets from all texts of a result.
func (h *untold) hideIn(r *checker.Result) {
	if len(h.always) == 0 {
		return
	}
	s := h.always
	r.Detail, r.Warning, r.Shows = s.hide(r.Detail), s.hide(r.Warning), s.hide(r.Shows)
	if len(r.Body) >= checker.MaxBody {
		r.Body = s.cut(r.Body, minCut)
	}
	r.Body = s.replace(r.Body)
}

// hide removes the secrets from a message. It also removes the beginning of a secret where the server's text was cut:
// before a … or at the end of a quotation.
func (s secrets) hide(text string) string {
	text = s.replace(text)
	for i := len(text) - 1; i >= 0; i-- { // backwards, because a secret may contain a quote
		least := minPart
		switch {
		case strings.HasPrefix(text[i:], "…"), strings.HasPrefix(text[i:], `"…`):
			least = minCut
		case text[i] != '"':
			continue
		}
		kept := s.cut(text[:i], least)
		if len(kept) == i {
			continue
		}
		rest := text[i:]
		if rest[0] == '"' {
			rest = "…" + rest // otherwise the remainders on both sides could form a password
		}
		text, i = kept+rest, len(kept)
	}
	return text
}

// cut removes from the end of a text the longest beginning of a secret, if that has at least the given number of bytes.
func (s secrets) cut(text string, least int) string {
	longest := 0
	for _, form := range s {
		for n := min(len(form)-1, len(text)); n >= max(least, longest+1); n-- {
			if strings.HasSuffix(text, form[:n]) {
				longest = n
			}
		}
	}
	return text[:len(text)-longest]
}

// replace removes complete secrets from a text.
func (s secrets) replace(text string) string {
	for _, form := range s {
		if len(form) < minPart {
			text = hideWord(text, form)
		} else {
			text = strings.ReplaceAll(text, form, "…")
		}
	}
	return text
}

// hideWord removes a short secret only where it is a word by itself.
func hideWord(text, secret string) string {
	for at := 0; ; {
		found := strings.Index(text[at:], secret)
		if found < 0 {
			return text
		}
		found += at
		if at = found + len(secret); !isWord(utf8.DecodeLastRuneInString(text[:found])) &&
			!isWord(utf8.DecodeRuneInString(text[at:])) {
			text = text[:found] + "…" + text[at:]
			at = found + len("…")
		}
	}
}

// isWord reports whether a decoded rune is part of a word.
func isWord(r rune, _ int) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
