package daemon

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"ldirectord/internal/testkit"
	"ldirectord/internal/testkit/nameserver"
)

// A name is looked up in one search domain after the other, as long as it is known that the last one does not have it.
// So is one that the hosts file has in the other family.
func TestAnswersOfSearchDomains(t *testing.T) {
	if !nameserver.Configured(t, "nameserver 127.0.0.1\nsearch a.test . b.test\noptions timeout:2 attempts:1\n") {
		return
	}
	n := wholeNames{systemNames{func() (hosts, error) { return hostsIn("fe00::1 web"), nil }}}
	for _, row := range testkit.Table(t, "testdata/searches.txt", 5) {
		t.Run(fmt.Sprintf("%q", row[:3]), func(t *testing.T) {
			t.Setenv("STATE_DIRECTORY", t.TempDir())
			said := map[string]string{"web.a.test.": row[0], "web.b.test.": row[1], "web.": row[2]}
			nameserver.Use(t, func(name string) string { return said[name] })
			const text = "virtual = 10.1.0.1:80\n\trealnames = web:80 gate\n"
			is(t, "list", readOf(t, text, nil)["web (IPv4)"], row[3], row[4])
			addrs, err := n.Host(t.Context(), "web", false)
			testkit.Equal(t, strings.Trim(fmt.Sprint(addrs), "[]"), row[3], "beside fe00::1")
			if row[3] == "" && row[4] != "it has no server" {
				testkit.FailsWith(t, err, row[4])
				return
			}
			testkit.OK(t, err)
		})
	}
}

// Answers over TCP are judged as those over UDP, whatever the parts in which they are read.
func TestWholeStream(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	m := new(dns.Msg).SetQuestion("web.", dns.TypeA)
	m.Rcode = dns.RcodeRefused
	go func() {
		defer server.Close()
		(&dns.Conn{Conn: server}).WriteMsg(m)
	}()
	got, err := (&dns.Conn{Conn: &wholeStream{Conn: client}}).ReadMsg()
	testkit.OK(t, err)
	testkit.Equal(t, dns.RcodeToString[got.Rcode], "SERVFAIL")
}
