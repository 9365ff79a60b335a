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

// directory is a server that answers bind and search as a test sets it.
type directory struct {
	user, passwd string // none: anonymous
	bind, search ldapSays
	entries      []string
}

// ldapSays is a result code and its message.
type ldapSays struct {
	code  int64
	words string
}

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
			c.Write(d.bindAnswer(id, op))
		case ldap.ApplicationSearchRequest:
			for _, name := range d.entries {
				c.Write(ldapEntry(id, name))
			}
			c.Write(ldapResult(id, ldap.ApplicationSearchResultDone, d.search))
		}
	}
}

func (d directory) bindAnswer(id int64, op *ber.Packet) []byte {
	if d.bind.code == 0 && (op.Children[1].Value != d.user || op.Children[2].Data.String() != d.passwd) {
		return ldapResult(id, ldap.ApplicationBindResponse, ldapSays{code: ldap.LDAPResultInvalidCredentials})
	}
	return ldapResult(id, ldap.ApplicationBindResponse, d.bind)
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
		return "bind " + op.Children[1].Value.(string)
	case ldap.ApplicationSearchRequest:
		filter, _ := ldap.DecompileFilter(op.Children[6])
		return "search " + op.Children[0].Value.(string) + " " +
			ldap.ScopeMap[int(op.Children[1].Value.(int64))] + " " + filter
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

func ldapResult(id int64, tag ber.Tag, says ldapSays) []byte {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "")
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, says.code, ""))
	op.AppendChild(ldapString(""))
	op.AppendChild(ldapString(says.words))
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

// afterBind accepts the bind and then calls a function of the test.
func afterBind(then func(*testServer, net.Conn)) func(*testServer, net.Conn) {
	return func(s *testServer, c net.Conn) {
		ber.ReadPacket(c)
		c.Write(ldapResult(1, ldap.ApplicationBindResponse, ldapSays{}))
		ber.ReadPacket(c)
		then(s, c)
	}
}

func TestLDAP(t *testing.T) {
	one := []string{"dc=example,dc=test"}
	login := as("cn=admin", "secret")
	checkScenes(t, goodLDAP, []scene{
		{"good", directory{entries: one}.treat, nil, `up: entry "dc=example,dc=test"`},
		{"good login", directory{user: "cn=admin", passwd: "secret", entries: one}.treat, login,
			`up: entry "dc=example,dc=test"`},
		{"login without password is anonymous", directory{entries: one}.treat,
			loginOf("cn=admin"), `up: entry "dc=example,dc=test"`},
		{"no receive", directory{entries: one}.treat, receiving(""), `up: entry "dc=example,dc=test"`},
		{"root of the directory", directory{entries: []string{""}}.treat,
			func(s *Spec) { s.Request, s.Receive = "/", "" }, `up: entry ""`},
		{"wrong login", directory{user: "cn=admin", passwd: "other"}.treat, login,
			"down: login rejected: invalid credentials"},
		{"login refused with words", directory{bind: ldapSays{53, "no\nanonymous\x1b"}}.treat, nil,
			`down: login rejected: unwilling to perform: no\nanonymous\x1b`},
		{"unknown result", directory{bind: ldapSays{code: 99}}.treat, nil, "down: login rejected: result 99"},
		{"wrong base", directory{search: ldapSays{code: ldap.LDAPResultNoSuchObject}}.treat, nil,
			`down: search of "dc=example,dc=test": no such object`},
		{"no entry", directory{}.treat, nil, `down: search of "dc=example,dc=test": no entry`},
		{"two entries", directory{entries: []string{"dc=example", "dc=example,dc=test"}}.treat, nil,
			`down: search of "dc=example,dc=test": 2 entries`},
		{"wrong entry", directory{entries: []string{"dc=\nother"}}.treat, nil,
			`down: the entry's name does not match /dc=example/: got "dc=\nother"`},
		{"closed at once", closing, nil, "down: login: closed by the server"},
		{"closed after login", afterBind(closing), nil, "down: search: closed by the server"},
		{"another protocol", heedless("SSH-2.0-OpenSSH_9.2\r\n"), nil,
			`down: login: this is not LDAP: got "SSH-2."`},
		{"short sequence", heedless("0\x0300000"), nil, `down: login: this is not LDAP: got "0\x030000"`},
		{"endless length", heedless("0\x80\x00\x00\x00\x00"), nil,
			`down: login: this is not LDAP: got "0\x80\x00\x00\x00\x00"`},
		{"huge length", heedless("0\x84\x7f\xff\xff\xff"), nil, "down: login: the answer is too long"},
		{"length of eight bytes", heedless("0\x88\x7f\xff\xff\xff\xff"), nil,
			`down: login: this is not LDAP: got "0\x88\x7f\xff\xff\xff"`},
		{"sequence of nonsense", heedless("0\x0dabcdefghijklmn"), soon, "down: login: timeout"},
		{"slow drip", trickle(string(ldapResult(1, ldap.ApplicationBindResponse,
			ldapSays{words: strings.Repeat("x", 100)}))), soon, "down: login: timeout"},
		{"answers forever", afterBind(func(_ *testServer, c net.Conn) { chatter(c, ldapEntry(2, "dc=x")) }),
			nil, "down: search: the answer is too long"},
		{"packets forever", afterBind(func(_ *testServer, c net.Conn) {
			chatter(c, append([]byte{0x30, 0x82, 0x7f, 0xfc}, strings.Repeat("\x05\x00", 0x3ffe)...))
		}), nil, "down: search: the answer is too long"},
	})
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
				directory{entries: []string{"dc=example"}}.treat(s, over)
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
		"dn: dc=example,dc=test\nobjectClass: dcObject\nobjectClass: organization\no: ex\ndc: example\n")
	if said, err := exec.CommandContext(t.Context(), slapadd, "-f", config, "-l",
		tree).CombinedOutput(); err != nil {
		t.Fatalf("slapadd: %v: %s", err, said)
	}
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
