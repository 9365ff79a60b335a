package protocol

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"ldirectord/internal/testkit"
)

var goodLDAP = Spec{
	Type: "negotiate", Service: "ldap", Protocol: "tcp", NegotiateTimeout: 5 * time.Second,
	Request: "/dc=example,dc=test", Receive: "dc=example",
}

// directory is a server that knows one log-in, and finds one entry.
type directory struct{ user, passwd, entry string }

func (d directory) treat(s *testServer, c net.Conn) {
	for {
		p, err := ber.ReadPacket(c)
		if err != nil {
			return
		}
		id, op := p.Children[0].Value.(int64), p.Children[1]
		s.keep(ldapOp(op))
		switch int(op.Tag) {
		case ldap.ApplicationBindRequest:
			code := int64(0)
			if op.Children[1].Value != d.user || op.Children[2].Data.String() != d.passwd {
				code = ldap.LDAPResultInvalidCredentials
			}
			c.Write(ldapResult(id, ldap.ApplicationBindResponse, code, ""))
		case ldap.ApplicationSearchRequest:
			c.Write(ldapEntry(id, d.entry))
			c.Write(ldapResult(id, ldap.ApplicationSearchResultDone, 0, ""))
		}
	}
}

func (s *testServer) keep(request string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, request)
}

// ldapOp is a request as text.
func ldapOp(op *ber.Packet) string {
	switch int(op.Tag) {
	case ldap.ApplicationBindRequest:
		return "bind " + strings.TrimSpace(op.Children[1].Value.(string)+" "+op.Children[2].Data.String())
	case ldap.ApplicationSearchRequest:
		filter, _ := ldap.DecompileFilter(op.Children[6])
		return "search " + op.Children[0].Value.(string) + " " +
			ldap.ScopeMap[int(op.Children[1].Value.(int64))] + " " + filter
	case ldap.ApplicationExtendedRequest:
		if op.Children[0].Data.String() == "1.3.6.1.4.1.1466.20037" {
			return "tls?"
		}
	case ldap.ApplicationUnbindRequest:
		return "unbind"
	}
	return strconv.Itoa(int(op.Tag))
}

func ldapMessage(id int64, op *ber.Packet) []byte {
	p := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
	p.AppendChild(op)
	return p.Bytes()
}

func ldapResult(id int64, tag ber.Tag, code int64, words string) []byte {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "")
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, code, ""))
	op.AppendChild(ldapString(""))
	op.AppendChild(ldapString(words))
	return ldapMessage(id, op)
}

func ldapEntry(id int64, name string) []byte {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultEntry, nil, "")
	op.AppendChild(ldapString(name))
	op.AppendChild(ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, ""))
	return ldapMessage(id, op)
}

func ldapString(s string) *ber.Packet {
	return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, s, "")
}

// ldapSay answers the last request, with the result's number and words, or with the name of an entry.
func ldapSay(text string) step {
	word, rest, _ := strings.Cut(text, " ")
	code, words, _ := strings.Cut(rest, " ")
	tags := map[string]ber.Tag{"bind": ldap.ApplicationBindResponse, "done": ldap.ApplicationSearchResultDone,
		"tls": ldap.ApplicationExtendedResponse}
	return func(c *client) bool {
		if word == "entry" {
			return raw(string(ldapEntry(int64(c.number), rest)))(c)
		}
		number, err := strconv.Atoi(code)
		if err != nil {
			c.t.Error(err)
		}
		return raw(string(ldapResult(int64(c.number), tags[word], int64(number), words)))(c)
	}
}

// ldapAwait reads a request of the check, and compares it.
func ldapAwait(want string) step {
	return func(c *client) bool {
		p, err := ber.ReadPacket(c.read)
		if err != nil {
			return c.compare("", want, err)
		}
		c.number = int(p.Children[0].Value.(int64))
		return c.compare(ldapOp(p.Children[1]), want, nil)
	}
}

func TestLDAPSSpeaksTLS(t *testing.T) {
	for name, version := range map[string]uint16{"TLS 1.0": tls.VersionTLS10, "TLS 1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			testkit.Leaks(t)
			config := upTo(t, version)
			asked := make(chan string, 2)
			server := serve(t, func(s *testServer, c net.Conn) {
				over := tls.Server(c, config)
				if err := over.Handshake(); err != nil {
					t.Error(err)
				}
				asked <- over.ConnectionState().ServerName
				directory{entry: "dc=example"}.treat(s, over)
			})
			s := goodLDAP
			s.Service, s.Target, s.Host = "ldaps", server.addr, "ldap.example.org:636"
			check := build(t, s, nil)
			for range 2 {
				if r := check.Check(t.Context()); !r.OK {
					t.Error(r.Detail)
				}
				testkit.Equal(t, <-asked, "ldap.example.org", "asked for")
			}
		})
	}
}

func TestRealSlapd(t *testing.T) {
	good, secure, pid := startSlapd(t)
	checkReal(t, "slapd", good, "{secure}", fmt.Sprint(secure), "{other}", newAuthority(t).file)
	checkStopped(t, pid, good, "down: login: timeout")
}

// startSlapd starts OpenLDAP with one entry, and returns its good check and its port for ldaps.
func startSlapd(t *testing.T) (good Spec, secure uint16, pid int) {
	t.Helper()
	slapd, slapadd := needProgram(t, "slapd", "slapd"), needProgram(t, "slapadd", "slapd")
	dir := serverDir(t)
	cert, key := writeCertificate(t, dir)
	config := writeFile(t, dir, "slapd.conf", `include /etc/ldap/schema/core.schema
pidfile `+dir+`/slapd.pid
argsfile `+dir+`/slapd.args
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCertificateFile `+cert+`
TLSCertificateKeyFile `+key+`
database mdb
maxsize 16777216
suffix "dc=example,dc=test"
rootdn "cn=admin,dc=example,dc=test"
rootpw secret
directory `+dir+`/db
`)
	testkit.OK(t, os.Mkdir(filepath.Join(dir, "db"), 0o700))
	tree := writeFile(t, dir, "tree.ldif",
		"dn: dc=example,dc=test\nobjectClass: dcObject\nobjectClass: organization\no: ex\ndc: example\n\n"+
			"dn: cn=alias,dc=example,dc=test\nobjectClass: alias\nobjectClass: extensibleObject\n"+
			"cn: alias\naliasedObjectName: dc=example,dc=test\n")
	testkit.Run(t, exec.CommandContext(t.Context(), slapadd, "-f", config, "-l", tree))
	port, secure := freePort(t), freePort(t)
	good = goodLDAP
	good.Target = loopback(port)
	urls := ""
	for _, host := range []string{"127.0.0.1", "[::1]"} {
		urls += fmt.Sprintf("ldap://%s:%d/ ldaps://%[1]s:%[3]d/ ", host, port, secure)
	}
	pid = realServer{path: slapd, args: []string{"-d", "0", "-h", urls, "-f", config},
		ready: accepts(port, secure)}.start(t)
	return good, secure, pid
}
