package protocol

import (
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// What same finds in an answer is noted, and changes no result.
func TestSameNotesWhatItFinds(t *testing.T) {
	const head = okHead + "X-Version: 7\r\n\r\n"
	far := strings.Repeat("x", maxKept)
	in := strings.NewReplacer("{far}", far, "{near}", far[len(head+"ok version"):])
	testkit.Rows(t, "../../testdata/checker/same.txt", 5, func(t *testing.T, row []string) {
		answer := in.Replace(bare(t, row[2]))
		s := httpSpec(serve(t, saying(head+answer)).addr, "ok")
		s.Same, s.HTTPUser, s.HTTPPasswd = row[1], "me", "longer-than-sixteen"
		if r := checked(t, s); r.OK != (row[3] == "up") || r.Shows != row[4] {
			t.Errorf("%v %q, want %q", r.OK, r.Shows, row[4])
		}
	})
}

func TestSameOfDialogues(t *testing.T) {
	for _, words := range []string{"receive=bye", "expect=^220; send=x; expect=bye", "protocol=udp; receive=bye"} {
		to := serve(t, brief("220 v9\r\nbye\r\n")).addr
		if strings.Contains(words, "udp") {
			to = serveDatagrams(t, "127.0.0.1", replies("220 v9\nbye\n"))
		}
		r := checked(t, asking(t, "simpletcp", to, `request=/x; same=v\d; `+words))
		if !r.OK || r.Shows != "v9" {
			t.Errorf("%s: %+v", words, r)
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
