package protocol

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"ldirectord/checker/settings"
	"ldirectord/checker/wire"
)

// said is a connection that ends after a given text.
type said struct {
	net.Conn
	io.Reader
}

func (s said) Read(b []byte) (int, error) { return s.Reader.Read(b) }
func (said) Write(b []byte) (int, error)  { return len(b), nil }
func (said) SetDeadline(time.Time) error  { return nil }
func (said) LocalAddr() net.Addr          { return &net.TCPAddr{} }

// havingSaid is a connection on which the server sends this text and then ends.
func havingSaid(text io.Reader) *wire.Conn { return &wire.Conn{Conn: said{Reader: text}} }

func dialogueOf(text string) *dialogue {
	return &dialogue{Dialogue: wire.NewDialogue(havingSaid(strings.NewReader(text)))}
}

// Whatever a server sends, a check ends, and its message is one printable line without the password.
func FuzzTalk(f *testing.F) {
	const secret = "pa\"ss\\word"
	shown := shownBy(Spec{Account: settings.Account{Login: "user", Passwd: secret}})
	for _, text := range []string{
		"220 mx\r\n250-mx\r\n250 x\r\n221 bye\r\n",
		"+OK\r\n+OK\r\n-ERR pa\"ss\\word\r\n",
		"* OK\r\n* x\r\na NO \"pa\\\"ss\\\\word\"\r\n",
		"+OK\r\n+OK\r\n-ERR papa\"ss\\wo\"ss\\word\r\n",
		"220 a\r\n331 b\r\n530 pa\"ss\\word\r\n",
		"SIP/2.0 100 Trying\r\n\r\nSIP/2.0 200 OK\r\n\r\n",
		"200 \x1b\xff\r\n",
		"+OK\r\n+PONG\r\n$11\r\nrole:good\r\n\r\n",
		"-ERR x\r\n$-1\r\n*2\r\n",
		"+\n+\x0f\n",
	} {
		f.Add(text)
	}
	receive := pattern(f, "x")
	f.Fuzz(func(t *testing.T, text string) {
		check := fuzz(t)
		for name, p := range map[string]protocol{
			"smtp": smtp, "pop": pop, "imap": imap, "nntp": nntp, "sip": sip{"user"}.run, "ftp": ftp,
			"redis": redis,
		} {
			d := dialogueOf(text)
			d.terms = terms{Account: settings.Account{Login: "user", Passwd: secret}, hostName: "director",
				receive: receive}
			d.ctx = t.Context()
			seen, err := p(d)
			if err != nil {
				seen = err.Error()
			}
			seen = shown(seen)
			check.message(seen)
			if strings.Contains(seen, secret) || strings.Contains(seen, quoteIMAP(secret)) {
				t.Errorf("%s on %q: %q tells the password", name, text, seen)
			}
		}
		extendedPort(text)
		passivePort("227" + text)
	})
}

func TestTextThatCanNotBeQuoted(t *testing.T) {
	for _, text := range []string{"ü", "a\r\nb LOGOUT", "\x00", "\n"} {
		if quotable.MatchString(text) {
			t.Errorf("%q can't be quoted", text)
		}
	}
}
