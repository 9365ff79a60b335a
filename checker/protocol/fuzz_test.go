package protocol

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/miekg/dns"

	"ldirectord/checker"
	"ldirectord/checker/seal"
	"ldirectord/checker/settings"
	"ldirectord/checker/wire"
	"ldirectord/internal/testkit"
)

// Each target feeds one parser of servers' answers. Whatever a server sends, nothing panics except libraries that are
// known to, the message is printable, and time and memory stay within their limits. FuzzTalk in talk_test.go has the
// protocols of lines.

func (s said) Close() error                     { return nil }
func (s said) SetReadDeadline(time.Time) error  { return nil }
func (s said) SetWriteDeadline(time.Time) error { return nil }
func (s said) RemoteAddr() net.Addr             { return &net.TCPAddr{} }

// maxFuzzTime is how long a few kilobytes may keep a check busy, on a machine that does other things as well.
const maxFuzzTime = 3 * time.Second

// maxGoroutines is more than a target ever has, including those that are about to end.
const maxGoroutines = 200

// fuzzing looks at what one answer caused: time, goroutines and the message.
type fuzzing struct {
	*testing.T
	begin time.Time
}

func fuzz(t *testing.T) fuzzing {
	f := fuzzing{t, time.Now()}
	t.Cleanup(func() {
		if took := time.Since(f.begin); took > maxFuzzTime {
			t.Errorf("took %v", took)
		}
		// On a busy machine many of them may be about to end.
		for end := time.Now().Add(maxFuzzTime); runtime.NumGoroutine() > maxGoroutines; time.Sleep(
			time.Millisecond) {
			if time.Now().After(end) {
				stacks := make([]byte, 1<<20)
				t.Fatalf("%d goroutines: checks leak some:\n%s", runtime.NumGoroutine(),
					stacks[:runtime.Stack(stacks, true)])
			}
		}
	})
	return f
}

// maxMessage bounds a message, in bytes. Some parts of it are excerpts in which every byte is escaped.
const maxMessage = 2 << 10

func (f fuzzing) message(text string) {
	f.Helper()
	if len(text) > maxMessage {
		f.Errorf("a message of %d bytes: %q", len(text), text)
	}
	for _, r := range text {
		if !strconv.IsPrint(r) {
			f.Errorf("%q holds what can't be printed", text)
		}
	}
}

func (f fuzzing) fails(err error) {
	f.Helper()
	if err != nil && err != wire.ErrNotYet {
		f.message(err.Error())
	}
}

func (f fuzzing) result(r Result) {
	f.Helper()
	f.message(r.Detail)
	f.message(r.Warning)
	if len(r.Body) > checker.MaxBody {
		f.Errorf("%d bytes are kept of what was said", len(r.Body))
	}
}

func FuzzHTTP(f *testing.F) {
	for _, text := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n0\r\n" +
			"\r\n",
		"HTTP/1.0 302\r\nLocation: http://a:99999/%zz\r\n b\r\n\r\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		check := fuzz(t)
		r := answerReader{timeout: time.Second, in: bufio.NewReaderSize(nil, 64),
			beginning: beginning{ctx: t.Context(), limits: NewMatching()}}
		r.reset(havingSaid(bytes.NewReader(text)))
		a, err := r.answer()
		if err != nil {
			check.fails(err)
			return
		}
		check.fails(r.readBody(&a))
		if len(a.body) > maxText {
			t.Errorf("%d bytes of body", len(a.body))
		}
		check.message(a.statusLine())
		u, err := wire.ParseURL(a.location)
		if err != nil {
			return
		}
		check.fails(checkURL(u))
		check.message(showURL(u))
		if request := requestBytes("GET", u.RequestURI(), u.Host, nil, ""); bytes.Count(request,
			[]byte("\n")) != 5 {
			t.Errorf("a Location makes lines of the request: %q", request)
		}
	})
}

func FuzzDNS(f *testing.F) {
	question := testkit.Must(lookup("a.b", 0))(f)
	asked := &dns.Msg{MsgHdr: dns.MsgHdr{Id: 0x3030}, Question: []dns.Question{question}}
	for _, record := range []string{"a.b. 1 IN A 1.2.3.4", `a.b. 1 IN TXT "x"`, "a.b. 1 IN MX 1 c.d.",
		"a.b. 1 IN SOA a. b. 1 2 3 4 5", "a.b. 1 IN SVCB 1 . alpn=h2", "a.b. 1 IN SRV 1 2 3 x."} {
		rr := testkit.Must(dns.NewRR(record))(f)
		answer := asked.Copy()
		answer.Response, answer.Answer = true, []dns.RR{rr}
		raw := testkit.Must(answer.Pack())(f)
		f.Add(raw)
	}
	var checks []*dnsCheck
	for _, kind := range []uint16{dns.TypeA, dns.TypeMX, dns.TypeTXT, dns.TypeSOA, dns.TypeCNAME, dns.TypeSRV,
		dns.TypeSVCB} {
		checks = append(checks, &dnsCheck{server: server{timeout: time.Second},
			asked: dns.Question{Name: "a.b.", Qtype: kind, Qclass: 1}, receive: pattern(f, "x")})
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		check := fuzz(t)
		m, err := parseDNS(text, asked)
		if err != nil {
			check.fails(err)
			return
		}
		for _, c := range checks {
			seen, err := c.judge(t.Context(), m)
			check.fails(err)
			check.message(seen)
		}
	})
}

func pattern(t testing.TB, text string) *matcher {
	t.Helper()
	return testkit.Must((&Env{}).matcher("receive", text))(t)
}

func FuzzLDAP(f *testing.F) {
	f.Add([]byte("0\x0c\x02\x01\x01a\x07\x0a\x01\x00\x04\x00\x04\x00" +
		"0\x25\x02\x01\x02d \x04\x0cdc=a,dc=test0\x10\x300\x0e\x04\x01a1\x09\x04\x07abcdefg" +
		"0\x0c\x02\x01\x02e\x07\x0a\x01\x00\x04\x00\x04\x00"))
	f.Add([]byte("0\x84\x00\x00\x00\x10\x02\x01\x01a\x84\x00\x00\x00\x07\x0a\x01\x31\x04\x00\x04\x01x"))
	receive := pattern(f, "x")
	f.Fuzz(func(t *testing.T, text []byte) {
		check := fuzz(t)
		d := dialogueOf(string(text))
		d.terms, d.ctx = terms{asks: "/dc=a", receive: receive}, t.Context()
		_, err := ldapTalk(d)
		check.fails(err)
		check.fails(judgeStartTLS(text))
	})
}

// unplugged is a check on a connection that is there already. Database drivers panic over some answers: then the
// check fails.
type unplugged struct {
	protocol
	d *dialogue
}

func (u unplugged) Check(ctx context.Context) Result {
	u.d.ctx = ctx
	seen, err := u.protocol(u.d)
	return concluded(seen, err)
}

func FuzzMySQL(f *testing.F) {
	f.Add([]byte(myPackets(0, myHandshake) + myPackets(2, myOK) +
		myPackets(1, myFound...)))
	f.Add([]byte(myPackets(0, myHandshake) + myPackets(2, "\xfecaching_sha2_password\x00"+mySeed+"\x00") +
		myPackets(4, "\x01\x04") + myPackets(6, "\x01-----BEGIN PUBLIC KEY-----")))
	f.Add([]byte(myPackets(0, "\xff\x01\x00#08S01x")))
	f.Fuzz(func(t *testing.T, text []byte) {
		made, _ := newMySQL(Spec{Service: "mysql",
			Account: settings.Account{Login: "u", Passwd: "p", Database: "d"}, Target: loopback(1),
			NegotiateTimeout: time.Second}, &Env{}, "select 1")
		c := unplugged{made.(*mysqlTalk).protocol, dialogueOf(string(text))}
		r := seal.New(c, Spec{}, new(seal.Secrets)).Check(t.Context())
		fuzz(t).result(r)
		if strings.Contains(r.Warning, ".logIn ") {
			t.Errorf("a goroutine of the driver never ends: %s: %s", r.Detail, r.Warning)
		}
	})
}

func FuzzPgSQL(f *testing.F) {
	f.Add(pgBytes(append(pgLetIn, pgRows, pgRow, pgDone("SELECT 1"), pgReady)...))
	f.Add([]byte("R\x00\x00\x00\x17\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00" +
		"R\x00\x00\x00\x17\x00\x00\x00\x0br=x,s=YQ,i=1"))
	f.Add([]byte("E\x00\x00\x00\x14SFATAL\x00C28000\x00Mx\x00\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		check := fuzz(t)
		made, _ := newPgSQL(Spec{Service: "pgsql", Account: settings.Account{Login: "u", Passwd: "p"}},
			&Env{}, "select 1")
		c := made.(*pgsqlCheck)
		server := wire.NewLibConn(&dialogueOf(string(text)).Dialogue, maxSQL, 5, pgsqlLengths())
		front := pgproto3.NewFrontend(server, server)
		err := c.logIn(front, false)
		if err == nil {
			_, _, err = c.countRows(front)
		}
		if err != nil {
			check.fails(server.Fault(wire.LoginStep, err))
		}
	})
}

// FuzzGRPC feeds the call with what a server sends once it was asked, over HTTP/2.
func FuzzGRPC(f *testing.F) {
	const hello = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	const head = "\x00\x00\x01\x01\x04\x00\x00\x00\x01\x88" // status 200
	const status = "\x00\x0bgrpc-status\x01"
	f.Add([]byte(hello + head + "\x00\x00\x07\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x02\x08\x01" +
		"\x00\x00\x0f\x01\x05\x00\x00\x00\x01" + status + "0"))
	f.Add([]byte(hello + "\x00\x00\x10\x01\x05\x00\x00\x00\x01\x88" + status + "5"))
	f.Add([]byte(hello + "\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x07"))
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		check := fuzz(t)
		conn := havingSaid(nil)
		conn.Deadline = time.Now().Add(time.Second)
		said := &saysAfter{said: said{Reader: bytes.NewReader(text)}, asked: make(chan struct{})}
		raw := &noting{Conn: said, in: wire.Bounded{From: said, Left: maxGRPCTalk}}
		conn.Conn = raw
		seen, err := (&grpc{server: server{target: loopback(1)}, host: "a"}).ask(t.Context(), conn, raw)
		check.result(concluded(seen, err))
	})
}

// saysAfter is a server that sends nothing before it has the request, which the client writes second.
type saysAfter struct {
	said
	writes atomic.Int32
	asked  chan struct{}
}

func (s *saysAfter) Write(p []byte) (int, error) {
	if s.writes.Add(1) == 2 {
		close(s.asked)
	}
	return len(p), nil
}

func (s *saysAfter) Read(p []byte) (int, error) {
	<-s.asked
	return s.said.Read(p)
}

// FuzzDatagrams feeds the checks of RADIUS and SIP with answers.
func FuzzDatagrams(f *testing.F) {
	f.Add([]byte("\x02\x00\x00\x14aaaaaaaaaaaaaaaa"))
	f.Add([]byte("SIP/2.0 200 OK\r\nCall-ID: x\r\n\r\n"))
	made, _ := newRADIUS(Spec{Account: settings.Account{Secret: "s", Login: "u", Passwd: "p"},
		NegotiateTimeout: time.Second}, nil, nil)
	radius := made.(*radiusCheck)
	request := testkit.Must(radius.request())(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		check := fuzz(t)
		check.fails(judgeSIP(string(text)))
		callID(string(text))
		if len(text) > 1 {
			text[1] = request[1]
		}
		answer, err := radius.parse(text, request)
		check.fails(err)
		if err == nil {
			check.fails(radius.rejected(answer))
		}
	})
}

// FuzzOraclePackets: the program gets what the server sends, in whole headers, and no more than is allowed.
func FuzzOraclePackets(f *testing.F) {
	f.Add([]byte(tnsAccepted(319) + "\x00\x00\x00\x0a\x06\x00\x00\x00ab"))
	f.Add([]byte(tnsAccepted(314)[:9]))
	f.Add([]byte(tns(6, "ab") + "\x00\x07\x00\x00\x06\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		server := wire.NewLibConn(&dialogueOf(string(text)).Dialogue, maxSQL, oracleHeader, nil)
		server.Length = oracleLengths(server.In)
		got, err := io.ReadAll(server)
		if !bytes.HasPrefix(text, got) || len(got) > maxSQL {
			t.Errorf("got %q of %q", got, text)
		}
		fuzz(t).fails(err)
	})
}
