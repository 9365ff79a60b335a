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
func heardDNS(next ...step) script {
	return append(script{func(c *client) bool { readDNS(c); return true }}, next...)
}

func TestDNS(t *testing.T) {
	www := Spec{Service: "dns", Protocol: "udp", Request: "/www.example.org", Receive: `^192\.0\.2\.1`}
	reverse := Spec{Service: "dns", Protocol: "udp", Request: "/192.0.2.10", Receive: `^www\.example\.org$`}
	reverse6 := Spec{Service: "dns", Protocol: "udp", Request: "/2001:db8::10", Receive: "www"}
	good := zone{records: []string{"@ 60 IN CNAME web.example.org.", "web.example.org. 60 IN A 198.51.100.1",
		"web.example.org. 60 IN A 192.0.2.10"}}
	named := zone{records: []string{"@ 60 IN PTR www.example.org."}}
	fixed := func(text string) datagrams {
		return func(int, []byte, net.Addr) []string { return []string{text} }
	}
	checkDatagrams(t, []datagramCase{
		{"good", www, good.udp, "up: www.example.org is 192.0.2.10"},
		{"good name", reverse, named.udp, "up: 10.2.0.192.in-addr.arpa is www.example.org"},
		{"good name of an IPv6 address", reverse6, named.udp,
			"up: 0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa " +
				"is www.example.org"},
		{"the first packet is lost", www, func(n int, packet []byte, from net.Addr) []string {
			if n == 0 {
				return nil
			}
			return good.udp(n, packet, from)
		}, "up: www.example.org is 192.0.2.10"},
		{"an answer to another comes first", www, func(n int, packet []byte, from net.Addr) []string {
			other := zone{change: func(m *dns.Msg) { m.Id++ }}
			return append(other.udp(n, packet, from), good.udp(n, packet, from)...)
		}, "up: www.example.org is 192.0.2.10"},
		{"wrong answer", www, zone{records: []string{"@ 60 IN A 198.51.100.1", "@ 60 IN A 198.51.100.2"}}.udp,
			`down: www.example.org does not match /^192\.0\.2\.1/: got 198.51.100.1, 198.51.100.2`},
		{"wrong name", reverse, zone{records: []string{"@ 60 IN PTR xwww.example.org."}}.udp,
			`down: 10.2.0.192.in-addr.arpa does not match /^www\.example\.org$/: got xwww.example.org`},
		{"no such name", www, zone{rcode: dns.RcodeNameError}.udp, "down: NXDOMAIN for www.example.org"},
		{"server failure", www, zone{rcode: dns.RcodeServerFailure}.udp, "down: SERVFAIL for www.example.org"},
		{"refuses to answer", www, zone{rcode: dns.RcodeRefused}.udp, "down: REFUSED for www.example.org"},
		{"unheard-of response code", www, zone{rcode: 15}.udp, "down: rcode 15 for www.example.org"},
		{"records of another kind", www,
			zone{records: []string{"@ 60 IN AAAA 2001:db8::1", `@ 60 IN TXT "192.0.2.1"`}}.udp,
			"down: no A record for www.example.org"},
		{"no records", reverse, zone{}.udp, "down: no PTR record for 10.2.0.192.in-addr.arpa"},
		{"another protocol", www, fixed("HTTP/1.1 400 Bad Request\r\n"),
			`down: not DNS: "HTTP/1.1 400 Bad Request\r\n"`},
		{"nothing in it", www, fixed(""), `down: not DNS: ""`},
		{"echo", late(www),
			func(_ int, packet []byte, _ net.Addr) []string { return []string{string(packet)} },
			"down: no answer in 400ms, but other datagrams"},
		{"answers to another question only", late(www),
			zone{change: func(m *dns.Msg) { m.Question[0].Name = "www.example.net." }}.udp,
			"down: no answer in 400ms, but other datagrams"},
		{"cut off, and no TCP", www, zone{change: func(m *dns.Msg) { m.Truncated = true }}.udp,
			"down: connect: refused"},
		{"no request", Spec{Service: "dns", Request: "/", Receive: "x"}, nil,
			"down: request names nothing to look up"},
		{"no receive", Spec{Service: "dns", Request: "/www.example.org"}, nil,
			"down: receive is empty: no answer can match it"},
		{"no domain name", Spec{Service: "dns", Request: "/www..example\x1b", Receive: "x"}, nil,
			`down: request: www..example\x1b is not a domain name`},
	})
}

// Parsing a datagram of thousands of long names costs a hundred times as much as sending it.
func TestDNSAnswersToOthersAreNotReadFurther(t *testing.T) {
	asked := new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA)
	bomb := asked.Copy()
	bomb.Response, bomb.Compress = true, true
	long := strings.TrimSuffix(strings.Repeat(strings.Repeat("x", 62)+".", 4), "x.")[:250] + "."
	for range 4000 {
		bomb.Answer = append(bomb.Answer, &dns.CNAME{
			Hdr: dns.RR_Header{Name: long, Rrtype: dns.TypeCNAME, Class: dns.ClassINET}, Target: long})
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
			m.Answer = []dns.RR{&dns.RFC3597{
				Hdr: dns.RR_Header{Name: "example.org.", Rrtype: kind, Class: dns.ClassINET}}}
		}}.udp
	}
	checkDatagrams(t, []datagramCase{
		{"A", ask("A", ""), of("@ 60 IN A 192.0.2.10"), "up: example.org is 192.0.2.10"},
		{"AAAA", ask("AAAA", "^2001:db8::"), of("@ 60 IN A 192.0.2.10", "@ 60 IN AAAA 2001:db8::10"),
			"up: example.org is 2001:db8::10"},
		{"MX", ask("MX", `^10 mx\.example\.org$`), of("@ 60 IN MX 10 mx.example.org."),
			"up: example.org is 10 mx.example.org"},
		{"NS", ask("NS", "^ns1"), of("@ 60 IN NS ns.example.org.", "@ 60 IN NS ns1.example.org."),
			"up: example.org is ns1.example.org"},
		{"TXT", ask("TXT", "^v=spf1 -all$"), of(`@ 60 IN TXT "v=spf1 " "-all"`),
			"up: example.org is v=spf1 -all"},
		{"SOA", ask("SOA", " 42 "), of("@ 60 IN SOA ns.example.org. hm.example.org. 42 1 2 3 4"),
			"up: example.org is ns.example.org hm.example.org 42 1 2 3 4"},
		{"CNAME", ask("CNAME", "^web"),
			of("@ 60 IN CNAME web.example.org.", "web.example.org. 60 IN A 192.0.2.10"),
			"up: example.org is web.example.org"},
		{"SRV", ask("SRV", "sip"), of("@ 60 IN SRV 0 5 5060 sip.example.org."),
			"up: example.org is 0 5 5060 sip.example.org"},
		{"PTR of a name", ask("PTR", "www"), of("@ 60 IN PTR www.example.org."),
			"up: example.org is www.example.org"},
		{"PTR of an address", Spec{Service: "dns", Protocol: "udp", Request: "/192.0.2.10", DNSType: "PTR"},
			of("@ 60 IN PTR www.example.org."), "up: 10.2.0.192.in-addr.arpa is www.example.org"},
		{"no record of the type", ask("AAAA", ""), of("@ 60 IN A 192.0.2.10"),
			"down: no AAAA record for example.org"},
		{"empty record", ask("AAAA", ""), bare(dns.TypeAAAA), "down: no AAAA record for example.org"},
		{"wrong record", ask("MX", "^20 "), of("@ 60 IN MX 10 mx.example.org."),
			"down: example.org does not match /^20 /: got 10 mx.example.org"},
		{"control character", ask("TXT", "x"), of(`@ 60 IN TXT "\027[2J"`),
			`down: example.org does not match /x/: got \027[2J`},
		{"no such name", ask("MX", ""), zone{rcode: dns.RcodeNameError}.udp, "down: NXDOMAIN for example.org"},
	})
}

func TestDNSAnswerCodes(t *testing.T) {
	ask := func(code, receive string) Spec {
		return Spec{Service: "dns", Protocol: "udp", Request: "/example.org", Receive: receive, DNSRcode: code}
	}
	says := func(code int) datagrams { return zone{rcode: code}.udp }
	checkDatagrams(t, []datagramCase{
		{"refused, as wanted", ask("REFUSED", ""), says(dns.RcodeRefused), "up: REFUSED for example.org"},
		{"no such name, as wanted", ask("NXDOMAIN", ""), says(dns.RcodeNameError),
			"up: NXDOMAIN for example.org"},
		{"failure, as wanted", ask("SERVFAIL", ""), says(dns.RcodeServerFailure),
			"up: SERVFAIL for example.org"},
		{"not its zone, as wanted", ask("NOTAUTH", ""), says(dns.RcodeNotAuth), "up: NOTAUTH for example.org"},
		{"no error is enough", ask("NOERROR", ""), says(dns.RcodeSuccess), "up: NOERROR for example.org"},
		{"no error, and a record", ask("NOERROR", "192"), zone{records: []string{"@ 60 IN A 192.0.2.10"}}.udp,
			"up: example.org is 192.0.2.10"},
		{"no error, but no record", ask("NOERROR", "192"), says(dns.RcodeSuccess),
			"down: no A record for example.org"},
		{"another code", ask("NXDOMAIN", ""), says(dns.RcodeSuccess),
			"down: NOERROR for example.org, want NXDOMAIN"},
		{"an error", ask("NOERROR", ""), says(dns.RcodeRefused), "down: REFUSED for example.org"},
		{"silent", late(ask("REFUSED", "")), func(int, []byte, net.Addr) []string { return nil },
			"down: no answer in 400ms"},
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
	checkFakes(t, nil, []fakeCase{
		{"good", www, script{good.tcp}, "up: www.example.org is 192.0.2.10"},
		{"no such name", www, script{zone{rcode: dns.RcodeNameError}.tcp},
			"down: NXDOMAIN for www.example.org"},
		{"answer to another question", www, script{zone{change: func(m *dns.Msg) { m.Id++ }}.tcp},
			"down: not an answer to our question"},
		{"silent", late(www), script{silent}, "down: no answer in 400ms"},
		{"silent in the middle", late(www), heardDNS(raw("\x00\x40ab"), silent), "down: timeout in the answer"},
		{"slow drip", late(www), heardDNS(drip("\x00\x40abcdefghijklm")), "down: timeout in the answer"},
		{"closed without an answer", www, heardDNS(), "down: connection closed without an answer"},
		{"closed in the middle", www, heardDNS(raw("\x00\x40ab")), "down: connection closed in the answer"},
		{"reset", www, heardDNS(reset), "down: connection reset in the answer"},
		{"another protocol", www, heardDNS(raw("\x00\x04ab\x1b!")), `down: not DNS: "ab\x1b!"`},
		{"endless", www, heardDNS(endless("HTTP/1.1 400 Bad Request ")),
			`down: not DNS: "TP/1.1 400 Bad Request HTTP/1.1 400 Bad Request HTTP/1.1 400"…`},
	})
}
