package daemon

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"ldirectord/internal/testkit"
)

// searches is set in a process that has a resolv.conf of the test.
const searches = "DAEMON_TEST_SEARCHES"

// A name is looked up in one search domain after the other, as long as it is known that the last one does not have it.
func TestAnswersOfSearchDomains(t *testing.T) {
	if os.Getenv(searches) == "" {
		withResolvConf(t, "nameserver 127.0.0.1\nsearch a.test b.test\noptions timeout:1 attempts:1\n")
		return
	}
	for _, row := range []struct {
		a, b, root    string // the answers for web.a.test, web.b.test and web
		want, trouble string
	}{
		{"10.2.0.1 10.2.0.2", "10.2.0.3", "10.2.0.4", "10.2.0.1 10.2.0.2", ""},
		{"none", "10.2.0.3", "10.2.0.4", "10.2.0.3", ""},
		{"empty", "10.2.0.3", "none", "10.2.0.3", ""},
		{"none", "empty", "10.2.0.4", "10.2.0.4", ""},
		{"none", "empty", "none", "", ""},
		{"fails", "10.2.0.3", "none", "", "server misbehaving"},
		{"none", "fails", "10.2.0.4", "", "server misbehaving"},
		{"none", "none", "fails", "", "server misbehaving"},
		{"fails", "none", "none", "", "server misbehaving"},
		{"refuses", "10.2.0.3", "none", "", "server misbehaving"},
		{"refuses", "none", "none", "", "server misbehaving"},
		{"none", "none", "refuses", "", "server misbehaving"},
		{"refers", "10.2.0.3", "none", "", "server misbehaving"},
		{"half 10.2.0.1", "10.2.0.3", "none", "", "server misbehaving"},
		{"none", "half 10.2.0.3", "none", "", "server misbehaving"},
		{"silent", "10.2.0.3", "none", "", "i/o timeout"},
		{"none", "silent", "10.2.0.4", "", "i/o timeout"},
	} {
		t.Run(row.a+", "+row.b+", "+row.root, func(t *testing.T) {
			t.Setenv("STATE_DIRECTORY", t.TempDir())
			said := map[string]string{"web.a.test.": row.a, "web.b.test.": row.b, "web.": row.root}
			answersNames(t, func(w dns.ResponseWriter, asked *dns.Msg) {
				answerInWords(t, w, asked, said[asked.Question[0].Name])
			})
			text := []byte("emptyok = yes\nvirtual = 10.1.0.1:80\n\trealnames = web:80 gate\n")
			is(t, "list", Source{}.readLists(t.Context(), text, nil, nil, guardAll)["web (IPv4)"], row.want, row.trouble)
		})
	}
}

// answerInWords answers with the addresses that the words have, or in the manner that they name.
func answerInWords(t *testing.T, w dns.ResponseWriter, asked *dns.Msg, words string) {
	m := new(dns.Msg).SetReply(asked)
	m.RecursionAvailable = true
	manner, isHalf := strings.CutPrefix(words, "half ")
	switch manner {
	case "silent":
		return
	case "none":
		m.Rcode = dns.RcodeNameError
	case "fails":
		m.Rcode = dns.RcodeServerFailure
	case "refuses":
		m.Rcode = dns.RcodeRefused
	case "refers":
		m.RecursionAvailable = false
	case "empty":
	default:
		for _, addr := range strings.Fields(manner) {
			m.Answer = append(m.Answer, testkit.Must(dns.NewRR(asked.Question[0].Name+" A "+addr))(t))
		}
	}
	packet := testkit.Must(m.Pack())(t)
	if isHalf {
		packet[7]++ // the number of answers
	}
	if _, err := w.Write(packet); err != nil {
		t.Error(err)
	}
}

// withResolvConf plays the test in a process of its own, whose resolv.conf has this text.
func withResolvConf(t *testing.T, text string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "resolv.conf")
	testkit.Write(t, path, text)
	script := []string{"-m", "sh", "-c", `mount --bind "$0" /etc/resolv.conf && exec "$@"`, path}
	if out, err := exec.Command("unshare", append(script, "true")...).CombinedOutput(); err != nil {
		t.Skipf("no mount namespace here: %v: %s", err, out)
	}
	again := exec.Command("unshare", append(script, testkit.Must(os.Executable())(t), "-test.run=^"+t.Name()+"$", "-test.v")...)
	again.Env = append(os.Environ(), searches+"=yes")
	out, err := again.CombinedOutput()
	t.Logf("%s", out)
	testkit.OK(t, err)
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
