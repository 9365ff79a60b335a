package protocol

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"ldirectord/checker/wire"
)

// zone is a fake name server's answer: records, or a response code.
type zone struct {
	rcode   int
	records []string
	change  func(*dns.Msg)
}

func (z zone) answer(packet []byte) []byte {
	asked := new(dns.Msg)
	if err := asked.Unpack(packet); err != nil {
		panic(err)
	}
	m := new(dns.Msg).SetRcode(asked, z.rcode)
	for _, text := range z.records {
		rr, err := dns.NewRR(strings.Replace(text, "@", asked.Question[0].Name, 1))
		if err != nil {
			panic(err)
		}
		m.Answer = append(m.Answer, rr)
	}
	if z.change != nil {
		z.change(m)
	}
	packed, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return packed
}

// udp answers a packet, tcp a message on a connection.
func (z zone) udp(_ int, packet []byte, _ net.Addr) []string {
	return []string{string(z.answer(packet))}
}

func (z zone) tcp(c *client) bool {
	answer := z.answer(readDNS(c))
	c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
	return true
}

func readDNS(c *client) []byte {
	var length [2]byte
	io.ReadFull(c.read, length[:])
	packet := make([]byte, binary.BigEndian.Uint16(length[:]))
	io.ReadFull(c.read, packet)
	return packet
}

// heardDNS is a script that reads a question and then does the given steps.
func heardDNS(next ...step) []step {
	return append([]step{func(c *client) bool { readDNS(c); return true }}, next...)
}

func TestDNS(t *testing.T) {
	www := Spec{Service: "dns", Protocol: "udp", Request: "/www.example.org", Receive: `^192\.0\.2\.1`}
	reverse := Spec{Service: "dns", Protocol: "udp", Request: "/192.0.2.10", Receive: `^www\.example\.org$`}
	reverse6 := Spec{Service: "dns", Protocol: "udp", Request: "/2001:db8::10", Receive: "www"}
	good := zone{records: []string{"@ 60 IN CNAME web.example.org.", "web.example.org. 60 IN A 198.51.100.1", "web.example.org. 60 IN A 192.0.2.10"}}
	named := zone{records: []string{"@ 60 IN PTR www.example.org."}}
	fixed := func(text string) datagrams {
		return func(int, []byte, net.Addr) []string { return []string{text} }
	}
	checkDatagrams(t, []datagramCase{
		{name: "good", spec: www, server: good.udp, up: true, detail: "www.example.org is 192.0.2.10"},
		{name: "good over IPv6", spec: www, ipv6: true, server: good.udp, up: true, detail: "www.example.org is 192.0.2.10"},
		{name: "good name", spec: reverse, server: named.udp, up: true, detail: "10.2.0.192.in-addr.arpa is www.example.org"},
		{name: "good name of an IPv6 address", spec: reverse6, server: named.udp, up: true,
			detail: "0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa is www.example.org"},
		{name: "the first packet is lost", spec: www, server: func(n int, packet []byte, from net.Addr) []string {
			if n == 0 {
				return nil
			}
			return good.udp(n, packet, from)
		}, up: true, detail: "www.example.org is 192.0.2.10"},
		{name: "an answer to another comes first", spec: www, server: func(n int, packet []byte, from net.Addr) []string {
			other := zone{change: func(m *dns.Msg) { m.Id++ }}
			return append(other.udp(n, packet, from), good.udp(n, packet, from)...)
		}, up: true, detail: "www.example.org is 192.0.2.10"},
		{name: "wrong answer", spec: www, server: zone{records: []string{"@ 60 IN A 198.51.100.1", "@ 60 IN A 198.51.100.2"}}.udp,
			detail: `www.example.org does not match /^192\.0\.2\.1/: got 198.51.100.1, 198.51.100.2`},
		{name: "wrong name", spec: reverse, server: zone{records: []string{"@ 60 IN PTR xwww.example.org."}}.udp,
			detail: `10.2.0.192.in-addr.arpa does not match /^www\.example\.org$/: got xwww.example.org`},
		{name: "no such name", spec: www, server: zone{rcode: dns.RcodeNameError}.udp, detail: "NXDOMAIN for www.example.org"},
		{name: "server failure", spec: www, server: zone{rcode: dns.RcodeServerFailure}.udp, detail: "SERVFAIL for www.example.org"},
		{name: "refuses to answer", spec: www, server: zone{rcode: dns.RcodeRefused}.udp, detail: "REFUSED for www.example.org"},
		{name: "unheard-of response code", spec: www, server: zone{rcode: 15}.udp, detail: "rcode 15 for www.example.org"},
		{name: "records of another kind", spec: www, server: zone{records: []string{"@ 60 IN AAAA 2001:db8::1", `@ 60 IN TXT "192.0.2.1"`}}.udp, detail: "no A record for www.example.org"},
		{name: "no records", spec: reverse, server: zone{}.udp, detail: "no PTR record for 10.2.0.192.in-addr.arpa"},
		{name: "another protocol", spec: www, server: fixed("HTTP/1.1 400 Bad Request\r\n"), detail: `not DNS: "HTTP/1.1 400 Bad Request\r\n"`},
		{name: "nothing in it", spec: www, server: fixed(""), detail: `not DNS: ""`},
		{name: "echo", spec: www, server: func(_ int, packet []byte, _ net.Addr) []string { return []string{string(packet)} }, late: true, detail: "no answer in 400ms, but other datagrams"},
		{name: "answers to another question only", spec: www, server: zone{change: func(m *dns.Msg) { m.Question[0].Name = "www.example.net." }}.udp, late: true, detail: "no answer in 400ms, but other datagrams"},
		{name: "silent", spec: www, server: func(int, []byte, net.Addr) []string { return nil }, late: true, detail: "no answer in 400ms"},
		{name: "refused", spec: www, detail: "udp: refused"},
		{name: "refused over IPv6", spec: www, ipv6: true, detail: "udp: refused"},
		{name: "cut off, and no TCP", spec: www, server: zone{change: func(m *dns.Msg) { m.Truncated = true }}.udp, detail: "connect: refused"},
		{name: "no request", spec: Spec{Service: "dns", Request: "/", Receive: "x"}, detail: "request names nothing to look up"},
		{name: "no receive", spec: Spec{Service: "dns", Request: "/www.example.org"}, detail: "receive is empty: no answer can match it"},
		{name: "no domain name", spec: Spec{Service: "dns", Request: "/www..example\x1b", Receive: "x"}, detail: `request: www..example\x1b is not a domain name`},
	})
}

// Parsing a datagram of thousands of long names costs a hundred times as much as sending it.
func TestDNSAnswersToOthersAreNotReadFurther(t *testing.T) {
	asked := new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA)
	bomb := asked.Copy()
	bomb.Response, bomb.Compress = true, true
	long := strings.TrimSuffix(strings.Repeat(strings.Repeat("x", 62)+".", 4), "x.")[:250] + "."
	for range 4000 {
		bomb.Answer = append(bomb.Answer, &dns.CNAME{Hdr: dns.RR_Header{Name: long, Rrtype: dns.TypeCNAME, Class: dns.ClassINET}, Target: long})
	}
	raw, err := bomb.Pack()
	if err != nil || len(raw) < 30000 {
		t.Fatal(len(raw), err)
	}
	if m, err := parseDNS(raw, asked); err != nil || len(m.Answer) != 4000 {
		t.Fatalf("the answer itself: %v", err)
	}
	for name, change := range map[string]func(m []byte){
		"another id":       func(m []byte) { m[0] ^= 1 },
		"no answer":        func(m []byte) { m[2] &^= 0x80 },
		"another question": func(m []byte) { m[13] ^= 1 },
	} {
		raw := bytes.Clone(raw)
		change(raw)
		allocations := testing.AllocsPerRun(10, func() { _, err = parseDNS(raw, asked) })
		if err != wire.ErrNotYet || allocations > 10 {
			t.Errorf("%s: %v, %v allocations", name, err, allocations)
		}
	}
}

func TestDNSRecordTypes(t *testing.T) {
	ask := func(kind, receive string) Spec {
		return Spec{Service: "dns", Protocol: "udp", Request: "/example.org", Receive: receive, DNSType: kind}
	}
	of := func(records ...string) datagrams { return zone{records: records}.udp }
	bare := func(kind uint16) datagrams {
		return zone{change: func(m *dns.Msg) {
			m.Answer = []dns.RR{&dns.RFC3597{Hdr: dns.RR_Header{Name: "example.org.", Rrtype: kind, Class: dns.ClassINET}}}
		}}.udp
	}
	checkDatagrams(t, []datagramCase{
		{name: "A", spec: ask("A", ""), server: of("@ 60 IN A 192.0.2.10"), up: true, detail: "example.org is 192.0.2.10"},
		{name: "AAAA", spec: ask("AAAA", "^2001:db8::"), server: of("@ 60 IN A 192.0.2.10", "@ 60 IN AAAA 2001:db8::10"), up: true, detail: "example.org is 2001:db8::10"},
		{name: "MX", spec: ask("MX", `^10 mx\.example\.org$`), server: of("@ 60 IN MX 10 mx.example.org."), up: true, detail: "example.org is 10 mx.example.org"},
		{name: "NS", spec: ask("NS", "^ns1"), server: of("@ 60 IN NS ns.example.org.", "@ 60 IN NS ns1.example.org."), up: true, detail: "example.org is ns1.example.org"},
		{name: "TXT", spec: ask("TXT", "^v=spf1 -all$"), server: of(`@ 60 IN TXT "v=spf1 " "-all"`), up: true, detail: "example.org is v=spf1 -all"},
		{name: "SOA", spec: ask("SOA", " 42 "), server: of("@ 60 IN SOA ns.example.org. hm.example.org. 42 1 2 3 4"), up: true, detail: "example.org is ns.example.org hm.example.org 42 1 2 3 4"},
		{name: "CNAME", spec: ask("CNAME", "^web"), server: of("@ 60 IN CNAME web.example.org.", "web.example.org. 60 IN A 192.0.2.10"), up: true, detail: "example.org is web.example.org"},
		{name: "SRV", spec: ask("SRV", "sip"), server: of("@ 60 IN SRV 0 5 5060 sip.example.org."), up: true, detail: "example.org is 0 5 5060 sip.example.org"},
		{name: "PTR of a name", spec: ask("PTR", "www"), server: of("@ 60 IN PTR www.example.org."), up: true, detail: "example.org is www.example.org"},
		{name: "PTR of an address", spec: Spec{Service: "dns", Protocol: "udp", Request: "/192.0.2.10", DNSType: "PTR"}, server: of("@ 60 IN PTR www.example.org."), up: true, detail: "10.2.0.192.in-addr.arpa is www.example.org"},
		{name: "no record of the type", spec: ask("AAAA", ""), server: of("@ 60 IN A 192.0.2.10"), detail: "no AAAA record for example.org"},
		{name: "empty record", spec: ask("AAAA", ""), server: bare(dns.TypeAAAA), detail: "no AAAA record for example.org"},
		{name: "wrong record", spec: ask("MX", "^20 "), server: of("@ 60 IN MX 10 mx.example.org."), detail: "example.org does not match /^20 /: got 10 mx.example.org"},
		{name: "control character", spec: ask("TXT", "x"), server: of(`@ 60 IN TXT "\027[2J"`), detail: `example.org does not match /x/: got \027[2J`},
		{name: "no such name", spec: ask("MX", ""), server: zone{rcode: dns.RcodeNameError}.udp, detail: "NXDOMAIN for example.org"},
	})
}

func TestDNSAnswerCodes(t *testing.T) {
	ask := func(code, receive string) Spec {
		return Spec{Service: "dns", Protocol: "udp", Request: "/example.org", Receive: receive, DNSRcode: code}
	}
	says := func(code int) datagrams { return zone{rcode: code}.udp }
	checkDatagrams(t, []datagramCase{
		{name: "refused, as wanted", spec: ask("REFUSED", ""), server: says(dns.RcodeRefused), up: true, detail: "REFUSED for example.org"},
		{name: "no such name, as wanted", spec: ask("NXDOMAIN", ""), ipv6: true, server: says(dns.RcodeNameError), up: true, detail: "NXDOMAIN for example.org"},
		{name: "failure, as wanted", spec: ask("SERVFAIL", ""), server: says(dns.RcodeServerFailure), up: true, detail: "SERVFAIL for example.org"},
		{name: "not its zone, as wanted", spec: ask("NOTAUTH", ""), server: says(dns.RcodeNotAuth), up: true, detail: "NOTAUTH for example.org"},
		{name: "no error is enough", spec: ask("NOERROR", ""), server: says(dns.RcodeSuccess), up: true, detail: "NOERROR for example.org"},
		{name: "no error, and a record", spec: ask("NOERROR", "192"), server: zone{records: []string{"@ 60 IN A 192.0.2.10"}}.udp, up: true, detail: "example.org is 192.0.2.10"},
		{name: "no error, but no record", spec: ask("NOERROR", "192"), server: says(dns.RcodeSuccess), detail: "no A record for example.org"},
		{name: "another code", spec: ask("NXDOMAIN", ""), server: says(dns.RcodeSuccess), detail: "NOERROR for example.org, want NXDOMAIN"},
		{name: "an error", spec: ask("NOERROR", ""), server: says(dns.RcodeRefused), detail: "REFUSED for example.org"},
		{name: "silent", spec: ask("REFUSED", ""), server: func(int, []byte, net.Addr) []string { return nil }, late: true, detail: "no answer in 400ms"},
	})
}

// Checks know every record type and response code that the parser accepts.
func TestDNSKnowsTheWordsOfTheParser(t *testing.T) {
	for _, kind := range []string{"A", "AAAA", "MX", "NS", "TXT", "SOA", "CNAME", "PTR", "SRV"} {
		made, _ := newNegotiate(Spec{Service: "dns", Request: "/example.org", DNSType: kind}, &Env{})
		if c := made.(*dnsCheck); dns.TypeToString[c.asked.Qtype] != kind {
			t.Errorf("%s asks for %s", kind, dns.TypeToString[c.asked.Qtype])
		}
	}
	for _, code := range []string{"NOERROR", "NXDOMAIN", "REFUSED", "SERVFAIL", "NOTAUTH"} {
		made, _ := newNegotiate(Spec{Service: "dns", Request: "/example.org", DNSRcode: code}, &Env{})
		if c := made.(*dnsCheck); rcodeName(c.rcode) != code {
			t.Errorf("%s expects %s", code, rcodeName(c.rcode))
		}
	}
}

func TestDNSOverTCP(t *testing.T) {
	www := Spec{Service: "dns", Protocol: "tcp", Request: "/www.example.org", Receive: "192"}
	good := zone{records: []string{"@ 60 IN A 192.0.2.10"}}
	checkFakes(t, []fakeCase{
		{name: "good", spec: www, server: []step{good.tcp}, up: true, detail: "www.example.org is 192.0.2.10"},
		{name: "good over IPv6", spec: www, ipv6: true, server: []step{good.tcp}, up: true, detail: "www.example.org is 192.0.2.10"},
		{name: "no such name", spec: www, server: []step{zone{rcode: dns.RcodeNameError}.tcp}, detail: "NXDOMAIN for www.example.org"},
		{name: "answer to another question", spec: www, server: []step{zone{change: func(m *dns.Msg) { m.Id++ }}.tcp}, detail: "not an answer to our question"},
		{name: "refused", spec: www, detail: "connect: refused"},
		{name: "refused over IPv6", spec: www, ipv6: true, detail: "connect: refused"},
		{name: "silent", spec: www, server: []step{silent}, late: true, detail: "no answer in 400ms"},
		{name: "silent in the middle", spec: www, server: heardDNS(raw("\x00\x40ab"), silent), late: true, detail: "timeout in the answer"},
		{name: "slow drip", spec: www, server: heardDNS(drip("\x00\x40abcdefghijklm")), late: true, detail: "timeout in the answer"},
		{name: "closed without an answer", spec: www, server: heardDNS(), detail: "connection closed without an answer"},
		{name: "closed in the middle", spec: www, server: heardDNS(raw("\x00\x40ab")), detail: "connection closed in the answer"},
		{name: "reset", spec: www, server: heardDNS(reset), detail: "connection reset in the answer"},
		{name: "another protocol", spec: www, server: heardDNS(raw("\x00\x04ab\x1b!")), detail: `not DNS: "ab\x1b!"`},
		{name: "endless", spec: www, server: heardDNS(endless("HTTP/1.1 400 Bad Request ")), detail: `not DNS: "TP/1.1 400 Bad Request HTTP/1.1 400 Bad Request HTTP/1.1 400"…`},
	})
}
