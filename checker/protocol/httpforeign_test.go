package protocol

import (
	"fmt"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
	"ldirectord/internal/testkit/nameserver"
)

// A real server may redirect the director to a server that only the director reaches, such as the metadata service of
// its cloud.
func TestAForeignServerIsNotQuoted(t *testing.T) {
	const token = "SECRET-TOKEN"
	nameserver.Use(t, func(name string) string {
		return map[bool]string{true: "fails", false: "none"}[name == token+"."]
	})
	a := newAuthority(t)
	secure := serveTLS(t, "127.0.0.2", a.serves(t, token+".example.org")).Target
	testkit.Rows(t, "../../testdata/checker/foreign.txt", 5, func(t *testing.T, row []string) {
		answer := strings.ReplaceAll(bare(t, row[2]), "{secure}", secure.String())
		there := "http://" + serveOn(t, "127.0.0.2:0", saying(answer)).addr.String() + "/latest"
		s := httpSpec(serve(t, saying("HTTP/1.1 302 Found\r\nLocation: "+there+"\r\n\r\n")).addr,
			"All good")
		s.TLSVerify, s.TLSCA = true, a.file
		apply(t, &s, row[1])
		r := checked(t, s)
		want := strings.ReplaceAll(row[3], "{there}", there)
		expect(t, r, want+"; warning: redirect to "+there+" leads away from the server being checked")
		testkit.Equal(t, r.Body, row[4])
		if strings.Contains(fmt.Sprintf("%+v", r), token) {
			t.Errorf("the foreign server is quoted: %+v", r)
		}
	})
}
