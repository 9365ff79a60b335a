package protocol

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"slices"
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

// zoneOf is a zone by its words: a response code and records, divided by commas, or how the answer is spoilt.
func zoneOf(text string) zone {
	word, records, _ := strings.Cut(text, " ")
	z := zone{rcode: dns.StringToRcode[word], change: spoilt[word]}
	if records != "" {
		z.records = strings.Split(records, ", ")
	}
	return z
}

var spoilt = map[string]func(*dns.Msg){
	"other-id":       func(m *dns.Msg) { m.Id++ },
	"other-question": func(m *dns.Msg) { m.Question[0].Name = "www.example.net." },
	"unheard-of":     func(m *dns.Msg) { m.Rcode = 15 },
	"cut":            func(m *dns.Msg) { m.Truncated = true },
	"empty-record": func(m *dns.Msg) {
		m.Answer = []dns.RR{&dns.RFC3597{Hdr: dns.RR_Header{
			Name: "www.example.org.", Rrtype: dns.TypeAAAA, Class: dns.ClassINET}}}
	},
}

// namesGood is a name server that knows one address.
func namesGood(n int, packet []byte, from net.Addr) []string {
	return zoneOf("NOERROR @ 60 IN A 192.0.2.10").udp(n, packet, from)
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

// The text of a HIP with all names that fit into a message would take a minute.
func TestDNSRecordsOfOtherTypesGetNoText(t *testing.T) {
	made, _ := newNegotiate(Spec{Service: "dns", Request: "/example.org", Receive: "1"}, &Env{})
	answer := &dns.Msg{Answer: []dns.RR{&dns.HIP{Hdr: dns.RR_Header{Rrtype: dns.TypeHIP},
		RendezvousServers: slices.Repeat([]string{"a."}, 1000)}}}
	allocations := testing.AllocsPerRun(1, func() { made.(*dnsCheck).judge(t.Context(), answer) })
	if allocations > 100 {
		t.Errorf("%v allocations", allocations)
	}
}

// Checks ask for every record type that the parser accepts; datagrams/dns.txt has the response codes.
func TestDNSKnowsTheWordsOfTheParser(t *testing.T) {
	for _, kind := range []string{"A", "AAAA", "MX", "NS", "TXT", "SOA", "CNAME", "PTR", "SRV"} {
		made, _ := newNegotiate(Spec{Service: "dns", Request: "/example.org", DNSType: kind}, &Env{})
		testkit.Equal(t, dns.TypeToString[made.(*dnsCheck).asked.Qtype], kind, "it asks for")
	}
}
