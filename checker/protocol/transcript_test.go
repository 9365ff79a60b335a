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

// shows reports whether the parts are lines of a transcript, in this order.
func shows(text string, parts ...string) bool {
	for _, part := range parts {
		at := strings.Index(text, part+"\n")
		if at < 0 {
			return false
		}
		text = text[at:]
	}
	return true
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
				t.Fatalf("goodServers has none for %s", service)
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
	if !shows(text, "< Location: http://…@"+page.String()+"/next?a@b", "> GET /next?a@b HTTP/1.1",
		"> Authorization: Basic …", "< fine") || strings.Contains(text, "kim") {
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
	text := tape(t, s, nil)
	if !shows(text, "connected to "+page.String()) || !strings.Contains(text, "TLS 1.3, TLS_") ||
		!strings.Contains(text, "certificate of") ||
		!shows(text, "> GET /index HTTP/1.1", "> Host: 127.0.0.1", ">", "< HTTP/1.1 200 OK",
			`< fine \x1b[2J`) ||
		!strings.Contains(text, "bytes in all") || !strings.Contains(text, "up: 200 OK\n") ||
		!strings.Contains(text, "first byte ") {
		t.Error(text)
	}

	mail := serveScript(t, "127.0.0.1", nil,
		steps("< 220 mail", "> EHLO [127.0.0.1]", "< 250 hello", "> QUIT", "< 221 bye")...)
	text = tape(t, Spec{Type: "negotiate", Service: "smtp", Target: mail, NegotiateTimeout: inTime}, nil)
	if !shows(text, "< 220 mail", "> EHLO [127.0.0.1]", "< 250 hello", "> QUIT", "< 221 bye") ||
		!strings.Contains(text, "up: ") {
		t.Error(text)
	}

	names := serveDatagrams(t, "127.0.0.1", zone{records: []string{"@ 60 IN A 192.0.2.10"}}.udp)
	text = tape(t, Spec{Type: "negotiate", Service: "dns", Target: names, NegotiateTimeout: inTime, Protocol: "udp",
		Request: "/a.example", Receive: "192"}, nil)
	if !shows(text, "datagrams to "+names.String()) || !strings.Contains(text, `\x01a\aexample\x00`) ||
		strings.Count(text, " < ") != 1 {
		t.Error(text)
	}

	program := externalSpec(writeScript(t, "echo hello; exit 3"))
	program.Type = "external"
	if text = tape(t, program, nil); !strings.Contains(text, "ran [\"/") || !shows(text, "< hello") ||
		!strings.Contains(text, "down: exit status 3: hello") {
		t.Error(text)
	}

	ping := anySpec("ping")
	if text = tape(t, ping, &Env{Pinger: &fakePinger{errs: []error{nil}}}); !strings.Contains(text,
		"echo request to 127.0.0.1") || !strings.Contains(text, "up: echo reply") {
		t.Error(text)
	}
}

// An endless answer takes limited memory, and the transcript still has the check's end.
func TestTranscriptsAreBounded(t *testing.T) {
	s := Spec{Type: "negotiate", Service: "ftp", NegotiateTimeout: inTime,
		Target: serveScript(t, "127.0.0.1", nil, raw("220-x\r\n"), endless("220-more\r\n"))}
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
