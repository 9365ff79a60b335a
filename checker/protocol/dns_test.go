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
	"ldirectord/internal/testkit"
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
	typed, coded := www, www
	typed.DNSType, coded.DNSRcode, coded.Receive = "AAAA", "REFUSED", ""
	good := zone{records: []string{"@ 60 IN A 192.0.2.10"}}
	changed := func(change func(*dns.Msg)) datagrams { return zone{change: change}.udp }
	cases := []datagramCase{
		{"the first packet is lost", www, afterLoss(good.udp), "up: www.example.org is 192.0.2.10"},
		{"an answer to another comes first", www, func(n int, packet []byte, from net.Addr) []string {
			other := changed(func(m *dns.Msg) { m.Id++ })
			return append(other(n, packet, from), good.udp(n, packet, from)...)
		}, "up: www.example.org is 192.0.2.10"},
		{"unheard-of response code", www, zone{rcode: 15}.udp, "down: rcode 15 for www.example.org"},
		{"empty record", typed, changed(func(m *dns.Msg) {
			m.Answer = []dns.RR{&dns.RFC3597{Hdr: dns.RR_Header{
				Name: "www.example.org.", Rrtype: dns.TypeAAAA, Class: dns.ClassINET}}}
		}), "down: no AAAA record for www.example.org"},
		{"another protocol", www, replies("HTTP/1.1 400 Bad Request\r\n"),
			`down: not DNS: "HTTP/1.1 400 Bad Request\r\n"`},
		{"nothing in it", www, replies(""), `down: not DNS: ""`},
		{"echo", late(www),
			func(_ int, packet []byte, _ net.Addr) []string { return []string{string(packet)} },
			"down: no answer in 400ms, but other datagrams"},
		{"answers to another question only", late(www),
			changed(func(m *dns.Msg) { m.Question[0].Name = "www.example.net." }),
			"down: no answer in 400ms, but other datagrams"},
		{"cut off, and no TCP", www, changed(func(m *dns.Msg) { m.Truncated = true }),
			"down: connect: refused"},
		{"silent where a code is wanted", late(coded), replies(), "down: no answer in 400ms"},
		{"no request", Spec{Service: "dns", Request: "/", Receive: "x"}, nil,
			"down: request names nothing to look up"},
		{"no receive", Spec{Service: "dns", Request: "/www.example.org"}, nil,
			"down: receive is empty: no answer can match it"},
		{"no domain name", Spec{Service: "dns", Request: "/www..example\x1b", Receive: "x"}, nil,
			`down: request: www..example\x1b is not a domain name`},
	}
	for _, row := range testkit.Table(t, "../../testdata/checker/dns.txt", 8) {
		s := Spec{Service: "dns", Protocol: "udp", DNSType: row[1], DNSRcode: row[2], Request: "/" + row[3],
			Receive: row[4]}
		z := zone{rcode: dns.StringToRcode[row[5]]}
		if row[6] != "" {
			z.records = strings.Split(row[6], "; ")
		}
		cases = append(cases, datagramCase{row[0], s, z.udp, row[7]})
	}
	checkDatagrams(t, cases)
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

// Checks ask for every record type that the parser accepts; dns.txt has the response codes.
func TestDNSKnowsTheWordsOfTheParser(t *testing.T) {
	for _, kind := range []string{"A", "AAAA", "MX", "NS", "TXT", "SOA", "CNAME", "PTR", "SRV"} {
		made, _ := newNegotiate(Spec{Service: "dns", Request: "/example.org", DNSType: kind}, &Env{})
		if c := made.(*dnsCheck); dns.TypeToString[c.asked.Qtype] != kind {
			t.Errorf("%s asks for %s", kind, dns.TypeToString[c.asked.Qtype])
		}
	}
}

func TestDNSOverTCP(t *testing.T) {
	www := Spec{Service: "dns", Protocol: "tcp", Request: "/www.example.org", Receive: "192"}
	good := zone{records: []string{"@ 60 IN A 192.0.2.10"}}
	checkFakes(t, []fakeCase{
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
