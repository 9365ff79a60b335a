package protocol

import (
	"context"
	"encoding/base64"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"ldirectord/checker"
	"ldirectord/checker/seal"
	"ldirectord/checker/settings"
	"ldirectord/checker/wire"
	"ldirectord/internal/testkit"
)

const (
	testLogin    = "monitor"
	testPassword = `s3cr"t\w+x/7`
)

// repeated are the forms in which a server may repeat a password that it was sent.
func repeated() map[string]string {
	code := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	return map[string]string{
		"as it is":              testPassword,
		"between quotes":        "'" + testPassword + "'",
		"quoted":                strconv.Quote(testPassword),
		"JSON of PHP":           `s3cr\"t\\w+x\/7`,
		"in a word":             "x" + testPassword + "x",
		"in a query":            "q=" + url.QueryEscape(testPassword),
		"in a path":             "/" + url.PathEscape(testPassword),
		"in a URL":              "http://" + url.UserPassword(testLogin, testPassword).String() + "@a/",
		"base64":                code(testPassword),
		"basic":                 "Basic " + code(testLogin+":"+testPassword),
		"more than once":        testPassword + testPassword,
		"after what is like it": "s3cs3cr" + testPassword,
	}
}

func secretAccounts() (settings.Account, settings.HTTP) {
	return settings.Account{Login: testLogin, Passwd: testPassword},
		settings.HTTP{HTTPUser: testLogin, HTTPPasswd: testPassword}
}

// tells reports whether a text contains the password, whole or most of it.
func tells(text string) bool {
	return strings.Contains(text, "s3cr") && strings.Contains(text, "w+x/7") || strings.Contains(text, `t\w`) ||
		strings.Contains(text, `t\\w`) ||
		strings.Contains(text, "MzY3Idx3") || strings.Contains(text, `%5Cw`) || holdsDecoded(text)
}

// holdsDecoded reports whether some base64 in a text is the password.
func holdsDecoded(text string) bool { return decodesTo(text, testPassword[:6]) }

// decodesTo reports whether some base64 in a text holds a part of a secret.
func decodesTo(text, part string) bool {
	words := strings.FieldsFunc(text, func(r rune) bool {
		return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_", r)
	})
	for _, word := range words {
		word = strings.NewReplacer("-", "+", "_", "/").Replace(word)
		for from := range min(4, len(word)) {
			decoded, _ := base64.RawStdEncoding.DecodeString(word[from : len(word)-(len(word)-from)%4])
			if strings.Contains(string(decoded), part) {
				return true
			}
		}
	}
	return false
}

// A server knows the password that it was sent, and may repeat it in any part of its answer.
func TestNoServerMakesUsTellAPassword(t *testing.T) {
	d := newDialogues(t, "../../testdata/checker/secrets.txt")
	for name, words := range repeated() {
		quoted := strconv.Quote(words)
		in := strings.NewReplacer("{words}", words, "{quoted}", quoted[1:len(quoted)-1])
		for _, row := range d.rows {
			t.Run(row[0]+" "+name, func(t *testing.T) {
				s := asking(t, "", serveScript(t, "127.0.0.1", d.script(in.Replace(row[2]))...), "")
				s.Account, s.HTTP = secretAccounts()
				apply(t, &s, "url=http://{target}/; "+row[1])
				judgeSecrets(t, checked(t, s), true)
			})
		}
	}
}

// brief sends its answer at once and closes its side.
func brief(says string) func(*testServer, net.Conn) {
	return func(s *testServer, c net.Conn) {
		io.WriteString(c, says)
		closing(s, c)
	}
}

func judgeSecrets(t *testing.T, r Result, hidden bool) {
	t.Helper()
	for _, text := range []string{r.Detail, r.Warning, r.Body} {
		if tells(text) {
			t.Errorf("the password is told: %q", text)
		}
	}
	if hidden && !strings.Contains(r.Detail+r.Body, "…") {
		t.Errorf("nothing was taken out: %+v", r)
	}
}

// A server may repeat the password in a protocol that has none, or send it instead of a valid answer.
func TestNoGarbageMakesUsTellAPassword(t *testing.T) {
	for _, service := range Services() {
		for name, words := range repeated() {
			t.Run(service+" "+name, func(t *testing.T) {
				s := asking(t, service, serve(t, brief(words+"\r\n")).addr,
					"request=/SELECT 1; receive=good; dnstype=TXT; url=http://{target}/")
				s.Account, s.HTTP = secretAccounts()
				s.Secret = testPassword
				judgeSecrets(t, checked(t, s), false)
			})
		}
	}
}

// Secrets that the configuration has in other places than passwd are hidden as well.
func TestSecretsOfHTTPAreHidden(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		fmt.Fprintf(w, "%s %s %s %s", r.Header.Get("X-Token"), r.Header.Get("Authorization"), user, password)
	}
	for name, words := range map[string]string{
		"in the URL":        "url=http://me:hunter2hunter2@{target}/index.html",
		"in a header":       "header=X-Token: hunter2hunter2",
		"after a scheme":    "header=Authorization: Bearer hunter2hunter2",
		"with its own user": "httpuser=me; httppasswd=hunter2hunter2",
	} {
		t.Run(name, func(t *testing.T) {
			s := httpSpec(serveHTTP(t, nil, echo), "good")
			apply(t, &s, words)
			r := checked(t, s)
			code := base64.StdEncoding.EncodeToString([]byte("me:hunter2hunter2"))
			for _, text := range []string{r.Detail, r.Body} {
				if strings.Contains(text, "hunter") || strings.Contains(text, code[:12]) ||
					!strings.Contains(text, "…") {
					t.Errorf("%q", text)
				}
			}
		})
	}
}

// shownBy returns how the result of a check shows a text.
func shownBy(s Spec) func(text string) string {
	hidden := new(seal.Secrets)
	return func(text string) string {
		return seal.New(always{Detail: text}, s, hidden).Check(context.Background()).Detail
	}
}

// Wherever a message is cut, it contains no part of a password before the cut.
func TestACutLeavesNoPartOfAPassword(t *testing.T) {
	s := Spec{Account: settings.Account{Login: testLogin, Passwd: testPassword}}
	hidden, shown := new(seal.Secrets), shownBy(s)
	for pad := range wire.MaxExcerpt + 2 {
		for name, show := range map[string]func(string) string{
			"excerpt": func(said string) string { return wire.Excerpt([]byte(said)) },
			"escape":  func(said string) string { return wire.Escape(said, wire.MaxExcerpt) },
		} {
			for how, words := range repeated() {
				text := shown(show(strings.Repeat(".", pad) + words +
					strings.Repeat(".", wire.MaxExcerpt)))
				if tells(text) || strings.Contains(text, "s3c") && how != "after what is like it" {
					t.Errorf("%s, %s after %d: %s", name, how, pad, text)
				}
			}
		}
		r := Result{Body: string(firstWords([]byte(strings.Repeat(".", checker.MaxBody-pad) + testPassword)))}
		r = seal.New(always(r), s, hidden).Check(t.Context())
		if strings.Contains(r.Body, testPassword[:2]) {
			t.Errorf("said, %d before the end: %q", pad, r.Body[checker.MaxBody-pad:])
		}
	}
}

// A short password that is a part of many words is removed only where it is a word by itself.
func TestShortPasswordsLeaveMessagesReadable(t *testing.T) {
	for password, c := range map[string]struct{ text, want string }{
		"a":    {"login rejected: bad password a, a!", "login rejected: bad password …, …!"},
		"e":    {"connect: refused", "connect: refused"},
		"12":   {`got "12" in 120 or 12`, `got "…" in 120 or …`},
		"x1y2": {"bx1y2b", "b…b"},
		"ü":    {"für ü", "für …"},
	} {
		testkit.Equal(t, shownBy(Spec{Account: settings.Account{Passwd: password}})(c.text), c.want,
			password)
	}
	testkit.Equal(t,
		shownBy(Spec{Account: settings.Account{Login: "me"}, HTTP: settings.HTTP{HTTPUser: "me"}})("me"),
		"me", "without secrets")
}

// Each form in which a server may repeat a password is hidden, as it is and as our messages show it.
func TestEachFormOfAPasswordIsHidden(t *testing.T) {
	const password = `é<b&"d\e/f+g h`
	shown := shownBy(Spec{Account: settings.Account{Login: "me", Passwd: password}})
	for form, said := range map[string]string{
		"as written":              password,
		"quoted":                  `é<b&\"d\\e/f+g h`,
		"JSON of Go":              `é\u003cb\u0026\"d\\e/f+g h`,
		"JSON of Python":          `\u00e9<b&\"d\\e/f+g h`,
		"JSON of PHP":             `\u00e9<b&\"d\\e\/f+g h`,
		"in a query":              `%C3%A9%3Cb%26%22d%5Ce%2Ff%2Bg+h`,
		"in a path":               `%C3%A9%3Cb&%22d%5Ce%2Ff+g%20h`,
		"in a URL":                `%C3%A9%3Cb&%22d%5Ce/f+g%20h`,
		"HTML":                    `é&lt;b&amp;&quot;d\e/f+g h`,
		"HTML by number":          `é&lt;b&amp;&#34;d\e/f+g h`,
		"base64":                  `w6k8YiYiZFxlL2YrZyBo`,
		"base64, after the login": `bWU6w6k8YiYiZFxlL2YrZyBo`,
	} {
		for as, text := range map[string]string{
			"as it is": said, "quoted": strconv.Quote(said), "escaped": wire.Escape(said, 100),
			"in a URL": wire.Forgive(said),
			"cut":      wire.Excerpt([]byte(strings.Repeat(".", wire.MaxExcerpt-8) + said + said)),
		} {
			if terms := shown(text); strings.ContainsAny(terms, "bdegZ") || !strings.Contains(terms, "…") {
				t.Errorf("%s, %s: %s is told as %s", form, as, text, terms)
			}
		}
	}
}

// A page that repeats what it was sent may do so as HTML.
func TestAPasswordInHTMLIsHidden(t *testing.T) {
	shown := shownBy(Spec{Account: settings.Account{Login: testLogin, Passwd: `a<b&c"d\e`}})
	for _, page := range []string{html.EscapeString(`a<b&c"d\e`), "a&lt;b&amp;c&quot;d\\e"} {
		for _, said := range []string{page, strconv.Quote(page), "got " + strconv.Quote(page[:12]) + "…"} {
			if terms := shown(said); strings.Contains(terms, "lt;b") {
				t.Errorf("%s is told as %s", said, terms)
			}
		}
	}
}
