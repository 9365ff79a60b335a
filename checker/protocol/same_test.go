package protocol

import (
	"net/netip"
	"strings"
	"testing"

	"ldirectord/checker"
	"ldirectord/checker/settings"
)

// What same finds in an answer is noted, and changes no result.
func TestSameNotesWhatItFinds(t *testing.T) {
	page := func(body string) string { return okHead + "X-Version: 7\r\n\r\n" + body }
	far := strings.Repeat("x", maxKept)
	for name, row := range map[string]struct {
		pattern, answer, want string
		bad                   bool // the check fails
	}{
		"in the body":           {`version: (\S+)`, page("version: 1.2 ok"), "version: 1.2", false},
		"the first one":         {`v\d`, page("v1 v2 ok"), "v1", false},
		"in the header":         {`X-Version: \d`, page("ok"), "X-Version: 7", false},
		"after a text":          {`(?<=version: )\S+`, page("version: 1.2 ok"), "1.2", false},
		"nothing":               {`version: (\S+)`, page("ok"), "", false},
		"of a check that fails": {`version: (\S+)`, page("version: 1.2"), "", true},
		"more than 64 bytes": {`x+`, page(strings.Repeat("x", 65) + " ok"), strings.Repeat("x", 64) + "…",
			false},
		"after the first 64 KiB": {`version`, page("ok " + far + "version"), "", false},
		"just in them": {`version`, page("ok " + far[:maxKept-len(page("ok version"))] + "version"),
			"version", false},
		"what a terminal obeys":    {`v.*$`, page("ok v\x1b[2J"), `v\x1b[2J`, false},
		"not in time":              {`(?=x)(x+x+)+$`, page("ok " + strings.Repeat("x", 40) + "z"), "", false},
		"a password that it sends": {`key=\S+`, page("ok key=longer-than-sixteen"), "key=…", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := httpSpec(serve(t, saying(row.answer)).addr, "ok")
			s.Same, s.HTTPUser, s.HTTPPasswd = row.pattern, "me", "longer-than-sixteen"
			if r := build(t, s, nil).Check(t.Context()); r.OK == row.bad || r.Shows != row.want {
				t.Errorf("%v %q, want %q", r.OK, r.Shows, row.want)
			}
		})
	}
}

func TestSameOfDialogues(t *testing.T) {
	dialogue := checker.ListOf(settings.Step{Text: "^220"}, settings.Step{Send: true, Text: "x"},
		settings.Step{Text: "bye"})
	for name, change := range map[string]func(*Spec){
		"a line":     receiving("bye"),
		"a dialogue": func(s *Spec) { s.Steps = dialogue },
		"a datagram": func(s *Spec) {
			s.Protocol, s.Receive = "udp", "bye"
			s.Target = serveDatagrams(t, "127.0.0.1",
				replies("220 v9\nbye\n"))
		},
	} {
		s := Spec{Type: "negotiate", Service: "simpletcp", Protocol: "tcp", NegotiateTimeout: inTime,
			Request: "/x", Same: `v\d`}
		s.Target = serve(t, brief("220 v9\r\nbye\r\n")).addr
		change(&s)
		if r := build(t, s, nil).Check(t.Context()); !r.OK || r.Shows != "v9" {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// The answer of another server, to which a redirect leads, is not searched.
func TestSameSearchesTheFirstAnswer(t *testing.T) {
	other := serve(t, saying(okHead+"\r\nok version: 8")).addr.String()
	s := httpSpec(serve(t, saying("HTTP/1.1 302 Found\r\nX-Version: 7\r\nLocation: http://"+other+"/\r\n"+
		"Content-Length: 0\r\n\r\n")).addr, "ok")
	for pattern, want := range map[string]string{`(?i)version: \d`: "Version: 7", `version: \d`: ""} {
		s.Same = pattern
		if r := build(t, s, nil).Check(t.Context()); !r.OK || r.Shows != want {
			t.Errorf("%s: %+v", pattern, r)
		}
	}
}

func TestAPatternOfSameThatIsNoGood(t *testing.T) {
	s := httpSpec(netip.AddrPort{}, "ok")
	s.Same = "("
	if _, err := New(s, nil); err == nil || !strings.HasPrefix(err.Error(), "same: ") {
		t.Errorf("%v", err)
	}
}
