package protocol

import (
	"context"
	"encoding/base64"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"ldirectord/checker"
	"ldirectord/checker/seal"
	"ldirectord/checker/settings"
	"ldirectord/checker/transcript"
	"ldirectord/checker/wire"
	"ldirectord/internal/testkit"
)

// tape makes a check and returns its transcript.
func tape(t *testing.T, s Spec, e *Env) string {
	t.Helper()
	return tapeOf(t, build(t, s, e))
}

func tapeOf(t *testing.T, c Checker) string {
	taken := transcript.New()
	c.Check(wire.Taped(t.Context(), taken))
	return taken.String()
}

// shows reports a transcript that has not these parts, in this order.
func shows(t *testing.T, text string, parts ...string) {
	t.Helper()
	for rest := text; len(parts) > 0; parts = parts[1:] {
		_, after, found := strings.Cut(rest, parts[0])
		if !found {
			t.Fatalf("%q is not, or too early, in\n%s", parts[0], text)
		}
		rest = after
	}
}

// All that is sent and received is in a transcript, except log-ins and what is derived from passwords.
func TestNoTranscriptTellsASecret(t *testing.T) {
	needsOracle(t)
	good := goodServers(t, serverTLS(t))
	for _, service := range Services() {
		if service == "none" {
			continue
		}
		t.Run(service, func(t *testing.T) {
			if good[service] == nil {
				t.Fatalf("goodServers of checker/protocol/uses_test.go has no row for %s", service)
			}
			to := serve(t, good[service]).addr
			if service == "https" {
				to = serveHTTP(t, serverTLS(t),
					func(w http.ResponseWriter, r *http.Request) { r.Header.Write(w) })
			}
			s := secretSpec(service)
			s.Target, s.URL = to, strings.TrimSuffix(service, "_proxy")+"://"+to.String()+"/"
			if service == "radius" {
				s.Target = serveDatagrams(t, "127.0.0.1", radiusServer{secret: testPassword}.answer)
			}
			judgeTape(t, tape(t, s, nil), service)
		})
	}
	t.Run("a server that says it back in pieces", func(t *testing.T) {
		s := secretSpec("simpletcp")
		s.Target = serve(t, func(_ *testServer, c net.Conn) {
			for _, b := range []byte("you are webmaster, " + testLogin + " with " + testPassword + "\n") {
				c.Write([]byte{b})
			}
		}).addr
		judgeTape(t, tape(t, s, nil), "simpletcp")
	})
}

// A server may send a log-in of its own in a redirect.
func TestNoTranscriptTellsTheLoginOfARedirect(t *testing.T) {
	var s Spec
	page := serveHTTP(t, nil, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/index" {
			w.Header().Set("Location", "http://kim:hunter2-p@ss@"+s.Target.String()+"/next?a@b")
			w.WriteHeader(302)
			return
		}
		w.Write([]byte("fine"))
	})
	s = httpSpec(page, "fine")
	s.URL = "http://" + page.String() + "/index"
	text := tape(t, s, nil)
	shows(t, text, "< Location: http://…@"+page.String()+"/next?a@b\n", "> GET /next?a@b HTTP/1.1\n",
		"> Authorization: Basic …\n", "< fine\n")
	if strings.Contains(text, "kim") {
		t.Error(text)
	}
}

// hearing is a check that receives a text.
type hearing string

func (h hearing) Check(ctx context.Context) Result {
	wire.WatchOf(ctx).Tape.Say(transcript.Received, nil, []byte(h))
	return Result{}
}

// Wherever a part of the transcript is cut, at most 3 bytes of a secret are left before the cut.
func TestACutTranscriptLeavesNoPartOfASecret(t *testing.T) {
	const kept, theirs = 2 << 10, "kim:hunter2-p@ss"
	said := repeated()
	said["a log-in that the server gave"] = "Location: http://" + theirs + "@192.0.2.21/next"
	said["that log-in in a request"] = "x\r\nAuthorization: Basic " +
		base64.StdEncoding.EncodeToString([]byte(theirs)) + "\r\n"
	said["what begins a longer secret"] = "ab-hunter2-cd"
	delete(said, "after what is like it") // the server itself made the pieces of this one
	s := secretSpec("simpletcp")
	s.HTTPHeaders = checker.ListOf("X-One: ab-hunter2-cd", "X-Two: r2-and-more-of-another-one")
	hidden := new(seal.Secrets)
	for how, words := range said {
		for shown := range len(words) + 1 {
			said := hearing(strings.Repeat(".", kept-shown) + words + " and more")
			text := strings.ReplaceAll(tapeOf(t, seal.New(said, s, hidden)), `\\`, `\`)
			for _, secret := range []string{testPassword, testLogin, theirs, "ab-hunter2-cd"} {
				for part := secret; len(part) > 3; part = part[1:] {
					if strings.Contains(text, part[:4]) || decodesTo(text, part[:4]) {
						t.Errorf("%s, cut after %d: …%s", how, shown,
							text[max(0, len(text)-100):])
					}
				}
			}
		}
	}
}

func secretSpec(service string) Spec {
	return Spec{
		Type: "negotiate", Service: service, Protocol: "tcp", NegotiateTimeout: tooLate,
		Account:     settings.Account{Login: testLogin, Passwd: testPassword, Secret: testPassword},
		HTTP:        settings.HTTP{HTTPUser: "webmaster", HTTPPasswd: testPassword},
		HTTPHeaders: checker.ListOf("X-Token: "+testPassword, "X-Pin: 1234"), Request: "/SELECT 1",
		Receive: "good", DNSType: "TXT",
	}
}

func judgeTape(t *testing.T, text, service string) {
	t.Helper()
	if tells(text) || strings.Contains(text, testLogin) || strings.Contains(text, "webmaster") ||
		strings.Contains(text, testPassword[:4]) || strings.Contains(text, "1234") {
		t.Errorf("a secret is told:\n%s", text)
	}
	// they send a value derived from it
	derived := map[string]bool{"mysql": true, "pgsql": true, "radius": true, "oracle": true}
	if derived[service] && !strings.Contains(text, " > (") {
		t.Errorf("what was made of the password is shown:\n%s", text)
	}
	// a server that closes at once has sent nothing
	over := map[string]bool{"imaps": true, "pops": true, "ldaps": true, "tls": true}
	if !over[service] && !strings.Contains(text, " > ") || !strings.Contains(text, " ms    ") {
		t.Errorf("what was said is missing:\n%s", text)
	}
}

func TestTranscripts(t *testing.T) {
	page := serveHTTP(t, serverTLS(t), func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("fine \x1b[2J\n" + strings.Repeat("x", 5000)))
	})
	s := httpSpec(page, "fine")
	s.URL = "https://" + page.String() + "/index"
	shows(t, tape(t, s, nil), "connected to "+page.String()+"\n", "TLS 1.3, TLS_", "certificate of",
		"> GET /index HTTP/1.1\n", "> Host: 127.0.0.1\n", ">\n", "< HTTP/1.1 200 OK\n", `< fine \x1b[2J`+"\n",
		"bytes in all", "up: 200 OK\n", "first byte ")

	mail := serveScript(t, "127.0.0.1",
		dialogues{t: t}.script("< 220 mail; > EHLO [127.0.0.1]; < 250 hello; > QUIT; < 221 bye")...)
	shows(t, tape(t, asking(t, "smtp", mail, ""), nil),
		"< 220 mail\n", "> EHLO [127.0.0.1]\n", "< 250 hello\n", "> QUIT\n", "< 221 bye\n", "up: ")

	names := serveDatagrams(t, "127.0.0.1", namesGood)
	text := tape(t, asking(t, "dns", names, "protocol=udp; request=/a.example; receive=192"), nil)
	shows(t, text, "datagrams to "+names.String()+"\n", `\x01a\aexample\x00`)
	// the name is in the question, and twice in the answer; the random id may have a line break
	testkit.Equal(t, strings.Count(text, `\aexample`), 3, "names in one question and one answer")

	program := externalSpec(writeScript(t, "echo hello; exit 3"))
	program.Type = "external"
	shows(t, tape(t, program, nil), "ran [\"/", "< hello\n", "down: exit status 3: hello")

	shows(t, tape(t, anySpec("ping"), &Env{Pinger: &fakePinger{errs: []error{nil}}}),
		"echo request to 127.0.0.1", "up: echo reply")
}

// An endless answer takes limited memory, and the transcript still has the check's end.
func TestTranscriptsAreBounded(t *testing.T) {
	s := asking(t, "ftp", serveScript(t, "127.0.0.1", raw("220-x\r\n"), endless("220-more\r\n")), "")
	text := tape(t, s, nil)
	if len(text) > 200<<10 || !strings.Contains(text, "down: ") {
		t.Errorf("%d bytes: …%s", len(text), text[max(0, len(text)-300):])
	}
	var taken []string
	tape := transcript.New()
	for range 2000 {
		tape.Say(transcript.Sent, nil, []byte("ping\n"))
		tape.Say(transcript.Received, nil, []byte("pong\n"))
	}
	tape.Say(transcript.Note, nil, []byte("the end"))
	tape.Close(func(_ transcript.Kind, text string, _ bool) string { taken = append(taken, text); return text })
	text = tape.String()
	if len(taken) > 600 || !slices.Contains(taken, "the end") || !strings.Contains(text, "further pieces") {
		t.Errorf("%d turns: %s", len(taken), text[max(0, len(text)-200):])
	}
}
